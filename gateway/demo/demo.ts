import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { decideApproval } from '../cli/approvals.ts'
import { type Cli, EXIT, printJson, processCli } from '../cli/context.ts'
import { loadConfig } from '../config.ts'
import { openConsole, type RunningConsole } from '../console.ts'
import { listenerIdentity } from '../credentials/listener-tls.ts'
import { openLog } from '../log.ts'
import { placesIn } from '../places.ts'
import { Service } from '../service.ts'
import { recoverTapes } from '../tape-room.ts'
import { demoCard } from './demo-card.ts'
import { AGENT, APPROVER, type DemoFolder, OTHER_AGENT, writeDemoFolder } from './demo-folder.ts'
import { steadyPort } from './free-port.ts'
import { driveSamplePulls } from './sample-pulls.ts'
import { driveSampleSession } from './sample-session.ts'
import { type SampleTarget, startSampleTarget } from './sample-target.ts'

/** Next to PostgreSQL's own and pgbouncer's, free on nearly every machine. */
const WANTED_PORT = 7432
/** Where nothing common listens either. */
const WANTED_CONSOLE_PORT = 7480
/** The card is read now, or after lunch. */
const LINK_TTL_MS = 3_600_000

export interface DemoOptions {
  /** Drive the session, verify, end; in a folder of its own, on free ports. */
  readonly once: boolean
  readonly json: boolean
  /** With `once`: leave the tapes. */
  readonly keep: boolean
}

/**
 * The product on embedded defaults: sample target, sample identities, sample policy, one sample session through the real
 * gateway. Then a card of what to try, until interrupted; or, with `once`, the proof of what was recorded.
 */
export async function runDemo({ once, json, keep }: DemoOptions, cli: Cli = processCli): Promise<number> {
  const interrupted = interruption()
  const progress = (line: string): void => cli.err(`${safeText(line)}\n`)
  if (!once) return stay(resolve(cli.cwd, '.sallyport'), interrupted, progress, cli)

  const folder = await mkdtemp(join(tmpdir(), 'sallyport-demo-'))
  let elsewhere: readonly string[] = []
  try {
    let dataDir: string
    {
      await using sample = await startSampleTarget(join(folder, 'sample'), progress)
      elsewhere = sample.elsewhere
      await using visit = await drive(folder, sample, { port: 0 }, progress, cli)
      dataDir = visit.dataDir
    }
    interrupted.throwIfAborted()
    const { summarise } = await import('./demo-summary.ts')
    const summary = await summarise(dataDir)
    if (json) printJson(cli, summary)
    else
      cli.out(
        `${Object.entries(summary)
          .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
          .join('')}`,
      )
    return summary.verify === 'VALID' ? EXIT.ok : EXIT.failure
  } finally {
    const rest = keep ? [join(folder, 'sample')] : [folder]
    for (const path of [...rest, ...elsewhere]) await rm(path, { recursive: true, force: true })
  }
}

async function stay(folder: string, interrupted: AbortSignal, progress: (line: string) => void, cli: Cli): Promise<number> {
  await mkdir(folder, { recursive: true })
  await using sample = await startSampleTarget(join(folder, 'sample'), progress)
  const wanted = await steadyPort(join(folder, 'port'), WANTED_PORT)
  const consolePort = await steadyPort(join(folder, 'console-port'), WANTED_CONSOLE_PORT)
  await using visit = await drive(folder, sample, { port: wanted, consolePort }, progress, cli)
  if (!interrupted.aborted) {
    const page = visit.console?.pages === true ? { console: await visit.console.link(APPROVER.subject, LINK_TTL_MS) } : {}
    cli.out(demoCard({ port: visit.port, keys: visit.keys, session: visit.session, ...page, command: 'npx sallyport' }))
    await new Promise<void>((done) => interrupted.addEventListener('abort', () => done(), { once: true }))
  }
  progress('stopping: sessions are sealed, the sample target is shut down ...')
  return EXIT.ok
}

interface Visit extends AsyncDisposable {
  readonly port: number
  readonly keys: DemoFolder['keys']
  readonly dataDir: string
  /** The sample session's id. */
  readonly session: string
  readonly console: RunningConsole | undefined
}

/** Opens the gateway as `serve` does and drives the sample session through it. Disposing it seals everything. */
async function drive(
  folder: string,
  sample: SampleTarget,
  { port, consolePort }: { readonly port: number; readonly consolePort?: number },
  progress: (line: string) => void,
  cli: Cli,
): Promise<Visit> {
  const { config, keys } = await writeDemoFolder(folder, sample, port, consolePort)
  const settings = await loadConfig(config, cli.env)
  // The card is what should be seen; what goes wrong still is.
  const log = openLog({ SALLYPORT_LOG: 'warn', ...cli.env })
  await recoverTapes(settings, log)
  const service = await Service.open(settings, { log, env: cli.env })
  let running: RunningConsole | undefined
  const stop = async (): Promise<void> => {
    await running?.[Symbol.asyncDispose]()
    if (!(await service.stop('demo ends'))) throw new Error('a session could not be sealed; the log says why')
  }
  try {
    running = await openConsole(settings, { log, env: process.env, kill: async (id, message) => service.kill(id, message) })
    const [listener] = service.listeners
    if (listener === undefined) throw new Error('the demo configuration has a listener')
    const { cert } = await listenerIdentity({}, { keysDir: placesIn(settings.dataDir).keys, gateway: settings.gateway })
    let session = ''
    progress('a sample agent visits the sample target through the gateway:')
    const sampleVisit = {
      host: '127.0.0.1',
      port: listener.address.port,
      ca: cert,
      progress,
      approve: async (id: string) => {
        const tell = (text: string): void => progress(`    ${text.trim()}`)
        const approver = { ...cli, env: { ...cli.env, SALLYPORT_KEY: keys.approver }, out: tell, err: tell }
        await decideApproval(id, 'approve', { config }, approver)
        session ||= await askedBy(id, settings.dataDir)
      },
    }
    await driveSampleSession({ ...sampleVisit, user: AGENT, key: keys.agent })
    // For whoever stays: something to find.
    if (consolePort !== undefined) await driveSamplePulls({ ...sampleVisit, user: OTHER_AGENT.subject, key: keys.otherAgent })
    return {
      port: listener.address.port,
      keys,
      dataDir: settings.dataDir,
      session,
      console: running,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The session whose message the request held. */
async function askedBy(approval: string, dataDir: string): Promise<string> {
  using desk = openFolderDesk(placesIn(dataDir).approvals)
  const { session } = await desk.get(approval)
  if (session === undefined) throw new Error('the sample session held a message')
  return session
}

/** npm passes a Ctrl-C on that the terminal has delivered already: two signals within this are one wish. */
const SAME_WISH_MS = 1_000

/** Aborts at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function interruption(): AbortSignal {
  const interrupted = new AbortController()
  let firstMs = 0
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (interrupted.signal.aborted && performance.now() - firstMs > SAME_WISH_MS) process.exit(EXIT.failure)
      if (interrupted.signal.aborted) return
      firstMs = performance.now()
      interrupted.abort(new Error(`interrupted by ${signal}`))
    })
  }
  return interrupted.signal
}

import { setTimeout as wait } from 'node:timers/promises'
import type { ApprovalPage, ApprovalView, SessionPage, SessionRow } from '../../schemas/api.ts'
import { Config } from '../../schemas/config.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { addressOf } from '../config.ts'
import { readYaml, readYamlText } from '../yaml.ts'
import { type ConsoleClient, type ConsoleOptions, consoleClient, hostOf } from './console-client.ts'
import { type Cli, EXIT, findConfig, printJson } from './context.ts'
import { askMetrics } from './metrics-text.ts'
import { Fleet } from './top-fleet.ts'
import { ORDERS, type Order, topLines } from './top-view.ts'

export interface TopOptions extends ConsoleOptions {
  readonly json?: true
  readonly once?: true
  /** Seconds between two looks. */
  readonly interval?: number
  readonly sort?: Order
  /** Addresses of gateways' monitoring beside or instead of the configured one. */
  readonly monitoring?: readonly string[]
}

const DEFAULT_SECONDS = 2
/** More sessions than this nobody reads; the oldest are left out, and that is said. */
const MAX_PAGES = 10
const PER_PAGE = 200
const RECONNECT_MS = 2_000
const NO_WRAP = '\x1b[?7l'
const WRAP = '\x1b[?7h'
const ENTER_SCREEN = `\x1b[?1049h\x1b[?25l${NO_WRAP}`
const LEAVE_SCREEN = `${WRAP}\x1b[?25h\x1b[?1049l`

/**
 * What runs now: gateways by their monitoring, sessions and requests by the console, which notes once in the ledger that they are followed.
 * On a terminal it goes on until a key ends it; otherwise, or with `once`, it looks twice, an interval apart, and tells once. `json` and an
 * interval: one line of JSON each time, until SIGINT or a reader that has gone.
 */
export async function top(options: TopOptions, cli: Cli): Promise<number> {
  const everyMs = (options.interval ?? DEFAULT_SECONDS) * 1_000
  const { screen } = cli
  const isLive = options.once !== true && (options.json === true ? options.interval !== undefined : screen !== undefined)
  const fleet = new Fleet()
  const stop = new AbortController()
  cli.signal?.addEventListener('abort', () => stop.abort(), { once: true })
  const addresses = await monitoringOf(options, cli)
  const console = await consoleOf(options, cli, fleet)
  if (console === undefined && addresses.length === 0)
    throw new ApplianceError(
      'CONFIG_INVALID',
      'nobody can be asked: show an access key for the console (SALLYPORT_KEY, --key-file), or name a gateway with --monitoring',
    )
  const look = () => Promise.all(addresses.map((each) => count(each, fleet, stop.signal)))
  if (console !== undefined) await list(console, fleet)
  const following = console === undefined ? Promise.resolve() : follow(console, fleet, stop.signal)
  try {
    await look()
    if (isLive && options.json !== true && screen !== undefined)
      await draw({ fleet, look, everyMs, screen, order: options.sort ?? 'frames', stop }, cli)
    else
      do {
        await pause(everyMs, stop.signal)
        await look()
        if (stop.signal.aborted && isLive) break
        const snapshot = fleet.snapshot(new Date(), performance.now())
        if (options.json) printJson(cli, snapshot)
        else
          for (const line of topLines(snapshot, { columns: screen?.size().columns ?? 80, order: options.sort ?? 'frames' }))
            cli.out(`${line}\n`)
      } while (isLive)
  } finally {
    stop.abort()
    await following
  }
  return EXIT.ok
}

interface Drawing {
  readonly fleet: Fleet
  readonly look: () => Promise<unknown>
  readonly everyMs: number
  readonly screen: NonNullable<Cli['screen']>
  readonly order: Order
  readonly stop: AbortController
}

async function draw({ fleet, look, everyMs, screen, order: first, stop }: Drawing, cli: Cli): Promise<void> {
  let order = first
  let snapshot = fleet.snapshot(new Date(), performance.now())
  const paint = (): void => {
    const { columns, rows } = screen.size()
    const lines = topLines(snapshot, { columns, rows, order })
    cli.out(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`)
  }
  const deaf = screen.onKey((key) => {
    if (key === 'q' || key === '\x03' || key === '\x1b') stop.abort()
    const chosen = Object.entries(ORDERS).find(([each]) => each === key)?.[1]
    if (chosen !== undefined) order = chosen
    if (!stop.signal.aborted) paint()
  })
  cli.out(ENTER_SCREEN)
  try {
    while (!stop.signal.aborted) {
      paint()
      await pause(everyMs, stop.signal)
      await look()
      snapshot = fleet.snapshot(new Date(), performance.now())
    }
  } finally {
    deaf()
    cli.out(LEAVE_SCREEN)
  }
}

async function count(address: URL, fleet: Fleet, signal: AbortSignal): Promise<void> {
  try {
    fleet.counted(address.host, await askMetrics(address, signal), performance.now())
  } catch (error) {
    if (!signal.aborted) fleet.silent(address.host, messageOf(error))
  }
}

/** Lists once, then hears what changes; where something was missed it lists again. */
async function follow(console: ConsoleClient, fleet: Fleet, signal: AbortSignal): Promise<void> {
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      if (!isFirst) await list(console, fleet)
      for await (const event of console.follow(signal)) {
        fleet.problem('console')
        if (event.event === 'reset') await list(console, fleet)
        else fleet.heard(event, performance.now())
      }
      if (!signal.aborted) fleet.problem('console', 'it hung up')
    } catch (error) {
      if (!signal.aborted) fleet.problem('console', messageOf(error))
    }
    await pause(RECONNECT_MS, signal)
  }
}

async function list(console: ConsoleClient, fleet: Fleet): Promise<void> {
  const sessions: SessionRow[] = []
  const holds: ApprovalView[] = []
  let cursor: string | null = null
  for (let page = 0; page === 0 || cursor !== null; page++) {
    if (page === MAX_PAGES) {
      fleet.problem('sessions', `only the newest ${MAX_PAGES * PER_PAGE} of those that run`)
      break
    }
    const found: SessionPage = await console.ask(`/sessions?state=live&limit=${PER_PAGE}${after(cursor)}`)
    sessions.push(...found.sessions)
    cursor = found.next
  }
  const pending: ApprovalPage = await console.ask(`/approvals?state=pending&limit=${PER_PAGE}`)
  holds.push(...pending.approvals)
  if (pending.next !== null) fleet.problem('requests', `only the newest ${PER_PAGE} of those that wait`)
  fleet.listed(sessions, holds, performance.now())
}

function after(cursor: string | null): string {
  return cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
}

/** Whoever shows no key, or has no console, sees numbers alone. */
async function consoleOf(options: TopOptions, cli: Cli, fleet: Fleet): Promise<ConsoleClient | undefined> {
  try {
    return await consoleClient({ purpose: 'top', ...options }, cli)
  } catch (error) {
    const isUnasked = options.url === undefined && options.keyFile === undefined
    if (!isUnasked || !(error instanceof ApplianceError) || !['AUTH_REQUIRED', 'CONFIG_INVALID'].includes(error.code)) throw error
    fleet.problem('no sessions are shown', error.message)
    return undefined
  }
}

async function monitoringOf({ monitoring = [], config, url }: TopOptions, cli: Cli): Promise<readonly URL[]> {
  const named = monitoring.map((text) => {
    const address = text.includes('://') ? text : `http://${text}`
    if (URL.canParse(address) && address.startsWith('http://')) return new URL(address)
    throw new ApplianceError('CONFIG_INVALID', `${JSON.stringify(text)} is no address of monitoring, such as http://gateway:9464`)
  })
  if (named.length > 0 || (url !== undefined && config === undefined)) return named
  const path = findConfig(config, cli)
  const own = readYaml(await readYamlText(path), path, Config, 'CONFIG_INVALID').monitoring
  if (own === undefined) return []
  const { host, port } = addressOf(own.address)
  return [new URL(`http://${hostOf(host)}:${port}`)]
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Ends early when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { loadConfig } from '../../gateway/config.ts'
import { hashAccessKey, newAccessKey } from '../../gateway/identity/access-key.ts'
import { Log } from '../../gateway/log.ts'
import { placesIn } from '../../gateway/places.ts'
import { Service } from '../../gateway/service.ts'
import { recoverTapes } from '../../gateway/tape-room.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import type { RecordsDesk } from '../../recorder/desk/desk-records.ts'
import type { Config } from '../../schemas/config.ts'
import type { FindingsConfig } from '../../schemas/findings.ts'
import type { Durability } from '../../schemas/session.ts'
import { LogLines } from './gateway-log.ts'
import type { PgServer } from './pg-server.ts'

const MAIN = fileURLToPath(new URL('../../gateway/main.ts', import.meta.url))
/** Four workers of a busy machine of two cores take half of it. */
const START_TIMEOUT_MS = 90_000

export const AGENT = 'agent-7'
export const HUMAN = 'ada@example.com'
export const APPROVER = { subject: 'grace@example.com', kind: 'human', groups: ['developers', 'approvers'] } as const

/** Signs in by link; may see everything there is, and touch nothing. */
export const AUDITOR = 'otto@example.com'

/** Everything allowed, only the detectors at work. */
export const OPEN_POLICY = 'version: 1\nrules: []\n'

type TargetTls = NonNullable<Config['targets'][number]['tls']>

export interface TestTarget {
  readonly name: string
  readonly port: number
  readonly database?: string
  readonly user: string
  readonly password?: string
  /** In place of a password: the token of this identity. */
  readonly managedIdentity?: { readonly clientId: string }
  readonly tls: TargetTls
  /** PEM. */
  readonly certificate?: { readonly cert: string; readonly key: string }
  readonly labels?: Readonly<Record<string, string>>
  /** Who may reach it; agents and developers, if not given. */
  readonly groups?: readonly string[]
  readonly access?: Config['targets'][number]['access']
}

/** A target at a test server, as its superuser over verified TLS unless said otherwise. `cas`: see GatewayOptions. */
export function targetAt(server: PgServer, options: Partial<TestTarget> & { readonly name: string }): TestTarget {
  return {
    port: server.port,
    database: 'postgres',
    user: 'postgres',
    password: server.password,
    tls: { mode: 'off' },
    ...options,
  }
}

export interface GatewayOptions {
  readonly targets: readonly TestTarget[]
  /** The policy file; default OPEN_POLICY. */
  readonly policy?: string
  /** Of the listener; default `optional`, so that a tee can read along. */
  readonly tls?: 'required' | 'optional'
  readonly limits?: NonNullable<Config['limits']>
  /** Issuers whose tokens clients may give in place of an access key. */
  readonly jwt?: NonNullable<Config['jwt']>
  readonly durability?: Durability
  readonly gateway?: string
  /** Groups whose people may break the glass. */
  readonly breakGlass?: readonly string[]
  /** With a console, for the human as investigator and the approver as approver and investigator. */
  readonly console?: boolean
  /** Sections of the configuration beside these. */
  readonly more?: object
  readonly findings?: FindingsConfig
  /** The data folder; default: `data` beside the configuration. */
  readonly dataDir?: string
}

/** Everything a gateway reads: configuration, policy, upstream secrets and keys. Removed in the end. */
export interface GatewayFolder extends AsyncDisposable {
  readonly path: string
  readonly config: string
  readonly dataDir: string
  /** Access keys; only their hashes are in the folder. */
  readonly keys: { readonly agent: string; readonly human: string; readonly approver: string }
}

export async function gatewayFolder(options: GatewayOptions): Promise<GatewayFolder> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-e2e-'))
  const keys = { agent: newAccessKey(), human: newAccessKey(), approver: newAccessKey() }
  const secrets = join(path, 'secrets')
  await mkdir(secrets, { mode: 0o700 })
  const targets = await Promise.all(options.targets.map((target) => configured(target, secrets)))
  const identity = (subject: string, kind: string, groups: readonly string[], key: string, rest = {}): object => ({
    subject,
    kind,
    groups,
    keys: [{ id: subject.replace(/@.*/, ''), sha256: hashAccessKey(key) }],
    ...rest,
  })
  const dataDir = options.dataDir ?? join(path, 'data')
  const config = {
    gateway: options.gateway ?? 'gw1',
    dataDir,
    policy: 'policy.yaml',
    recording: { durability: options.durability ?? 'process' },
    listeners: { postgres: { address: '127.0.0.1:0', tls: { mode: options.tls ?? 'optional' } } },
    targets,
    identities: [
      identity(AGENT, 'agent', ['agents'], keys.agent, { principal: HUMAN }),
      identity(HUMAN, 'human', ['developers'], keys.human),
      identity(APPROVER.subject, APPROVER.kind, APPROVER.groups, keys.approver),
      { subject: AUDITOR, kind: 'human', groups: ['auditors'] },
    ],
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.findings === undefined ? {} : { findings: options.findings }),
    ...(options.jwt === undefined ? {} : { jwt: options.jwt }),
    ...options.more,
    ...(options.breakGlass === undefined ? {} : { approvals: { breakGlass: options.breakGlass } }),
    ...(options.console === true
      ? {
          console: {
            address: '127.0.0.1:0',
            roles: { investigator: ['developers'], approver: ['approvers'], auditor: ['auditors'] },
          },
        }
      : {}),
  }
  await writeFile(join(path, 'sallyport.yaml'), JSON.stringify(config, null, 2))
  await writeFile(join(path, 'policy.yaml'), options.policy ?? OPEN_POLICY)
  return {
    path,
    config: join(path, 'sallyport.yaml'),
    dataDir,
    keys,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

async function configured(target: TestTarget, secrets: string): Promise<object> {
  const { name, port, database, user, password, managedIdentity, certificate, tls, labels, access } = target
  const { groups = ['agents', 'developers'] } = target
  const write = async (suffix: string, text: string): Promise<string> => {
    const file = join(secrets, `${name}.${suffix}`)
    await writeFile(file, text, { mode: 0o600 })
    return file
  }
  return {
    name,
    protocol: 'postgres',
    host: '127.0.0.1',
    port,
    groups,
    ...(access === undefined ? {} : { access }),
    ...(database === undefined ? {} : { database }),
    ...(labels === undefined ? {} : { labels }),
    tls: tls.ca === undefined ? tls : { ...tls, ca: await write('ca', tls.ca) },
    credential: {
      user,
      ...(managedIdentity === undefined ? {} : { managedIdentity }),
      ...(password === undefined ? {} : { password: { file: await write('password', password) } }),
      ...(certificate === undefined
        ? {}
        : { certificate: { cert: await write('crt', certificate.cert), key: { file: await write('key', certificate.key) } } }),
    },
  }
}

/** A gateway that serves, whichever process it runs in. */
export interface RunningGateway extends AsyncDisposable {
  readonly folder: GatewayFolder
  readonly port: number
  /** The listener's own certificate, a PEM file. */
  readonly caFile: string
  readonly log: LogLines
  /** The desk beside the gateway's own, on the same folder. */
  desk(): Promise<RecordsDesk>
  /** Ends and seals everything. True when nothing was left unsealed. */
  stop(): Promise<boolean>
}

/** Serves inside this process, through the same steps as `serve`. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway & { readonly service: Service }> {
  const folder = await gatewayFolder(options)
  const log = new LogLines()
  const settings = await loadConfig(folder.config, {})
  const told = new Log(pino({ level: 'info', base: {} }, log))
  await recoverTapes(settings, told)
  const service = await Service.open(settings, { log: told, env: {} })
  const [listener] = service.listeners
  if (listener === undefined) throw new Error('no listener')
  const stop = (): Promise<boolean> => service.stop('test over')
  return { ...running(folder, listener.address.port, log, stop), service }
}

/** Serves as `sallyport serve` in a process of its own. Not removed with it: the folder, which is given, so that it can be started again. */
export async function spawnGateway(
  folder: GatewayFolder,
  options: {
    readonly workers?: number
    readonly startTimeoutMs?: number
    readonly env?: NodeJS.ProcessEnv
    readonly wrapper?: readonly string[]
  } = {},
): Promise<RunningGateway & { readonly pid: number; kill(): Promise<void> }> {
  const log = new LogLines()
  const command = [
    ...(options.wrapper ?? []),
    process.execPath,
    MAIN,
    'serve',
    '--config',
    folder.config,
    '--workers',
    String(options.workers ?? 1),
  ]
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...options.env } })
  child.stderr.setEncoding('utf8').on('data', (text: string) => log.write(text))
  const exited = once(child, 'exit')
  exited.catch(() => undefined)
  const dieWithTest = (): void => void child.kill('SIGKILL')
  process.once('exit', dieWithTest)
  const gone = async (): Promise<number | null> => {
    const [code] = (await exited) as [number | null]
    process.off('exit', dieWithTest)
    return code
  }
  const stop = async (): Promise<boolean> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    return (await gone()) === 0
  }
  const early = exited.then(() => {
    throw new Error(`the gateway ended: ${log.text}`)
  })
  early.catch(() => undefined)
  const workers = options.workers ?? 1
  const listening = log.until(
    (line) =>
      line['msg'] === 'listening' &&
      new Set(log.lines.filter((one) => one['msg'] === 'listening').map((one) => one['worker'])).size === workers,
    options.startTimeoutMs ?? START_TIMEOUT_MS,
  )
  listening.catch(() => undefined)
  const { port } = await Promise.race([listening, early]).catch((error: unknown) => {
    // What nobody holds would keep the test's process alive.
    child.kill('SIGKILL')
    throw error
  })
  return {
    ...running(folder, Number(port), log, stop, false),
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL')
      await gone()
    },
  }
}

function running(
  folder: GatewayFolder,
  port: number,
  log: LogLines,
  stop: () => Promise<boolean>,
  removes = true,
): RunningGateway {
  const desks: RecordsDesk[] = []
  return {
    folder,
    port,
    caFile: join(placesIn(folder.dataDir).keys, 'listener.crt'),
    log,
    async desk() {
      const desk = openFolderDesk(placesIn(folder.dataDir).approvals)
      desks.push(desk)
      return desk
    },
    stop,
    async [Symbol.asyncDispose]() {
      for (const desk of desks) desk[Symbol.dispose]()
      await stop()
      if (removes) await folder[Symbol.asyncDispose]()
    },
  }
}

import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { StorePlace } from '../recorder/index.ts'
import type { VaultSignerPlace } from '../recorder/tape/signer-vault.ts'
import type { SignInLogin } from '../schemas/api.ts'
import {
  type CatalogConfig,
  type Config,
  Config as ConfigSchema,
  type ConfiguredIdentity,
  type Console,
  type SharedConfig,
} from '../schemas/config.ts'
import type { AccessConfig, NotifyConfig } from '../schemas/config-approvals.ts'
import type { LedgerConfig } from '../schemas/config-evidence.ts'
import { type JwtIssuer, loginWayOf, type SignInConfig } from '../schemas/config-identity.ts'
import type { Limits } from '../schemas/config-limits.ts'
import type { RetentionConfig } from '../schemas/config-retention.ts'
import type { SiemConfig } from '../schemas/config-siem.ts'
import type { SummaryConfig } from '../schemas/config-summary.ts'
import type { TracesConfig } from '../schemas/config-traces.ts'
import type { FindingsConfig } from '../schemas/findings.ts'
import { type Durability, type Identity, PROTOCOL_NAMES, type ProtocolName, strongest, type Target } from '../schemas/session.ts'
import { type Attesters, attestersOf } from './attesters.ts'
import { problemsOf, type Secrets } from './config-check.ts'
import { azureIdentityOf } from './credentials/azure.ts'
import type { ListenerFiles } from './credentials/listener-context.ts'
import type { CredentialSource } from './credentials/upstream.ts'
import { durationMs } from './policy/quantities.ts'
import { type EvidencePlace, evidencePlaceOf, storePlaceOf } from './store-place.ts'
import { openYaml, readYamlText } from './yaml.ts'

/** How a listener of one protocol is to be opened. */
export interface ListenerSettings {
  readonly protocol: ProtocolName
  readonly host: string
  readonly port: number
  readonly tls: ListenerFiles & { readonly required: boolean }
  /** Of an egress listener: what its targets let clients reach, by their names. */
  readonly egress?: ReadonlyMap<string, EgressSettings>
  /** Of an egress listener: files of the authority that signs for hosts whose TLS is opened. */
  readonly authority?: AuthorityFiles
  /** Of an ssh listener, which has no TLS. */
  readonly ssh?: SshListenerSettings
}

export interface SshListenerSettings {
  readonly hostKeyFiles?: readonly string[]
  /** Public keys that sign users' certificates. */
  readonly userAuthorities: readonly string[]
  /** Where people may sign in by a browser in place of a key. */
  readonly device?: SignInLogin
}

export interface AuthorityFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** What clients of an egress target may reach. */
export interface EgressSettings {
  readonly allow: readonly string[]
  readonly ports: readonly number[]
  /** CIDR. */
  readonly networks: readonly string[]
  /** Where this gateway itself listens. */
  readonly ownPorts: readonly number[]
  /** Whose TLS is opened: `*` for all, but not of `except`. `trustFile`: PEM. */
  readonly intercept?: { readonly hosts: readonly string[]; readonly except: readonly string[]; readonly trustFile?: string }
}

/** A target with what only the gateway may know of it. */
export interface TargetSettings {
  readonly target: Target
  /** Other names clients ask for it by. */
  readonly hosts: readonly string[]
  /** Who may reach it. */
  readonly groups: readonly string[]
  /** Who may ask for a while of it. */
  readonly access?: AccessSettings
  readonly credential: CredentialSource
  /** The least for its sessions; others may raise it. */
  readonly durability: Durability
}

/** Access for a while, as it may be asked for. */
export interface AccessSettings {
  readonly groups: readonly string[]
  readonly approvers: { readonly groups: readonly string[]; readonly count: number }
  readonly maxMs: number
}

/** Where the console is served and who gets in. */
export interface ConsoleSettings {
  readonly host: string
  readonly port: number
  /** Without files: with the gateway's own certificate. */
  readonly tls?: ListenerFiles
  readonly url?: string
  readonly roles: Console['roles']
  /** Through whom people sign in; files absolute. */
  readonly signIn: SignInConfig
}

/** A checked configuration with every path absolute and every default filled in. */
export interface Settings {
  /** The file itself. */
  readonly file: string
  readonly gateway: string
  readonly dataDir: string
  readonly policyFile: string
  /** Where tapes are kept. */
  readonly store: StorePlace
  /** Where they are copied to once they have ended. */
  readonly evidence?: EvidencePlace
  /** What signs tapes; a file in the data folder where it is left out. */
  readonly signer?: VaultSignerPlace
  /** The least for every session, and which ones get more. */
  readonly durability: Durability
  readonly raise: NonNullable<NonNullable<Config['recording']>['raise']>
  /** MiB that may wait for the store. */
  readonly spool: { readonly size?: number; readonly session?: number }
  readonly ledger?: Pick<LedgerConfig, 'origin' | 'timestamps'>
  /** Who attests its checkpoints. */
  readonly attesters: Attesters
  readonly listeners: readonly ListenerSettings[]
  readonly targets: ReadonlyMap<string, TargetSettings>
  readonly identities: readonly ConfiguredIdentity[]
  readonly jwt: readonly JwtIssuer[]
  readonly limits: Required<Limits>
  readonly console?: ConsoleSettings
  readonly catalog: CatalogConfig
  /** Where gateways of several machines agree; without it in the data folder. */
  readonly shared?: SharedConfig
  /** Where probes and collectors ask. */
  readonly monitoring?: { readonly host: string; readonly port: number }
  /** Where spans go. */
  readonly traces?: TracesConfig
  readonly findings: FindingsConfig
  /** Who writes summaries, where somebody is asked to. */
  readonly summary?: SummaryConfig
  readonly notify: NotifyConfig
  /** Where the ledger is told as it grows. */
  readonly siem: SiemConfig
  /** How long tapes are kept; without it people delete them one by one. */
  readonly retention?: RetentionConfig
  /** Groups whose people may approve alone. */
  readonly breakGlass: readonly string[]
  /** Makes paths that the file names absolute. */
  readonly from: (path: string) => string
}

export const DEFAULT_LIMITS: Required<Limits> = {
  // Measured at 32-64 KiB each when idle; a thousand fit beside everything else in a small container.
  sessions: 1_000,
  // A pool of a hundred connections is the usual largest of one application; an agent has one.
  sessionsPerIdentity: 100,
  // A connection for each query is bad manners and common: a hundred in each second, and a minute's worth at once.
  sessionStartsPerIdentity: 6_000,
  // About what one process takes in with TLS. Behind a load balancer everybody has one address.
  connectionsPerAddress: 500,
  // Each costs a socket and a timer; more than this at once, unproved, is a flood or a broken health check.
  connectionsUnproved: 400,
  connectionsUnprovedPerAddress: 100,
  // The last resort: protocols have deadlines of their own (PostgreSQL 30 s) and say so in their own words first.
  handshakeTimeoutMs: 35_000,
  // A working day: long statements record nothing while they run and must not be cut.
  idleTimeoutMs: 8 * 3_600_000,
  approvalTtlMs: 3_600_000,
  // A quarter: as long as anybody looks up how the like of it was decided. The ledger keeps every step.
  approvalHistoryMs: 90 * 24 * 3_600_000,
  drainTimeoutMs: 0,
  shutdownTimeoutMs: 10_000,
  // Measured: a target on the same machine or beside it answers within; where there is one core, it needs that core for it.
  busyPollMicros: availableParallelism() > 1 ? 300 : 0,
}

/** The level of a session of `kind` with `target`: the strongest of all that are set for it. */
export function durabilityOf(
  settings: Pick<Settings, 'durability' | 'raise'>,
  { target, durability }: Pick<TargetSettings, 'target' | 'durability'>,
  kind: Identity['kind'],
): Durability {
  const raised = settings.raise
    .filter(({ labels = {}, kinds = [kind] }) => {
      return kinds.includes(kind) && Object.entries(labels).every(([name, value]) => target.labels[name] === value)
    })
    .map((raise) => raise.durability)
  return strongest(settings.durability, durability, ...raised)
}

/** The absolute paths a configuration names, seen from its file. */
export function pathFrom(file: string): (path: string) => string {
  return (path) => resolve(dirname(file), path)
}

/**
 * Reads and checks sallyport.yaml. Rejects CONFIG_INVALID with every mistake by line, all at once: what the schema refuses, and
 * what cannot be enforced as it stands (unknown groups, missing secrets, unreadable files). Without `env` the
 * secrets and files it names are left alone: for commands that serve nobody and whose user may have none of them; with
 * `secrets` 'store' all but the store's key are, for commands that tell the ledger something. `given`: what it said when it was read.
 */
export async function loadConfig(
  file: string,
  env?: NodeJS.ProcessEnv,
  secrets: Secrets = 'all',
  given?: string,
): Promise<Settings> {
  const path = resolve(file)
  const yaml = openYaml(given ?? (await readYamlText(path)), path, ConfigSchema, 'CONFIG_INVALID')
  for (const { at, message, others } of await problemsOf(yaml.value, pathFrom(path), env, secrets))
    yaml.mistake(at, message, others)
  yaml.finish()
  const from = pathFrom(path)
  const evidence = await evidencePlaceOf(yaml.value, from, env)
  return settingsOf(yaml.value, path, env, {
    store: await storePlaceOf(yaml.value, from, env),
    attesters: await attestersOf(yaml.value, from, secrets === 'all' ? env : undefined),
    ...(evidence === undefined ? {} : { evidence }),
  })
}

/**
 * The name of this replica: sessions and certificates are named by it, so no two may share one. Container Apps sets the second variable, a
 * StatefulSet the first (deploy/kubernetes).
 */
function replicaOf(gateway: string, env: NodeJS.ProcessEnv | undefined): string {
  const replica = env?.['SALLYPORT_REPLICA'] ?? env?.['CONTAINER_APP_REPLICA_NAME'] ?? ''
  if (replica === '') return gateway
  return `${gateway.slice(0, 22)}r${createHash('sha256').update(replica).digest('hex').slice(0, 8)}`
}

function settingsOf(
  config: Config,
  file: string,
  env: NodeJS.ProcessEnv | undefined,
  places: Pick<Settings, 'store' | 'attesters' | 'evidence'>,
): Settings {
  const from = pathFrom(file)
  return {
    file,
    gateway: replicaOf(config.gateway, env),
    dataDir: from(config.dataDir),
    policyFile: from(config.policy),
    ...places,
    ...(config.signer === undefined ? {} : { signer: signerOf(config.signer) }),
    durability: config.recording?.durability ?? 'process',
    raise: config.recording?.raise ?? [],
    spool: config.recording?.spool ?? {},
    ...(config.ledger === undefined ? {} : { ledger: config.ledger }),
    listeners: PROTOCOL_NAMES.flatMap((protocol) => listenerOf(config, protocol, from)),
    targets: new Map(config.targets.map((target) => [target.name, targetOf(target, from)])),
    identities: config.identities ?? [],
    jwt: jwtOf(config, from),
    limits: { ...DEFAULT_LIMITS, ...config.limits },
    notify: config.notify ?? [],
    siem: config.siem ?? [],
    breakGlass: config.approvals?.breakGlass ?? [],
    catalog: config.catalog ?? {},
    findings: config.findings ?? {},
    from,
    ...(config.console === undefined ? {} : { console: consoleOf(config.console, from) }),
    ...(config.shared === undefined ? {} : { shared: config.shared }),
    ...(config.retention === undefined ? {} : { retention: config.retention }),
    ...(config.summary === undefined ? {} : { summary: config.summary }),
    ...(config.traces === undefined ? {} : { traces: config.traces }),
    ...(config.monitoring === undefined ? {} : { monitoring: addressOf(config.monitoring.address) }),
  }
}

export function jwtOf({ jwt = [] }: Pick<Config, 'jwt'>, from: (path: string) => string): readonly JwtIssuer[] {
  return jwt.map((issuer) => ('file' in issuer.jwks ? { ...issuer, jwks: { file: from(issuer.jwks.file) } } : issuer))
}

export function signerOf({ keyVault }: NonNullable<Config['signer']>): VaultSignerPlace {
  const { vault, key, version } = keyVault
  return { url: vault, key, identity: azureIdentityOf(keyVault), ...(version === undefined ? {} : { version }) }
}

function consoleOf({ address, tls, url, roles, signIn = {} }: Console, from: (path: string) => string): ConsoleSettings {
  const { oidc, saml } = signIn
  return {
    ...addressOf(address),
    roles,
    signIn: {
      ...(oidc === undefined ? {} : { oidc }),
      ...(saml === undefined ? {} : { saml: { ...saml, certificates: saml.certificates.map(from) } }),
    },
    ...(tls === undefined ? {} : { tls: filesOf(tls, from) }),
    ...(url === undefined ? {} : { url }),
  }
}

function listenerOf(config: Config, protocol: ProtocolName, from: (path: string) => string): ListenerSettings[] {
  if (protocol === 'ssh') return sshListenerOf(config, from)
  const listener = config.listeners[protocol]
  if (listener === undefined) return []
  const { host, port } = addressOf(listener.address)
  const { mode = 'required', ...tls } = listener.tls ?? {}
  const own = protocol === 'egress' ? { egress: egressOf(config, from), ...authorityOf(config, from) } : {}
  return [{ protocol, host, port, tls: { required: mode === 'required', ...filesOf(tls, from) }, ...own }]
}

function filesOf({ cert, key, ...terms }: NonNullable<Console['tls']>, from: (path: string) => string): ListenerFiles {
  return { ...terms, ...(cert === undefined || key === undefined ? {} : { certFile: from(cert), keyFile: from(key) }) }
}

const EGRESS_PORTS = [443, 80]

function authorityOf({ listeners }: Config, from: (path: string) => string): Pick<ListenerSettings, 'authority'> {
  const { cert, key } = listeners.egress?.authority ?? {}
  return cert === undefined || key === undefined ? {} : { authority: { certFile: from(cert), keyFile: from(key) } }
}

function egressOf(
  { targets, listeners, console: web, monitoring }: Config,
  from: (path: string) => string,
): ReadonlyMap<string, EgressSettings> {
  const own = [...Object.values(listeners), web, monitoring].flatMap((each) => (each === undefined ? [] : [each.address]))
  const ownPorts = own.map((address) => addressOf(address).port)
  return new Map(
    targets.flatMap(({ name, egress }) => {
      if (egress === undefined) return []
      const { allow, ports = EGRESS_PORTS, networks = [], intercept } = egress
      const settings = { allow, ports, networks, ownPorts }
      if (intercept === undefined) return [[name, settings]]
      const { hosts, except = [], trust } = intercept
      const trusted = trust === undefined ? {} : { trustFile: from(trust) }
      return [[name, { ...settings, intercept: { hosts, except, ...trusted } }]]
    }),
  )
}

function sshListenerOf({ listeners, console: web }: Config, from: (path: string) => string): ListenerSettings[] {
  if (listeners.ssh === undefined) return []
  const { address, hostKeys, userAuthorities = [], deviceLogin } = listeners.ssh
  const files = hostKeys === undefined ? {} : { hostKeyFiles: hostKeys.map(from) }
  const oidc = web?.signIn?.oidc
  const device = deviceLogin === true && oidc !== undefined ? { device: loginWayOf(oidc) } : {}
  return [{ protocol: 'ssh', ...addressOf(address), tls: { required: false }, ssh: { ...files, userAuthorities, ...device } }]
}

/** `host:port`, `[v6]:port`, `*:port` in parts; `*` listens on every address of both families. */
export function addressOf(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host: host === '*' ? '::' : host, port: Number(address.slice(colon + 1)) }
}

function targetOf(configured: Config['targets'][number], from: (path: string) => string): TargetSettings {
  const {
    name,
    protocol,
    // Of egress, whose clients say where they go.
    host = '*',
    port = 0,
    database,
    labels = {},
    groups,
    credential = {},
    tls,
    hostKeys,
    hostAuthorities,
    hostName,
    path,
    durability = 'process',
    hosts = [],
    access,
  } = configured
  return {
    target: { name, protocol, host, port, labels, ...(database === undefined ? {} : { database }) },
    hosts,
    groups,
    ...(access === undefined ? {} : { access: accessOf(access) }),
    durability,
    credential: {
      ...credential,
      tls: tls ?? { mode: 'verify' },
      from,
      ...(hostKeys === undefined ? {} : { hostKeys }),
      ...(hostAuthorities === undefined ? {} : { hostAuthorities }),
      ...(hostName === undefined ? {} : { hostName }),
      ...(path === undefined ? {} : { path }),
    },
  }
}

/** A working day, if nothing is said. */
const DEFAULT_ACCESS_MAX = '8h'

function accessOf({ groups, approvers, max = DEFAULT_ACCESS_MAX }: AccessConfig): AccessSettings {
  return { groups, approvers: { groups: approvers.groups, count: approvers.count ?? 1 }, maxMs: durationMs(max) }
}

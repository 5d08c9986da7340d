declare const sessionId: unique symbol
/** `<UTC start>-<gateway>-<number>`, e.g. `20261120T105150Z-gw1-00000042`: sorts by time, embeds the gateway's gapless number. */
export type SessionId = string & { readonly [sessionId]: true }

export const PROTOCOL_NAMES = ['echo', 'egress', 'http', 'kubernetes', 'postgres', 'ssh'] as const
export type ProtocolName = (typeof PROTOCOL_NAMES)[number]

/** What a proof opens, where that is less than its subject may. */
export interface Scope {
  /** Names of targets; any where it is left out. */
  readonly targets?: readonly string[]
  /** What may be asked for: `SELECT`, `GET`, `EXEC` ...; anything where it is left out. Policy may forbid more, never less. */
  readonly verbs?: readonly string[]
}

export const IDENTITY_KINDS = ['human', 'agent', 'service'] as const

/** Who knocks, as proved. */
export interface Identity {
  readonly subject: string
  readonly kind: (typeof IDENTITY_KINDS)[number]
  readonly groups: readonly string[]
  /** The human behind an agent, where the proof names one: never allowed to approve what the agent asks. */
  readonly principal?: string
  /** How it was proved: `key:<id>`, `jwt:<issuer>`, `oidc:<issuer>`, `saml:<issuer>`, `ssh:<fingerprint>` or `ssh-cert:<fingerprint of its CA>`. */
  readonly proof: string
  /** What the proof says beside who: `run`, `purpose`, and the claims that are to be kept. Proved as the subject is. */
  readonly about?: Readonly<Record<string, string>>
  readonly scope?: Scope
}

/** A configured upstream, without its credential. */
export interface Target {
  readonly name: string
  readonly protocol: ProtocolName
  readonly host: string
  readonly port: number
  readonly database?: string
  readonly labels: Readonly<Record<string, string>>
}

/** The weakest first: of several that apply the last counts. */
export const DURABILITY_LEVELS = ['process', 'disk', 'blob'] as const
/**
 * When an entry may be released: `process` written to the spool (survives SIGKILL), `disk` also fdatasync'ed (survives power loss),
 * `blob` acknowledged by the store (survives the loss of the machine).
 */
export type Durability = (typeof DURABILITY_LEVELS)[number]

/** Of several levels the one that survives most. */
export function strongest(first: Durability, ...others: readonly Durability[]): Durability {
  return others.reduce((a, b) => (DURABILITY_LEVELS.indexOf(b) > DURABILITY_LEVELS.indexOf(a) ? b : a), first)
}

/** What the tape's header says of its session. */
export interface SessionInfo {
  readonly id: SessionId
  readonly gateway: string
  readonly number: number
  readonly identity: Identity
  readonly target: Target
  /** Where the client came from, `address:port`. */
  readonly client: string
  /** Full SHA-256 (hex) of the policy in force at the start. */
  readonly policy: string
  readonly durability: Durability
  /** What the client said of itself: application_name, user asked for, protocol version. Unproved. */
  readonly claims: Readonly<Record<string, string>>
  /** ISO 8601, UTC. */
  readonly startedAt: string
}

/**
 * By what names of one person are compared, wherever they are: at the four-eyes rule, for who is kept out, for budgets and limits.
 * Directories treat `Ana@example.org` and `ana@example.org` as one, and some have `ß`, `ς` or `ı` as the capitals `SS`, `Σ` and `I`: there and
 * back again, as in Unicode's full case folding (3.13.3, D145).
 */
export function samePerson(subject: string): string {
  if (ASCII.test(subject)) return subject.trim().toLowerCase()
  return subject.normalize('NFKC').trim().toLowerCase().toUpperCase().toLowerCase().normalize('NFKC')
}

const ASCII = /^[ -~]*$/

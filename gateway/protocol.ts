import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import type { ErrorCode } from '../schemas/errors.ts'
import type { Entry, Masked } from '../schemas/frame.ts'
import type { Identity, ProtocolName, SessionId, SessionInfo, Target } from '../schemas/session.ts'
import type { Refusal } from '../schemas/verdict.ts'
import type { Credential } from './credentials/credential.ts'
import type { Gate } from './gate.ts'
import type { SshKey } from './identity/ssh-keys.ts'
import type { Wire } from './message.ts'
import type { ColumnLabels } from './policy/policy.ts'

/** A protocol the gateway speaks: one folder under protocols/, one of these from its index.ts. */
export interface Protocol {
  readonly name: ProtocolName
  /** Serves one accepted connection to its end. Resolves when both ends are closed; rejects only on our own bugs. */
  serve(client: Duplex, sessions: Sessions, signal: AbortSignal): Promise<void>
}

/** What a client shows at the door. Its secret is compared and forgotten: it never goes upstream, to the tape or to a log. */
export interface Knock {
  readonly protocol: ProtocolName
  /** `address:port` */
  readonly client: string
  readonly secret: string
  /** In place of a secret: a key whose possession was proved to the protocol. */
  readonly sshKey?: SshKey
  /** The target's name, and the part behind the slash where the client chose one (a database). */
  readonly target: string
  readonly database?: string
  readonly claims: Readonly<Record<string, string>>
}

export interface Sessions {
  /** Proves who knocks, finds the target, opens the tape (durable when it resolves). Rejects AUTH_*, TARGET_*, LIMIT_REACHED or RECORDER_FAILED. */
  open(knock: Knock, signal: AbortSignal): Promise<Session>
  /**
   * For protocols in which a request is what proves itself: the session that `run` of this identity has with the target, opened where there
   * is none. Every call proves anew, and rejects as `open` does. `make` is called once for each session.
   */
  join<T>(knock: Knock, run: string, make: (session: Session) => T, signal: AbortSignal): Promise<Joined<T>>
  /** Whether this key would prove somebody, were its possession proved. */
  knows(key: SshKey): boolean
  /** Until it is disposed a person is waited for, and the connection need not prove itself meanwhile. Whoever calls it bounds how many there are. */
  awaiting(): Disposable
  /** Tells the operator of a request that belongs to no session, and so to no tape. `why` is told as it is: nothing of the client's. */
  refused(code: ErrorCode, why: string): void
  /** `address:port` of who is at the door. */
  readonly client: string
  /** The TLS identity of the listeners. */
  readonly tls: { readonly context: SecureContext; readonly required: boolean }
  /** Delivers a cancel to whichever process holds the session that `key` names. Resolves when delivered or found unknown. */
  cancel(key: Uint8Array): Promise<void>
  /** Makes a session cancellable: the key names this process, so that `cancel` finds it from any other. */
  cancellable(size: number, onCancel: () => void): { readonly key: Uint8Array } & Disposable
}

/** A place in a session that several requests share. Disposing leaves it; the session ends some time after the last has left. */
export interface Joined<T> extends Disposable {
  readonly session: Session
  readonly state: T
}

/** One recorded visit. Disposing it seals the tape. */
export interface Session extends AsyncDisposable {
  readonly id: SessionId
  readonly info: SessionInfo
  readonly identity: Identity
  readonly target: Target
  /** Aborted, with a Refusal as its reason, when an operator ends the session, a limit is met or the recorder fails. */
  readonly signal: AbortSignal
  /** The gate of this session, with the protocol's wire to speak through. Call once. */
  gate(wire: Wire): Gate
  /** The gateway's own credential for the target. */
  credential(): Promise<Credential>
  /** Which columns carry labelled data, as the policy in force says for this identity. */
  readonly labels: ColumnLabels
  /** Tells the operator that what is known of the target cannot be renewed; nothing of the error's text is kept. */
  catalogFailed(error: unknown, facts: { readonly failures: number; readonly ageMs: number }): void
  /** Records something about the session that is sent to nobody. */
  note(kind: string, facts: Masked<Entry>['facts']): Promise<void>
  /** Ends the session from outside: its signal aborts with this refusal. The first reason stays. */
  end(refusal: Refusal): void
  /** Why the session is over, for the seal; the first word stays. */
  closing(reason: string): void
}

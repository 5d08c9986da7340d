import { randomBytes } from 'node:crypto'
import { Rate } from '../recorder/api/rate.ts'
import type { Approvals } from '../recorder/desk/approvals.ts'
import type { Desk } from '../recorder/desk/desk.ts'
import type { RecorderRoom } from '../recorder/index.ts'
import type { Seal } from '../recorder/recorder.ts'
import type { Approval } from '../schemas/approval.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Entry } from '../schemas/frame.ts'
import { type Identity, type ProtocolName, type SessionInfo, samePerson, type Target } from '../schemas/session.ts'
import type { Refusal } from '../schemas/verdict.ts'
import { accessOf, askFirst, mayAsk, untilOf } from './access.ts'
import type { AccessWatch } from './access-watch.ts'
import { durabilityOf, type Settings, type TargetSettings } from './config.ts'
import type { Credential } from './credentials/credential.ts'
import { mayRepeat, repeatable } from './credentials/repeatable.ts'
import { readCredential } from './credentials/upstream.ts'
import type { Doorkeeper } from './identity/doorkeeper.ts'
import type { ProofWatch } from './identity/proof-watch.ts'
import type { Log } from './log.ts'
import { Masker } from './masking/masker.ts'
import type { Traces } from './monitoring/traces.ts'
import type { Budgets } from './policy/budgets.ts'
import type { Outside, Policy } from './policy/policy.ts'
import type { Joined, Knock, Session, Sessions } from './protocol.ts'
import type { Cancels } from './sessions-cancel.ts'
import { SharedSessions } from './sessions-shared.ts'
import { Visit } from './sessions-visit.ts'

const TAG_KEY_BYTES = 32
/** Idle sessions are looked for this often at most; each look is a subtraction per session. */
const MAX_SWEEP_MS = 60_000

export interface SessionsParts {
  readonly settings: Settings
  /** The policy in force. */
  readonly policies: { readonly current: Policy }
  readonly doorkeeper: Doorkeeper
  readonly room: Pick<RecorderRoom, 'open'>
  readonly approvals: Approvals
  /** Where access for a while is looked up, and what ends sessions with it. */
  readonly desk: Pick<Desk, 'list'>
  readonly access: AccessWatch
  /** What ends sessions with the proof they live by. */
  readonly proofs: ProofWatch
  readonly keys: { readonly binding: Uint8Array; readonly fingerprint: Uint8Array }
  readonly cancels: Cancels
  readonly budgets: Budgets
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  /** What is on its way to the tapes, for whoever counts; `nowMs` by `performance.now`. */
  readonly onRecorded?: (protocol: ProtocolName, entries: readonly Entry[], nowMs: number) => void
  readonly traces?: Traces | undefined
}

/** What a listener knows of one connection that its protocol does not. */
export interface Door {
  readonly tls: Sessions['tls']
  /** `address:port`; what the protocol says of it in a Knock is not relied on. */
  readonly client: string
  /** Called once it is proved who knocks. */
  readonly onProved: () => void
  /** Called while a person is waited for, until that is disposed. */
  readonly awaiting: () => Disposable
  readonly refused: Sessions['refused']
}

/** All sessions of this process. */
export class GatewaySessions {
  readonly #parts: SessionsParts
  readonly #open = new Set<Visit>()
  readonly #bySubject = new Map<string, number>()
  readonly #sweep: NodeJS.Timeout
  readonly #shared = new SharedSessions()
  /** Beginnings, by subject. */
  readonly #starts: Rate
  #reserved = 0
  #emptied: PromiseWithResolvers<void> | undefined
  #closed: Refusal | undefined

  constructor(parts: SessionsParts) {
    this.#parts = parts
    const { idleTimeoutMs, sessionStartsPerIdentity } = parts.settings.limits
    this.#starts = new Rate({ perSecond: sessionStartsPerIdentity / 60, burst: sessionStartsPerIdentity })
    this.#sweep = setInterval(() => this.#endIdle(idleTimeoutMs), Math.min(MAX_SWEEP_MS, idleTimeoutMs / 4)).unref()
  }

  get #outside(): Outside {
    return { now: Date.now, budgets: this.#parts.budgets }
  }

  get size(): number {
    return this.#open.size
  }

  /** Open sessions by protocol. */
  count(): ReadonlyMap<ProtocolName, number> {
    const counts = new Map<ProtocolName, number>()
    for (const { target } of this.#open) counts.set(target.protocol, (counts.get(target.protocol) ?? 0) + 1)
    return counts
  }

  /** Messages of all of them that wait for a person. */
  holding(): number {
    let count = 0
    for (const { holding } of this.#open) count += holding
    return count
  }

  /** The sessions as one connection sees them. */
  at(door: Door): Sessions {
    return {
      tls: door.tls,
      client: door.client,
      awaiting: door.awaiting,
      refused: door.refused,
      open: (knock, signal) => this.#enter({ ...knock, client: door.client }, signal, door.onProved),
      join: (knock, run, make, signal) => this.#join({ ...knock, client: door.client }, run, make, signal, door.onProved),
      knows: (key) => this.#parts.doorkeeper.knows(key),
      cancel: (key) => this.#parts.cancels.cancel(key, door.client),
      cancellable: (size, onCancel) => this.#parts.cancels.cancellable(size, onCancel),
    }
  }

  /** Ends every session, and refuses new ones, with this refusal. */
  endAll(refusal: Refusal): void {
    this.#closed = refusal
    clearInterval(this.#sweep)
    for (const visit of this.#open) visit.end(refusal)
  }

  /** Resolves when no session is open. */
  emptied(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    this.#emptied ??= Promise.withResolvers()
    return this.#emptied.promise
  }

  /** Resolves when the shared sessions that are ending have been sealed. */
  drained(): Promise<void> {
    return this.#shared.drained()
  }

  /** Every open session goes on under this policy; what is masked in it, and how, stays as it began. */
  adopt(policy: Policy): void {
    for (const visit of this.#open) this.#adopt(visit, policy)
  }

  #adopt(visit: Visit, policy: Policy): void {
    visit.adopt(policy.hash, (before) => policy.judge(visit.identity, visit.target, this.#outside, before))
  }

  /** Ends one session with this refusal; false where it is not open here. */
  end(id: string, refusal: Refusal): boolean {
    for (const visit of this.#open) {
      if (visit.id !== id) continue
      visit.end(refusal)
      return true
    }
    return false
  }

  async #enter(knock: Knock, signal: AbortSignal, onProved: () => void): Promise<Session> {
    const identity = await this.#prove(knock, signal)
    // Before the tape is begun: while the store is waited for, this is no stranger who says nothing.
    onProved()
    return this.#begin(knock, identity, signal)
  }

  async #join<T>(
    knock: Knock,
    run: string,
    make: (session: Session) => T,
    signal: AbortSignal,
    onProved: () => void,
  ): Promise<Joined<T>> {
    const identity = await this.#prove(knock, signal)
    // Whoever may no longer reach a target does not by joining either.
    const { found, grant } = await this.#find(knock, identity)
    onProved()
    const key = JSON.stringify([identity, found.target.name, knock.database, run, grant?.id])
    // Several wait for the first one's session: that it has left must not end theirs.
    return this.#shared.join(key, () => this.#begin(knock, identity, new AbortController().signal), make)
  }

  async #prove(knock: Knock, signal: AbortSignal): Promise<Identity> {
    if (this.#closed !== undefined) throw new ApplianceError('LIMIT_REACHED', this.#closed.message)
    const identity = await this.#parts.doorkeeper.prove(knock, signal)
    if (signal.aborted) throw gone()
    return identity
  }

  async #begin(knock: Knock, identity: Identity, signal: AbortSignal): Promise<Visit> {
    const { found, grant } = await this.#find(knock, identity)
    using reservation = await this.#place(identity.subject)
    const visit = await this.#record(knock, identity, { found, grant }, reservation)
    // On the tape: by whose leave it is here.
    if (grant !== undefined) await visit.note('access', { approval: grant.id, until: new Date(untilOf(grant)).toISOString() })
    if (signal.aborted) {
      visit.closing('the client left before the session began')
      await visit[Symbol.asyncDispose]()
      throw gone()
    }
    if (this.#closed !== undefined) visit.end(this.#closed)
    return visit
  }

  /**
   * One answer for targets that do not exist and targets this identity may not reach: names are nobody's to probe. Who may ask for
   * access gets in with it, and is told how to ask without.
   */
  async #find(knock: Knock, identity: Identity): Promise<Found> {
    const { targets } = this.#parts.settings
    const found = targets.get(knock.target) ?? [...targets.values()].find(({ hosts }) => hosts.includes(knock.target))
    const inScope = identity.scope?.targets?.includes(found?.target.name ?? '') ?? true
    if (found?.target.protocol === knock.protocol && inScope) {
      if (found.groups.some((group) => identity.groups.includes(group))) return { found, grant: undefined }
      if (mayAsk(found, identity)) {
        const grant = await accessOf(this.#parts.desk, identity.subject, found.target.name)
        if (grant !== undefined) return { found, grant }
        throw askFirst(found.target.name, identity)
      }
    }
    this.#parts.log.targetDenied({ subject: identity.subject, client: knock.client, known: found !== undefined })
    throw new ApplianceError(
      'TARGET_UNKNOWN',
      `there is no target ${JSON.stringify(knock.target.slice(0, 64))} that ${identity.subject} may reach here`,
    )
  }

  /** Where a limit is met, shared sessions that nobody is in give way one by one: they are kept for convenience alone. */
  async #place(subject: string): Promise<Reservation> {
    const { limits } = this.#parts.settings
    const person = samePerson(subject)
    for (;;) {
      const ownFull = (this.#bySubject.get(person) ?? 0) >= limits.sessionsPerIdentity
      const way =
        ownFull || this.#reserved >= limits.sessions
          ? this.#shared.giveWay(({ identity }) => !ownFull || samePerson(identity.subject) === person)
          : undefined
      if (way === undefined) return this.#reserve(subject, limits)
      await way
    }
  }

  #reserve(subject: string, limits: Settings['limits']): Reservation {
    const person = samePerson(subject)
    const own = this.#bySubject.get(person) ?? 0
    if (this.#reserved >= limits.sessions) {
      throw new ApplianceError(
        'LIMIT_REACHED',
        `this gateway has its ${limits.sessions} sessions open; try again when one has ended`,
      )
    }
    if (own >= limits.sessionsPerIdentity) {
      throw new ApplianceError(
        'LIMIT_REACHED',
        `${subject} has ${limits.sessionsPerIdentity} sessions open, the most for one identity; close one first`,
      )
    }
    const retryS = this.#starts.take(person)
    if (retryS > 0) {
      throw new ApplianceError(
        'LIMIT_REACHED',
        `${subject} has begun ${limits.sessionStartsPerIdentity} sessions within a minute, the most for one identity; try again in ${retryS} s`,
      )
    }
    this.#reserved += 1
    this.#bySubject.set(person, own + 1)
    return new Reservation(() => {
      this.#reserved -= 1
      const left = (this.#bySubject.get(person) ?? 1) - 1
      if (left > 0) this.#bySubject.set(person, left)
      else this.#bySubject.delete(person)
    })
  }

  async #record(knock: Knock, identity: Identity, { found, grant }: Found, reservation: Reservation): Promise<Visit> {
    const { settings, policies, room, approvals, keys, log, env, onRecorded, traces } = this.#parts
    const policy = policies.current
    const credential = (): Promise<Credential> =>
      readCredential(found.credential, env).catch((error: unknown) => {
        log.credentialFailed(found.target.name, error)
        throw error
      })
    // What cannot be looked for must not be sent: where it cannot be read now, nobody gets in.
    const repeated = mayRepeat(found.target.protocol, found.credential) ? repeatable(await credential()) : []
    const masker = new Masker({
      rules: policy.masking(identity, repeated),
      tagKey: randomBytes(TAG_KEY_BYTES),
      fingerprintKey: keys.fingerprint,
      protocol: found.target.protocol,
    })
    const target: Target = knock.database === undefined ? found.target : { ...found.target, database: knock.database }
    // Whatever can fail does so before there is a tape to seal.
    const judge = policy.judge(identity, target, this.#outside)
    const labels = policy.columns(identity)
    const opening = room.open({
      identity,
      // What the client chose is its text, so it is cleaned like everything else that is recorded.
      target: target.database === undefined ? target : { ...target, database: masker.text(target.database) },
      client: knock.client,
      policy: policy.hash,
      durability: durabilityOf(settings, found, identity.kind),
      claims: Object.fromEntries(Object.entries(knock.claims).map(([name, value]) => [masker.text(name), masker.text(value)])),
    })
    const { info, recorder } = await opening.catch((error: unknown) => {
      log.notOpened({ subject: identity.subject, target: target.name, client: knock.client }, error)
      throw error
    })
    const release = reservation.keep()
    const trace = traces?.session(info)
    const visit: Visit = new Visit({
      info,
      target,
      recorder,
      judge,
      masker,
      labels,
      approvals,
      bindingKey: keys.binding,
      approvalTtlMs: settings.limits.approvalTtlMs,
      trace,
      credential,
      onRecorded: (entries, nowMs) => onRecorded?.(target.protocol, entries, nowMs),
      onRecordingFailed: (error) => log.recordingFailed(info.id, error),
      onCatalogFailed: (error, facts) => log.catalogFailed(target.name, error, facts),
      onClosed: (seal) => {
        this.#open.delete(visit)
        if (this.#open.size === 0) this.#emptied?.resolve()
        unwatch?.()
        forget()
        release()
        trace?.end(seal === undefined)
        if (seal !== undefined) this.#sealed(info, seal)
      },
    })
    this.#open.add(visit)
    // Another came into force while the tape was opened.
    if (policies.current !== policy) this.#adopt(visit, policies.current)
    const forget = this.#parts.proofs.add({ identity, end: (refusal) => visit.end(refusal) })
    const unwatch = grant && this.#parts.access.add({ target: target.name, end: (refusal) => visit.end(refusal) }, grant)
    log.opened({ session: info.id, subject: identity.subject, target: target.name, client: knock.client, proof: identity.proof })
    return visit
  }

  #sealed({ id, startedAt }: SessionInfo, seal: Seal): void {
    const seconds = Math.round((Date.now() - Date.parse(startedAt)) / 1000)
    this.#parts.log.sealed({ session: id, frames: seal.frameCount, seconds })
  }

  #endIdle(idleTimeoutMs: number): void {
    for (const visit of this.#open) {
      if (visit.idleMs >= idleTimeoutMs) {
        visit.end({
          why: 'expired',
          message: `nothing was sent for ${Math.round(idleTimeoutMs / 1000)} s, the most a session may idle`,
          rules: [],
        })
      }
    }
  }
}

/** A target, and the access by which it is reached where groups do not give it. */
interface Found {
  readonly found: TargetSettings
  readonly grant: Approval | undefined
}

/** A place among the sessions: given back on dispose, unless kept for as long as the session lives. */
class Reservation implements Disposable {
  #release: (() => void) | undefined

  constructor(release: () => void) {
    this.#release = release
  }

  /** Hands over what gives the place back. */
  keep(): () => void {
    const release = this.#release
    if (release === undefined) throw new Error('a reservation is kept once')
    this.#release = undefined
    return release
  }

  [Symbol.dispose](): void {
    this.#release?.()
  }
}

function gone(): ApplianceError {
  return new ApplianceError('PROTOCOL_TIMEOUT', 'the connection was given up before the session began')
}

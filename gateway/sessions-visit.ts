import type { Approvals } from '../recorder/desk/approvals.ts'
import { RECORDED, type Recorder, type Seal } from '../recorder/recorder.ts'
import type { Entry, Facts, Masked } from '../schemas/frame.ts'
import type { Identity, SessionId, SessionInfo, Target } from '../schemas/session.ts'
import type { Refusal } from '../schemas/verdict.ts'
import type { Credential } from './credentials/credential.ts'
import { Gate } from './gate.ts'
import { changedAround } from './masking/known-words.ts'
import type { Masker } from './masking/masker.ts'
import type { Wire } from './message.ts'
import type { SessionTrace } from './monitoring/traces.ts'
import type { Judge } from './policy/judge.ts'
import type { ColumnLabels } from './policy/policy.ts'
import type { Session } from './protocol.ts'

/** As much of a policy hash as a verdict on the tape carries. */
const POLICY_HASH_CHARS = 12

export interface VisitParts {
  readonly info: SessionInfo
  /** Where the gateway connects to: as in `info`, but never masked. */
  readonly target: Target
  readonly recorder: Recorder
  /** Under the policy at the session's start. */
  readonly judge: Judge
  readonly masker: Masker
  readonly labels: ColumnLabels
  readonly approvals: Approvals
  readonly bindingKey: Uint8Array
  readonly approvalTtlMs: number
  readonly credential: () => Promise<Credential>
  readonly trace?: SessionTrace | undefined
  /** What is on its way to the tape, for whoever counts; `nowMs` by `performance.now`. */
  readonly onRecorded?: (entries: readonly Entry[], nowMs: number) => void
  readonly onRecordingFailed: (error: unknown) => void
  readonly onCatalogFailed: Session['catalogFailed']
  /** Called once the tape is sealed, or could not be. */
  readonly onClosed: (seal: Seal | undefined) => void
}

/** One recorded visit of one identity to one target. */
export class Visit implements Session, Recorder {
  readonly #parts: VisitParts
  readonly #ended = new AbortController()
  #activeMs = performance.now()
  #reason: string | undefined
  #gate: Gate | undefined
  #sealed: Promise<Seal> | undefined
  #toldFailed = false
  #judge: Judge
  #policy: string

  constructor(parts: VisitParts) {
    this.#parts = parts
    this.#judge = parts.judge
    this.#policy = parts.info.policy
  }

  /** From here on the session is judged under another policy; `make` is given its judge until now. On the tape. */
  adopt(policy: string, make: (before: Judge) => Judge): void {
    this.#judge = make(this.#judge)
    const previous = this.#policy
    this.#policy = policy
    this.note('policy.activate', { policy, previous }).catch(() => this.closing('recording failed'))
  }

  get id(): SessionId {
    return this.#parts.info.id
  }

  get info(): SessionInfo {
    return this.#parts.info
  }

  get identity(): Identity {
    return this.#parts.info.identity
  }

  get target(): Target {
    return this.#parts.target
  }

  get labels(): ColumnLabels {
    return this.#parts.labels
  }

  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Since the last message of either direction was recorded. */
  get idleMs(): number {
    return performance.now() - this.#activeMs
  }

  /** Messages that wait for a person. */
  get holding(): number {
    return this.#gate?.holding ?? 0
  }

  catalogFailed(...failure: Parameters<Session['catalogFailed']>): void {
    this.#parts.onCatalogFailed(...failure)
  }

  gate(wire: Wire): Gate {
    if (this.#gate !== undefined) throw new Error('a session has one gate')
    const { info, masker, approvals, bindingKey, approvalTtlMs, trace } = this.#parts
    const { identity, target } = info
    const inForce = (): string => this.#policy.slice(0, POLICY_HASH_CHARS)
    this.#gate = new Gate(
      {
        judge: {
          judge: (message) => this.#judge.judge(message),
          waits: (message) => this.#judge.waits?.(message),
          review: (message) => this.#judge.review(message),
          seen: (message, masks) => this.#judge.seen?.(message, masks),
        },
        masker,
        approvals,
        recorder: this,
        get policy() {
          return inForce()
        },
        asker: {
          about: 'message',
          session: info.id,
          requester: identity.subject,
          requesterKind: identity.kind,
          target: target.name,
          protocol: target.protocol,
          ...(identity.principal === undefined ? {} : { principal: identity.principal }),
        },
        bindingKey,
        approvalTtlMs,
        trace,
        // Told once, by the dispose that always follows.
        onUnsealed: () => undefined,
      },
      wire,
    )
    return this.#gate
  }

  credential(): Promise<Credential> {
    return this.#parts.credential()
  }

  async note(kind: string, facts: Facts): Promise<void> {
    await this.append([this.#parts.masker.note(kind, facts, null)])
  }

  end(refusal: Refusal): void {
    if (this.#ended.signal.aborted) return
    this.#parts.masker.evidence = refusal.evidence
    this.closing(`${refusal.why}: ${refusal.message}`)
    this.#ended.abort(refusal)
  }

  closing(reason: string): void {
    this.#reason ??= reason
  }

  /** The recorder as the gate sees it: watched, because a session whose recording fails must not go on (P4). */
  append(entries: readonly Masked<Entry>[], options?: { readonly durable?: boolean }): Promise<void> {
    const nowMs = performance.now()
    this.#activeMs = nowMs
    this.#parts.onRecorded?.(entries, nowMs)
    const recorded = this.#parts.recorder.append(entries, options, nowMs)
    // Heard here before whoever waits for it hears it.
    if (recorded !== RECORDED) recorded.catch(this.#failed)
    return recorded
  }

  readonly #failed = (error: unknown): void => {
    this.#tellFailed(error)
    this.end({ why: 'failed', message: 'the session can no longer be recorded, so it ends here', rules: [] })
  }

  /** Once: what fails one append fails those of the other direction, and the seal. */
  #tellFailed(error: unknown): void {
    if (!this.#toldFailed) this.#parts.onRecordingFailed(error)
    this.#toldFailed = true
  }

  seal(reason: string, last?: readonly Masked<Entry>[]): Promise<Seal> {
    this.#sealed ??= this.#parts.recorder.seal(reason, last)
    return this.#sealed
  }

  /** Seals the tape. Never rejects: a tape that cannot be sealed is told to the log and sealed as recovered at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Whatever still runs for this session must not outlive it.
    this.closing('closed')
    this.end({ why: 'failed', message: 'the session is over', rules: [] })
    // Why it ended may quote what the target said.
    const { masker } = this.#parts
    const reason = changedAround(this.#reason ?? 'closed', masker.evidence, (text) => masker.text(text))
    try {
      this.#parts.onClosed(await this.seal(reason))
    } catch (error) {
      this.#tellFailed(error)
      this.#parts.onClosed(undefined)
    }
  }
}

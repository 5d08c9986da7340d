import { Gate, type GateParts } from '../../gateway/gate.ts'
import { Masker } from '../../gateway/masking/masker.ts'
import { DEFAULT_RULES } from '../../gateway/masking/rules.ts'
import type { Message, Wire } from '../../gateway/message.ts'
import type { Judge } from '../../gateway/policy/judge.ts'
import type { ApprovalAsk, Approvals, Outcome } from '../../recorder/desk/approvals.ts'
import type { Recorder, Seal } from '../../recorder/recorder.ts'
import type { Approval } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Entry, Masked } from '../../schemas/frame.ts'
import type { Verdict } from '../../schemas/verdict.ts'

export const ALLOW: Verdict = { act: 'allow', rules: [] }
export const BLOCK: Extract<Verdict, { act: 'block' }> = { act: 'block', rules: ['no'], reason: 'not here', hint: 'elsewhere' }
export const HOLD: Extract<Verdict, { act: 'hold' }> = {
  act: 'hold',
  rules: ['ask'],
  reason: 'a person decides',
  timeoutMs: 60_000,
  approvers: { groups: ['dba'], count: 1 },
}

/** Keeps what it is given. Appends can be made to wait, and to fail for good. */
export class FakeRecorder implements Recorder {
  readonly entries: Masked<Entry>[] = []
  /** One per append: whether it asked for the disk. */
  readonly durable: boolean[] = []
  readonly last: Masked<Entry>[] = []
  sealed: string | undefined
  #broken = false
  #waiting: (() => void)[] | undefined

  async append(entries: readonly Masked<Entry>[], options: { readonly durable?: boolean } = {}): Promise<void> {
    if (this.#waiting !== undefined) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      await promise
    }
    if (this.#broken) throw new ApplianceError('RECORDER_FAILED', 'the disk is full')
    this.entries.push(...entries)
    this.durable.push(options.durable === true)
  }

  async seal(reason: string, last: readonly Masked<Entry>[] = []): Promise<Seal> {
    this.sealed ??= reason
    this.last.push(...last)
    return { reason, frameCount: this.entries.length + this.last.length, chunkCount: 0, root: '' }
  }

  /** From now on appends wait for `resume`. */
  pause(): void {
    this.#waiting ??= []
  }

  resume(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const wake of waiting) wake()
  }

  break(): void {
    this.#broken = true
  }
}

/** Approvals in memory, decided by the test. */
export class FakeApprovals implements Approvals {
  readonly asked: (ApprovalAsk & { readonly id: string })[] = []
  readonly withdrawn: string[] = []
  readonly consumed: string[] = []
  /** Ids approved and not yet used: what `granted` finds by binding. */
  readonly grants = new Map<string, string>()
  /** `consume` says no: somebody else was first. */
  spent = false
  /** The desk cannot be reached. */
  down = false
  readonly #outcomes = new Map<string, PromiseWithResolvers<Outcome>>()

  async request(ask: ApprovalAsk): Promise<Approval> {
    if (this.down) throw new ApplianceError('STORE_FAILED', 'no desk')
    const id = `A-0000000${this.asked.length}`
    this.asked.push({ ...ask, id })
    this.#outcomes.set(id, Promise.withResolvers())
    const at = new Date(0).toISOString()
    return { ...ask, id, createdAt: at, expiresAt: at, state: 'pending', decisions: [] }
  }

  outcome(id: string, signal: AbortSignal): Promise<Outcome> {
    const { promise } = this.#outcomes.get(id) ?? Promise.withResolvers<Outcome>()
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      promise.then(resolve, reject)
    })
  }

  async consume(id: string): Promise<boolean> {
    if (this.spent) return false
    this.consumed.push(id)
    return true
  }

  async granted(binding: string): Promise<Approval | undefined> {
    const id = this.grants.get(binding)
    const ask = this.asked.find((one) => one.id === id)
    if (id === undefined || ask === undefined) return undefined
    const at = new Date(0).toISOString()
    return { ...ask, id, createdAt: at, expiresAt: at, state: 'approved', decisions: [] }
  }

  async withdraw(id: string): Promise<void> {
    this.withdrawn.push(id)
  }

  decide(id: string, act: 'approved' | 'rejected', reason?: string): void {
    const decision = { act: act === 'approved' ? 'approve' : 'reject', by: 'ada', at: new Date(0).toISOString() } as const
    this.#outcomes.get(id)?.resolve({ act, decisions: [reason === undefined ? decision : { ...decision, reason }] })
  }
}

/** A judge that does what the test says; `review` says the same unless told otherwise. */
export function scriptedJudge(judge: (message: Message) => Verdict, review: (message: Message) => Verdict = judge): Judge {
  return { judge, review }
}

export function testMasker(): Masker {
  return new Masker({ rules: DEFAULT_RULES, tagKey: new Uint8Array(16).fill(1), fingerprintKey: new Uint8Array(16).fill(2) })
}

export interface FakeParts extends GateParts {
  readonly recorder: FakeRecorder
  readonly approvals: FakeApprovals
  readonly unsealed: unknown[]
}

export function fakeParts(parts: Partial<Omit<GateParts, 'recorder' | 'approvals'>> = {}): FakeParts {
  const unsealed: unknown[] = []
  return {
    judge: scriptedJudge(() => ALLOW),
    masker: testMasker(),
    policy: '0123456789ab',
    asker: { session: 's', requester: 'agent-7', requesterKind: 'agent', target: 'shop', protocol: 'postgres' },
    bindingKey: new Uint8Array(32).fill(3),
    onUnsealed: (error) => void unsealed.push(error),
    approvalTtlMs: 900_000,
    ...parts,
    recorder: new FakeRecorder(),
    approvals: new FakeApprovals(),
    unsealed,
  }
}

export function fakeGate(wire: Wire, parts: GateParts): Gate {
  return new Gate(parts, wire)
}

import { RECORDED, type Recorder } from '../recorder/recorder.ts'
import type { Entry, Facts, Masked } from '../schemas/frame.ts'
import type { Refusal, Verdict, VerdictNote } from '../schemas/verdict.ts'
import type { Masker } from './masking/masker.ts'
import type { Message, Output, Wire } from './message.ts'
import type { Judge } from './policy/judge.ts'

type HoldVerdict = Extract<Verdict, { act: 'hold' }>
type BlockVerdict = Extract<Verdict, { act: 'block' }>

export interface BatchParts {
  readonly masker: Masker
  readonly recorder: Recorder
  readonly judge: Pick<Judge, 'seen'>
  /** Short hash of the policy in force, for the tape. */
  readonly policy: string
}

/**
 * Keeps what is written in the order of the tape. Batches of several lanes may be recorded by one flush, and then reach
 * their writers in any order; whoever comes first writes what comes before its own as well.
 */
export class Order {
  #due: (readonly Output[])[] | undefined
  readonly #taken = new WeakSet<readonly Output[]>()

  /** From now on `take` is called for every batch. */
  start(): void {
    this.#due ??= []
  }

  /** Recorded; called in the order of the tape. */
  add(outputs: readonly Output[]): void {
    this.#due?.push(outputs)
  }

  /** What is to be written, at once, by whoever holds `outputs`: nothing where another has already done so. */
  take(outputs: readonly Output[]): readonly Output[] {
    if (this.#due?.length === 1 && this.#due[0] === outputs) {
      this.#due.pop()
      return outputs
    }
    if (this.#taken.has(outputs)) return []
    const index = this.#due?.indexOf(outputs) ?? -1
    const due = index <= 0 ? [outputs] : (this.#due?.slice(0, index + 1) ?? [])
    if (index >= 0) this.#due?.splice(0, index + 1)
    for (const batch of due) this.#taken.add(batch)
    return due.length === 1 ? outputs : due.flat()
  }
}

/** Entries on their way to one append, and the outputs that wait for it. */
export class Batch {
  readonly #parts: BatchParts
  readonly #wire: Wire
  readonly #entries: Masked<Entry>[] = []
  readonly #outputs: Output[] = []
  readonly #order: Order
  /** Is written before it is recorded: nobody writes it then. */
  given = false

  constructor(parts: BatchParts, wire: Wire, order: Order) {
    this.#parts = parts
    this.#wire = wire
    this.#order = order
  }

  get empty(): boolean {
    return this.#entries.length === 0
  }

  /** `again`: it was held, and has an entry that says so. */
  release(message: Message, verdict: Verdict, approval?: string, again = false): void {
    const redacted = message.redacted(this.#parts.masker)
    if (redacted.masks !== null && message.from === 'server') this.#parts.judge.seen?.(message, redacted.masks)
    // Client to target: the target gets the received bytes, only the recorded copy is redacted.
    const rewrite = message.from === 'server' && redacted.bytes !== message.bytes ? redacted.bytes : undefined
    const outputs = this.#wire.release(message, rewrite)
    const swallowed = !passes(outputs)
    if (swallowed && message.answersGateway === true) {
      this.#say(outputs, this.#parts.masker.note(message.kind, message.recorded?.() ?? message.facts(), null))
      return
    }
    const act = swallowed ? 'block' : redacted.masks !== null && message.from === 'server' ? 'mask' : verdict.act
    const rules = act === 'mask' ? [...verdict.rules, ...(redacted.masks?.labels.map(([, rule]) => rule) ?? [])] : verdict.rules
    const note = act === 'allow' && rules.length === 0 && approval === undefined ? null : this.#note(act, rules, approval)
    const entry = this.#parts.masker.entry(message, swallowed && message.from === 'server' ? null : redacted, note, again)
    this.#say(outputs, entry)
  }

  refuse(message: Message, verdict: BlockVerdict, refusal: Refusal, again = false): void {
    const { masker } = this.#parts
    const note = this.#note('block', verdict.rules, refusal.approval)
    // What the client asked for is evidence, and its entry is made before the wire moves on.
    const asked = message.from === 'client' ? masker.entry(message, message.redacted(masker), note, again) : undefined
    const outputs = this.#wire.refuse(message, refusal)
    // Behind a cut the client was told of, the target goes on until it hears of it: nothing passes, and nothing more is said.
    if (asked === undefined && outputs.length === 0) return
    this.#entries.push(asked ?? masker.entry(message, null, note))
    this.say(outputs)
  }

  hold(message: Message, verdict: HoldVerdict, approval: string): void {
    const body = message.from === 'client' ? message.redacted(this.#parts.masker) : null
    this.#entries.push(this.#parts.masker.entry(message, body, this.#note('hold', verdict.rules, approval)))
  }

  /** What the client sent and nobody gets: evidence, and released to no one. */
  withhold(message: Message): void {
    this.#entries.push(this.#parts.masker.entry(message, message.redacted(this.#parts.masker), this.#note('block', [])))
  }

  take(message: Message): void {
    this.#entries.push(this.#parts.masker.entry(message, message.redacted(this.#parts.masker), null))
  }

  note(kind: string, facts: Facts, verdict: VerdictNote | null, people: Facts = {}): void {
    this.#entries.push(this.#parts.masker.note(kind, facts, verdict, people))
  }

  say(outputs: readonly Output[]): void {
    this.#say(outputs, undefined)
  }

  /** One append for the batch; resolves with what may now be written. */
  async record(options?: { readonly durable?: boolean }): Promise<readonly Output[]> {
    await this.#parts.recorder.append(this.#entries, options)
    return this.#accepted()
  }

  /** As `record`, without a promise where the recorder has taken it already. */
  recordNow(): readonly Output[] | Promise<readonly Output[]> {
    const recorded = this.#parts.recorder.append(this.#entries)
    if (recorded !== RECORDED) return recorded.then(() => this.#accepted())
    return this.#accepted()
  }

  #accepted(): readonly Output[] {
    if (!this.given) this.#order.add(this.#outputs)
    return this.#outputs
  }

  /** Outputs in writing order; the message's own entry stands where its first bytes go out, or first where none do. */
  #say(outputs: readonly Output[], entry: Masked<Entry> | undefined): void {
    let pending = entry
    if (pending !== undefined && !passes(outputs)) {
      this.#entries.push(pending)
      pending = undefined
    }
    for (const output of outputs) {
      if (output.own !== undefined) {
        this.#entries.push(this.#parts.masker.own(output))
      } else if (pending !== undefined) {
        this.#entries.push(pending)
        pending = undefined
      }
      this.#outputs.push(output)
    }
  }

  #note(act: VerdictNote['act'], rules: readonly string[], approval?: string): VerdictNote {
    return { act, rules, policy: this.#parts.policy, ...(approval === undefined ? {} : { approval }) }
  }
}

/** Whether any of it is the message's own bytes. */
function passes(outputs: readonly Output[]): boolean {
  for (const { own } of outputs) if (own === undefined) return true
  return false
}

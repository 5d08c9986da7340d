import { createHmac } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Approvals, Outcome } from '../recorder/desk/approvals.ts'
import type { Decision } from '../schemas/approval.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Refusal, Verdict, VerdictNote } from '../schemas/verdict.ts'
import { Batch, type BatchParts, Order } from './batch.ts'
import type { Message, Output, Wire } from './message.ts'
import type { MessageTrace, SessionTrace } from './monitoring/traces.ts'
import type { Judge } from './policy/judge.ts'
import { blocked, noticeOf, refusals } from './refusals.ts'

/** When the asker is first told that its message still waits. Tools that show nothing for long are taken for hung. */
const FIRST_NOTICE_MS = 5_000
/** Then after twice as long each time, up to this, so that no terminal is filled by it. */
const MAX_NOTICE_MS = 30_000

type HoldVerdict = Extract<Verdict, { act: 'hold' }>

/** A message that waits for a person, and where it stands among its batch. */
interface Held {
  readonly index: number
  readonly rest: Message
  readonly verdict: HoldVerdict
}

/** A message whose facts are still being read, or whose budget is being asked for. */
interface Unread {
  readonly index: number
  readonly pending: Promise<void>
}

const NOTHING: readonly Output[] = []

export interface GateParts extends BatchParts {
  readonly judge: Judge
  readonly approvals: Approvals
  /** What every approval of this session is bound to and shows: who asks, where. */
  readonly asker: {
    readonly about?: 'message'
    readonly session: string
    readonly requester: string
    readonly requesterKind: string
    readonly principal?: string
    readonly target: string
    readonly protocol: string
  }
  /** Key of the approval binding; the same in every process that may see the request again. */
  readonly bindingKey: Uint8Array
  /** Where somebody wants to know how long things take. */
  readonly trace?: SessionTrace | undefined
  /** Told when not even the seal could be written: the operator must know, the client cannot be helped. */
  readonly onUnsealed: (error: unknown) => void
  /** How long an approval request lives, ms. */
  readonly approvalTtlMs: number
}

/**
 * The one way through. Every message of every protocol comes in here, and leaves only once it is on the tape:
 * judged, held, masked, recorded, then released. Knows no protocol. One per session; `pass` may run once per
 * direction and channel at a time.
 */
export class Gate {
  readonly #parts: GateParts
  readonly #wire: Wire
  /** What ends each hold, and the channel it is in. */
  readonly #holds = new Map<AbortController, number>()
  readonly #inParts = new Map<string, Verdict>()
  /** Whoever writes what `pass` yields for several lanes takes it through here, so that it is written in the order of the tape. */
  readonly order = new Order()

  constructor(parts: GateParts, wire: Wire) {
    this.#parts = parts
    this.#wire = wire
  }

  /**
   * Yields what may be written, in order: one batch, or more where a message is held.
   * When `signal` aborts (the asker left), a hold is withdrawn; what it held is never released.
   * Rejects RECORDER_FAILED when nothing more can be recorded; the session must then end.
   */
  async *pass(messages: readonly Message[], signal: AbortSignal): AsyncGenerator<readonly Output[]> {
    const entered = this.enter(messages, signal)
    if (isNow(entered)) {
      if (messages.length > 0) yield entered
    } else if (entered instanceof Promise) yield await entered
    else yield* entered
  }

  /** As `pass`, for the hot path: where nothing has to be waited for, what may be written is returned at once; a promise where only the recorder is waited for. */
  enter(
    messages: readonly Message[],
    signal: AbortSignal,
  ): readonly Output[] | Promise<readonly Output[]> | AsyncGenerator<readonly Output[]> {
    const batch = this.#batch()
    const trace = this.#parts.trace?.begin(messages)
    const stopped = this.#fill(batch, messages, 0, trace)
    trace?.judged()
    if (stopped !== undefined) return this.#inTurn(batch, messages, stopped, signal, trace)
    const recorded = batch.empty ? NOTHING : batch.recordNow()
    return trace === undefined ? recorded : trace.through(recorded)
  }

  /** Rules on messages from `from` on; stops at the first that is held, or cannot be judged yet. */
  #fill(batch: Batch, messages: readonly Message[], from: number, trace: MessageTrace | undefined): Held | Unread | undefined {
    for (let index = from; index < messages.length; index++) {
      const message = messages[index]
      if (message === undefined) break
      const pending = message.pending?.() ?? this.#parts.judge.waits?.(message)
      if (pending !== undefined) return { index, pending }
      const verdict = this.#rule(message)
      trace?.ruled(verdict)
      let rest: Message | undefined = message
      if ('keep' in verdict && verdict.keep !== undefined && message.split !== undefined) {
        const [head, tail] = message.split(verdict.keep)
        if (head !== undefined) batch.release(head, { act: 'allow', rules: [] })
        rest = tail
      }
      if (rest === undefined) continue
      if (verdict.act === 'hold') return { index, rest, verdict }
      if (verdict.act === 'block') batch.refuse(rest, verdict, blocked(verdict))
      else batch.release(rest, verdict)
    }
    return undefined
  }

  async *#inTurn(
    first: Batch,
    messages: readonly Message[],
    stopped: Held | Unread,
    signal: AbortSignal,
    trace: MessageTrace | undefined,
  ): AsyncGenerator<readonly Output[]> {
    let batch = first
    try {
      for (let next: Held | Unread | undefined = stopped; next !== undefined; ) {
        if (!batch.empty) yield await batch.record() // what came before must not wait with it
        const unread = 'pending' in next
        const over = trace?.held()
        if ('pending' in next) await next.pending
        else {
          for await (const outputs of this.#hold(next.rest, next.verdict, signal)) {
            trace?.passed(outputs)
            yield outputs
          }
        }
        over?.()
        batch = this.#batch()
        next = this.#fill(batch, messages, next.index + (unread ? 0 : 1), trace)
      }
      const outputs = batch.empty ? undefined : await batch.record()
      trace?.passed(outputs ?? NOTHING)
      trace?.recorded()
      if (outputs !== undefined) yield outputs
    } finally {
      trace?.over()
    }
  }

  /** Records what the gateway itself says outside any message (greetings, last words); yields it for writing. */
  async say(outputs: readonly Output[]): Promise<readonly Output[]> {
    const batch = this.#batch()
    batch.say(outputs)
    return batch.record()
  }

  /**
   * The last words to the client. When the recorder has already failed they are put on the tape with the seal, from the bytes it reserved. When
   * even that fails, or takes longer than `withinMs`, they are still given: they are ours alone and carry nothing of the traffic.
   */
  async farewell(refusal: Refusal, withinMs: number): Promise<readonly Output[]> {
    const outputs = this.#wire.farewell(refusal)
    const batch = this.#batch()
    batch.say(outputs)
    const said = batch.record().catch(async (failure: unknown): Promise<readonly Output[]> => {
      const { masker, recorder, onUnsealed } = this.#parts
      const facts = { error: failure instanceof Error ? failure.name : 'unknown' }
      const last = [masker.note('recording.failed', facts, null), ...outputs.map((output) => masker.own(output))]
      await recorder.seal('recording.failed', last).catch(onUnsealed)
      return outputs
    })
    // A store that is away may keep both waiting; the client is told meanwhile. Whoever disposes the session waits it out.
    const late = wait(withinMs, outputs, { ref: false }).then((given) => {
      batch.given = true
      return given
    })
    return Promise.race([said, late])
  }

  /** Records messages the gateway itself consumed (a start-up packet, a password); nothing is released. */
  async take(messages: readonly Message[]): Promise<void> {
    const batch = this.#batch()
    for (const message of messages) batch.take(message)
    await batch.record()
  }

  /** How many messages wait for a person now. */
  get holding(): number {
    return this.#holds.size
  }

  /** Records a client's message that its protocol refuses before any rule is asked: nobody gets it, and it is evidence all the same. */
  async withhold(message: Message): Promise<void> {
    const batch = this.#batch()
    batch.withhold(message)
    await batch.record()
  }

  /** Withdraws whatever is held, in this channel where one is given, as the asker's own cancel. False when nothing is held. */
  cancelHolds(channel?: number): boolean {
    const held = [...this.#holds].filter(([, of]) => channel === undefined || of === channel)
    for (const [hold] of held) hold.abort()
    return held.length > 0
  }

  #batch(): Batch {
    return new Batch(this.#parts, this.#wire, this.order)
  }

  /** A message in parts has one verdict, its first part's: what began to pass cannot be stopped between two of its bytes. All parts count. */
  #rule(message: Message): Verdict {
    const verdict = this.#judge(message)
    if (message.part === 'whole') return verdict
    const key = `${message.from}${message.channel}`
    if (message.part === 'first') this.#inParts.set(key, verdict)
    const first = this.#inParts.get(key) ?? verdict
    // A hold was served on the first part; had it been refused, the protocol swallows the rest.
    return message.part === 'first' || first.act !== 'hold' ? first : { act: 'allow', rules: first.rules }
  }

  #judge(message: Message, how: 'judge' | 'review' = 'judge'): Verdict {
    try {
      return this.#parts.judge[how](message)
    } catch (error) {
      if (error instanceof ApplianceError && error.code === 'POLICY_BLOCKED') throw error
      // Fail closed. The error's text may carry traffic, so only the fact is told (the judge has logged its own part).
      return { act: 'block', rules: ['policy.evaluation-failed'], reason: 'the policy could not be evaluated for this message' }
    }
  }

  async *#hold(message: Message, verdict: HoldVerdict, signal: AbortSignal): AsyncGenerator<readonly Output[]> {
    const { approvals, asker, masker } = this.#parts
    const timeoutMs = Math.min(verdict.timeoutMs, message.holdLimitMs ?? Number.POSITIVE_INFINITY)
    const binding = this.#binding(message)
    let held = false
    const refuse = async (refusal: Refusal): Promise<readonly Output[]> => {
      const batch = this.#batch()
      batch.refuse(message, { act: 'block', rules: verdict.rules, reason: refusal.message }, refusal, held)
      return batch.record({ durable: true })
    }
    const release = async (approval: string, decisions: readonly Decision[]): Promise<readonly Output[]> => {
      const batch = this.#batch()
      const facts = { approval, outcome: 'consumed', at: decisions.map(({ at }) => at) }
      batch.note('approval', facts, { ...noteOf(verdict, this.#parts.policy), approval }, { by: decisions.map(({ by }) => by) })
      batch.release(message, { act: 'allow', rules: verdict.rules }, approval, held)
      return batch.record({ durable: true })
    }

    const grant = await ask(() => approvals.granted(binding))
    if (grant !== 'down' && grant !== undefined && !signal.aborted) {
      const again = this.#judge(message, 'review')
      if (again.act === 'block') {
        yield await refuse(blocked(again))
        return
      }
      if ((await ask(() => approvals.consume(grant.id))) === true) {
        yield await release(grant.id, grant.decisions)
        return
      }
    }
    const request = await ask(() =>
      approvals.request({
        ...asker,
        kind: message.kind,
        command: masker.text(message.command?.(masker) ?? ''),
        facts: { ...masker.facts(message.facts()) },
        rules: [...verdict.rules],
        reason: verdict.reason,
        approvers: { groups: [...verdict.approvers.groups], count: verdict.approvers.count },
        binding,
        ttlMs: this.#parts.approvalTtlMs,
      }),
    )
    if (request === 'down') {
      yield await refuse(refusals.undecidable(verdict))
      return
    }
    const cancelled = new AbortController()
    this.#holds.set(cancelled, message.channel)
    const stop = AbortSignal.any([signal, cancelled.signal])
    const over = new AbortController()
    const ticking = AbortSignal.any([stop, over.signal])
    try {
      const started = this.#batch()
      started.hold(message, verdict, request.id)
      held = true
      started.say(this.#wire.notify(message, noticeOf(verdict, request.id, 0, timeoutMs)))
      yield await started.record({ durable: true })

      const waiting = this.#wait(request.id, timeoutMs, stop)
      let waited = 0
      let every = FIRST_NOTICE_MS
      for (;;) {
        const outcome = await Promise.race([waiting, tick(every, ticking)])
        if (outcome === 'tick') {
          waited += every
          every = Math.min(2 * every, MAX_NOTICE_MS)
          const outputs = this.#wire.notify(message, noticeOf(verdict, request.id, waited, timeoutMs))
          if (outputs.length > 0) yield await this.say(outputs)
          continue
        }
        const ruling = outcome === 'left' || stop.aborted ? ('left' as const) : outcome
        if (ruling === 'left') await ask(() => approvals.withdraw(request.id))
        if (typeof ruling === 'object' && ruling.act === 'approved') {
          // The policy may have learned something meanwhile: a block wins over an approval.
          const again = this.#judge(message, 'review')
          if (again.act === 'block') yield await refuse(blocked(again))
          else {
            const taken = await ask(() => approvals.consume(request.id))
            if (taken === true) yield await release(request.id, ruling.decisions)
            else yield await refuse(taken === 'down' ? refusals.undecidable(verdict) : refusals.spent(verdict, request.id))
          }
        } else if (typeof ruling === 'object' && ruling.act === 'rejected') {
          yield await refuse(refusals.rejected(verdict, request.id, ruling.decisions.at(-1)?.reason))
        } else {
          yield await refuse(
            ruling === 'left'
              ? refusals.withdrawn(verdict, request.id)
              : ruling === 'down'
                ? refusals.undecidable(verdict)
                : refusals.expired(verdict, request.id),
          )
        }
        return
      }
    } finally {
      over.abort()
      this.#holds.delete(cancelled)
    }
  }

  /** The outcome, or `late` when the wire has waited long enough, or `left` when the asker is gone. Never rejects. */
  async #wait(id: string, timeoutMs: number, stop: AbortSignal): Promise<Outcome | 'late' | 'left' | 'down'> {
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      return await this.#parts.approvals.outcome(id, AbortSignal.any([stop, timeout]))
    } catch {
      if (stop.aborted) return 'left'
      return timeout.aborted ? 'late' : 'down'
    }
  }

  #binding(message: Message): string {
    const { asker, bindingKey, policy } = this.#parts
    const hmac = createHmac('sha256', bindingKey)
    const fields = [asker.requester, asker.principal ?? '', asker.target, asker.protocol, policy, message.kind].map((text) =>
      Buffer.from(text),
    )
    for (const field of [...fields, ...(message.binding?.() ?? [message.bytes])]) {
      const length = Buffer.alloc(8)
      length.writeBigUInt64BE(BigInt(field.length))
      hmac.update(length).update(field)
    }
    return hmac.digest('hex')
  }
}

/** Whether `enter` had nothing to wait for. */
export function isNow(entered: ReturnType<Gate['enter']>): entered is readonly Output[] {
  return Array.isArray(entered)
}

/** A desk that cannot answer is a refusal of the one message (P5), not the end of the session. The desk has logged its own part. */
async function ask<T>(work: () => Promise<T>): Promise<T | 'down'> {
  try {
    return await work()
  } catch {
    return 'down'
  }
}

function noteOf(verdict: Verdict, policy: string): VerdictNote {
  return { act: verdict.act, rules: verdict.rules, policy }
}

/** Resolves 'tick' after `ms`; stays pending when aborted, so that the wait itself has the last word. */
function tick(ms: number, signal: AbortSignal): Promise<'tick'> {
  return new Promise((resolve) => {
    if (signal.aborted) return
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve('tick')
    }, ms)
    const stop = (): void => clearTimeout(timer)
    signal.addEventListener('abort', stop, { once: true })
  })
}

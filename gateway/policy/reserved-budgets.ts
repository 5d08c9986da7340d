import { setTimeout as delay } from 'node:timers/promises'
import type { Amount, BudgetBank } from '../../recorder/desk/budget-bank.ts'
import type { BudgetOf, Budgets } from './budgets.ts'
import type { Passed } from './threshold.ts'

/** What is taken at once, of a limit: little enough that others find some, much enough that few messages wait for it. */
const SLICE = 0.02
/** What nobody has used for so long goes back, for others to use. */
const IDLE_MS = 1_000
/** How long a message waits for a bank that does not answer, and how often that is asked meanwhile; then the message is refused. */
const PACE = { patienceMs: 10_000, retryMs: 250 }

interface Held {
  readonly of: BudgetOf
  readonly key: string
  rows: number
  bytes: number
  /** All that is taken within the window, by everybody, as of the last answer. */
  totalRows: number
  totalBytes: number
  part: number
  /** On the monotonic clock. */
  endsMs: number
  usedMs: number
  asking: Promise<void> | undefined
  /** Passed without having been held, and not told to the bank yet. */
  owed: Amount
  /** It is being told. */
  paying: boolean
  /** The last question had no answer. */
  unanswered: boolean
}

const NOTHING: Amount = { rows: 0, bytes: 0 }
const NO_LIMIT: Amount = { rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY }

/**
 * Budgets that processes agree on: each takes a slice before it lets anything through, takes the next ahead, and gives back what it does not
 * use. So what all of them let through is never more than the limit; up to a slice of each that is not idle may be less.
 */
export class ReservedBudgets implements Budgets, AsyncDisposable {
  readonly #bank: Pick<BudgetBank, 'reserve' | 'giveBack'>
  readonly #onError: (error: unknown) => void
  readonly #held = new Map<string, Held>()
  readonly #timer: NodeJS.Timeout
  readonly #working = new Set<Promise<void>>()
  readonly #pace: typeof PACE

  /** `onError` hears of banks that do not answer; who waits for them is refused. */
  constructor(bank: Pick<BudgetBank, 'reserve' | 'giveBack'>, onError: (error: unknown) => void, pace: typeof PACE = PACE) {
    this.#bank = bank
    this.#onError = onError
    this.#pace = pace
    this.#timer = setInterval(() => this.#returnIdle(IDLE_MS), IDLE_MS).unref()
  }

  passed(of: BudgetOf): Passed {
    const key = `${of.windowMs} ${of.rule} ${of.subject}`
    const known = this.#held.get(key)
    const held: Held = known ?? {
      of,
      key,
      rows: 0,
      bytes: 0,
      totalRows: 0,
      totalBytes: 0,
      part: 0,
      endsMs: 0,
      usedMs: 0,
      asking: undefined,
      owed: NOTHING,
      paying: false,
      unanswered: false,
    }
    this.#held.set(key, held)
    return {
      sum: () => ({ rows: held.totalRows - held.rows, bytes: held.totalBytes - held.bytes }),
      left: (allowed) => left(held, allowed),
      add: (rows, bytes) => this.#spend(held, rows, bytes),
      unanswered: () => held.unanswered,
      wants: (need, allowed) => this.#wants(held, need, allowed),
    }
  }

  /** Gives back what is held. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#returnIdle(0)
    while (this.#working.size > 0) await Promise.all(this.#working)
  }

  /** Undefined where enough is held; else it resolves once there is, or (true) once it is known that no more can be had. */
  #wants(held: Held, need: Amount, allowed: Amount): Promise<boolean> | undefined {
    const wanted = counted(held.of, need)
    held.usedMs = performance.now()
    if (held.usedMs >= held.endsMs) this.#giveBack(held)
    const now = left(held, allowed)
    const slice = sliceOf(held.of)
    if (wanted.rows <= now.rows && wanted.bytes <= now.bytes) {
      const ahead = now.rows - wanted.rows < slice.rows / 2 || now.bytes - wanted.bytes < slice.bytes / 2
      const room = held.totalRows + slice.rows <= allowed.rows && held.totalBytes + slice.bytes <= allowed.bytes
      if (ahead && room && held.asking === undefined) this.#inBackground(this.#ask(held, slice, allowed).then(() => undefined))
      return undefined
    }
    // Whoever asked before may have had enough for both: look again; where they had no answer, nobody waits as long once more.
    if (held.asking !== undefined) return held.asking.then(() => held.unanswered)
    const more = { rows: Math.max(wanted.rows, slice.rows), bytes: Math.max(wanted.bytes, slice.bytes) }
    return this.#ask(held, more, allowed)
  }

  /** True: the limit, or a bank that does not answer, leaves less than was asked for. Never rejects. */
  async #ask(held: Held, want: Amount, allowed: Amount): Promise<boolean> {
    const done = Promise.withResolvers<void>()
    held.asking = done.promise
    const untilMs = performance.now() + this.#pace.patienceMs
    try {
      for (;;) {
        try {
          const { granted, total, part, endsInMs } = await this.#bank.reserve(held.key, held.of.windowMs, want, allowed)
          if (held.part !== part) this.#giveBack(held)
          held.rows += granted.rows
          held.bytes += granted.bytes
          held.totalRows = total.rows
          held.totalBytes = total.bytes
          held.part = part
          held.endsMs = performance.now() + endsInMs
          held.unanswered = false
          return granted.rows < want.rows || granted.bytes < want.bytes
        } catch (error) {
          if (performance.now() >= untilMs) {
            this.#onError(error)
            held.unanswered = true
            return true
          }
          await delay(this.#pace.retryMs)
        }
      }
    } finally {
      held.asking = undefined
      done.resolve()
    }
  }

  /** More than is held was refused, or an approver let it through: either way it counts. */
  #spend(held: Held, rows: number, bytes: number): void {
    const spent = counted(held.of, { rows, bytes })
    held.usedMs = performance.now()
    held.rows -= spent.rows
    held.bytes -= spent.bytes
    const owed = { rows: Math.max(0, -held.rows), bytes: Math.max(0, -held.bytes) }
    if (owed.rows === 0 && owed.bytes === 0) return
    held.rows += owed.rows
    held.bytes += owed.bytes
    held.totalRows += owed.rows
    held.totalBytes += owed.bytes
    held.owed = { rows: held.owed.rows + owed.rows, bytes: held.owed.bytes + owed.bytes }
    if (!held.paying) this.#inBackground(this.#pay(held))
  }

  /** One question at a time, for all that came up meanwhile: messages that do not wait may be quicker than the bank. Never rejects. */
  async #pay(held: Held): Promise<void> {
    held.paying = true
    let untilMs = performance.now() + this.#pace.patienceMs
    while (held.owed.rows > 0 || held.owed.bytes > 0) {
      const { owed } = held
      try {
        await this.#bank.reserve(held.key, held.of.windowMs, owed, NO_LIMIT)
        held.owed = { rows: held.owed.rows - owed.rows, bytes: held.owed.bytes - owed.bytes }
        untilMs = performance.now() + this.#pace.patienceMs
      } catch (error) {
        if (performance.now() >= untilMs) {
          this.#onError(error)
          break
        }
        await delay(this.#pace.retryMs)
      }
    }
    held.paying = false
  }

  #returnIdle(idleMs: number): void {
    const nowMs = performance.now()
    for (const [key, held] of this.#held) {
      if (nowMs - held.usedMs < idleMs || held.asking !== undefined) continue
      if (held.rows > 0 || held.bytes > 0) this.#giveBack(held)
      else if (nowMs - held.usedMs > held.of.windowMs) this.#held.delete(key)
    }
  }

  #giveBack(held: Held): void {
    const unspent = { rows: Math.max(0, held.rows), bytes: Math.max(0, held.bytes) }
    held.rows -= unspent.rows
    held.bytes -= unspent.bytes
    held.totalRows -= unspent.rows
    held.totalBytes -= unspent.bytes
    if (unspent.rows > 0 || unspent.bytes > 0) this.#inBackground(this.#bank.giveBack(held.key, held.part, unspent))
  }

  /** What is lost of it makes budgets smaller until their window is over, never larger. */
  #inBackground(work: Promise<void>): void {
    const over = work.catch(this.#onError).finally(() => this.#working.delete(over))
    this.#working.add(over)
  }
}

/** What may pass now: of what is held, no more than is allowed by who asks. */
function left(held: Held, allowed: Amount): Amount {
  const { limit } = held.of
  const of = (has: number, total: number, allows: number): number => Math.max(0, Math.min(has, allows - (total - has)))
  return {
    rows: limit.rows === Number.POSITIVE_INFINITY ? limit.rows : of(held.rows, held.totalRows, allowed.rows),
    bytes: limit.bytes === Number.POSITIVE_INFINITY ? limit.bytes : of(held.bytes, held.totalBytes, allowed.bytes),
  }
}

/** What nobody limits is not taken. */
function counted({ limit }: Pick<BudgetOf, 'limit'>, { rows, bytes }: Amount): Amount {
  return {
    rows: limit.rows === Number.POSITIVE_INFINITY ? 0 : rows,
    bytes: limit.bytes === Number.POSITIVE_INFINITY ? 0 : bytes,
  }
}

function sliceOf({ limit }: Pick<BudgetOf, 'limit'>): Amount {
  return counted({ limit }, { rows: Math.ceil(limit.rows * SLICE), bytes: Math.ceil(limit.bytes * SLICE) })
}

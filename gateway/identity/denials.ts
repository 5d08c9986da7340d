import { networkOf } from '../../recorder/api/rate.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'

/** A flood of failures is one entry in this time. */
const ROLL_MS = 60_000
/** Networks and reasons named in one entry; the others are counted. */
const MAX_NAMED = 20
/** Kept apart while they are counted; beyond, they count as others. */
const MAX_COUNTED = 1_000

interface Counted {
  readonly network: string
  readonly why: string
  count: number
}

/** Denied proofs, rolled up for the ledger: by network and reason, the most frequent first. */
export class Denials implements AsyncDisposable {
  readonly #append: (entry: LedgerEntry) => Promise<void>
  readonly #onProblem: (error: unknown) => void
  readonly #counted = new Map<string, Counted>()
  #others = 0
  #since: string | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(append: (entry: LedgerEntry) => Promise<void>, onProblem: (error: unknown) => void) {
    this.#append = append
    this.#onProblem = onProblem
  }

  note(client: string, why: string): void {
    const network = networkOf(client)
    const key = `${network} ${why}`
    const known = this.#counted.get(key)
    if (known !== undefined) known.count += 1
    else if (this.#counted.size < MAX_COUNTED) this.#counted.set(key, { network, why, count: 1 })
    else this.#others += 1
    this.#since ??= new Date().toISOString()
    this.#timer ??= setTimeout(() => void this.tell(), ROLL_MS).unref()
  }

  /** Tells what has been counted so far, if anything. Never rejects: nobody waits for it. */
  async tell(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const since = this.#since
    if (since === undefined) return
    const sorted = [...this.#counted.values()].sort((a, b) => b.count - a.count)
    const sum = (some: readonly Counted[]): number => some.reduce((total, { count }) => total + count, 0)
    const others = this.#others + sum(sorted.slice(MAX_NAMED))
    const entry: LedgerEntry = {
      type: 'auth.fail',
      since,
      count: sum(sorted) + this.#others,
      by: sorted.slice(0, MAX_NAMED),
      others,
    }
    this.#since = undefined
    this.#others = 0
    this.#counted.clear()
    await this.#append(entry).catch(this.#onProblem)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.tell()
  }
}

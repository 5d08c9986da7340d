import { networkOf } from '../../recorder/api/rate.ts'

/** A person mistypes a few times; a script guesses thousands. */
const FREE_FAILURES = 3
const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 4_000
const WINDOW_MS = 60_000
/** Bounded so that a flood from many addresses cannot eat memory; the oldest is forgotten first. */
const MAX_ADDRESSES = 10_000

interface Record {
  count: number
  untilMs: number
}

/**
 * Counts failed proofs per address (IPv6 by /64, what one household or machine gets) and says how long the answer waits.
 * Nobody is locked out: 256-bit keys cannot be guessed, and one agent with a stale key must not bar the others on its machine.
 */
export class Failures {
  readonly #records = new Map<string, Record>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** Notes a failure; the answer should wait for the returned time. */
  note(address: string): number {
    const name = networkOf(address)
    const count = (this.#live(address)?.count ?? 0) + 1
    this.#records.delete(name)
    this.#records.set(name, { count, untilMs: this.#now() + WINDOW_MS })
    if (this.#records.size > MAX_ADDRESSES) {
      const oldest = this.#records.keys().next().value
      if (oldest !== undefined) this.#records.delete(oldest)
    }
    return count <= FREE_FAILURES ? FIRST_DELAY_MS : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (count - FREE_FAILURES))
  }

  #live(address: string): Record | undefined {
    const name = networkOf(address)
    const record = this.#records.get(name)
    if (record !== undefined && record.untilMs <= this.#now()) {
      this.#records.delete(name)
      return undefined
    }
    return record
  }
}

import type { Lease } from './lease.ts'

interface Waiting {
  readonly seq: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Who waits until the store has one session's frames up to a number: the durability `blob`. */
export class Acknowledgements {
  readonly #lease: Lease
  /** In the order of their numbers, as appends are made in the order of the tape. */
  #waiting: Waiting[] = []

  constructor(lease: Lease) {
    this.#lease = lease
  }

  /** Whether nothing may be released before it is acknowledged, whatever the level. `nowMs` as for a lease. */
  doubtful(nowMs: number): boolean {
    return this.#lease.doubtful(nowMs)
  }

  get wanted(): boolean {
    return this.#waiting.length > 0
  }

  /** Resolves when every frame below `seq` is in the store; rejects with what `fail` is given. Called with rising numbers. */
  upTo(seq: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ seq, resolve, reject }))
  }

  /** The store has every frame below `seq`. */
  stored(seq: number): void {
    this.#lease.renew()
    let count = 0
    for (const { seq: wanted, resolve } of this.#waiting) {
      if (wanted > seq) break
      resolve()
      count += 1
    }
    this.#waiting.splice(0, count)
  }

  fail(error: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(error)
  }
}

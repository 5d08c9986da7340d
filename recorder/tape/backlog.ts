import type { RecorderLimits } from './limits.ts'

type Limits = Pick<RecorderLimits, 'budgetSize' | 'budgetMs' | 'sharedSize'>

/** Of all sessions of a process together, in bytes. */
export interface SharedBacklog {
  size: number
}

/** What one session has released and the store does not have yet, and those who wait for it to become less. */
export class Backlog {
  readonly #limits: Limits
  readonly #shared: SharedBacklog
  #size = 0
  #givenUp = false
  /** When the first frame of each closed chunk was recorded, oldest first. */
  readonly #closed: number[] = []
  #wakers: (() => void)[] = []

  constructor(limits: Limits, shared: SharedBacklog) {
    this.#limits = limits
    this.#shared = shared
  }

  /** Whether a closed chunk is on its way: only then will waiting end. */
  get moving(): boolean {
    return this.#closed.length > 0
  }

  add(size: number): void {
    this.#count(size)
  }

  /** A chunk goes to the store. `bornMs`: of its first frame, on performance.now(). */
  close(bornMs: number): void {
    this.#closed.push(bornMs)
  }

  /** The oldest closed chunk is in the store. */
  stored(size: number): void {
    this.#count(-size)
    this.#closed.shift()
    this.#wake()
  }

  /** It has failed and releases nothing more: when the store takes what there is, if ever, is no concern of the others. */
  giveUp(): void {
    if (!this.#givenUp) this.#shared.size -= this.#size
    this.#givenUp = true
    this.#wake()
  }

  #count(size: number): void {
    this.#size += size
    if (!this.#givenUp) this.#shared.size += size
  }

  /** Both on performance.now(); `openMs`: when the open chunk was begun, where there is one. */
  over(nowMs: number, openMs: number | undefined): boolean {
    const oldest = this.#closed.length > 0 ? this.#closed[0] : openMs
    const { budgetSize, budgetMs, sharedSize } = this.#limits
    return (this.#size > budgetSize && this.#shared.size > sharedSize) || (oldest !== undefined && nowMs - oldest > budgetMs)
  }

  /** What the store does not have yet, in bytes, and since when (performance.now()); nothing of it: undefined. `openMs` as for `over`. */
  waiting(openMs: number | undefined): { readonly size: number; readonly sinceMs: number | undefined } {
    return { size: this.#size, sinceMs: this.#closed.length > 0 ? this.#closed[0] : openMs }
  }

  /** Resolves at the next `stored` or `giveUp`. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve))
  }

  #wake(): void {
    const wakers = this.#wakers
    this.#wakers = []
    for (const wake of wakers) wake()
  }
}

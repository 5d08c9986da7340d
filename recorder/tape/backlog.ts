import type { RecorderLimits } from './limits.ts'

/** What one session has released and the store does not have yet, and those who wait for it to become less. */
export class Backlog {
  readonly #limits: Pick<RecorderLimits, 'budgetSize' | 'budgetMs'>
  #size = 0
  /** When the first frame of each closed chunk was recorded, oldest first. */
  readonly #closed: number[] = []
  #wakers: (() => void)[] = []

  constructor(limits: Pick<RecorderLimits, 'budgetSize' | 'budgetMs'>) {
    this.#limits = limits
  }

  /** Whether a closed chunk is on its way: only then will waiting end. */
  get moving(): boolean {
    return this.#closed.length > 0
  }

  add(size: number): void {
    this.#size += size
  }

  /** A chunk goes to the store. `bornMs`: of its first frame, on performance.now(). */
  close(bornMs: number): void {
    this.#closed.push(bornMs)
  }

  /** The oldest closed chunk is in the store. */
  stored(size: number): void {
    this.#size -= size
    this.#closed.shift()
    this.wake()
  }

  /** Both on performance.now(); `openMs`: when the open chunk was begun, where there is one. */
  over(nowMs: number, openMs: number | undefined): boolean {
    const oldest = this.#closed.length > 0 ? this.#closed[0] : openMs
    return this.#size > this.#limits.budgetSize || (oldest !== undefined && nowMs - oldest > this.#limits.budgetMs)
  }

  /** What the store does not have yet, in bytes, and since when (performance.now()); nothing of it: undefined. `openMs` as for `over`. */
  waiting(openMs: number | undefined): { readonly size: number; readonly sinceMs: number | undefined } {
    return { size: this.#size, sinceMs: this.#closed.length > 0 ? this.#closed[0] : openMs }
  }

  /** Resolves at the next `stored` or `wake`. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve))
  }

  wake(): void {
    const wakers = this.#wakers
    this.#wakers = []
    for (const wake of wakers) wake()
  }
}

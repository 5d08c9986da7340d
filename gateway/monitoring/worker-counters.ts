import { addedUp, countersOf } from './metrics.ts'

/**
 * What the workers of one place have counted, the dead ones too: a sum over workers that fell with one of them would look like a restart of
 * all. What a worker counted after it was last asked dies with it.
 */
export class WorkerCounters {
  #living: readonly object[] = []
  #dead: (readonly object[])[] = []

  /** The living one is gone; what it said last stays. */
  died(): void {
    if (this.#living.length > 0) this.#dead.push(this.#living)
    this.#living = []
  }

  /** What to add up for this place; `metrics`: what its worker says now, undefined where it says nothing. */
  async all(metrics: readonly object[] | undefined): Promise<readonly object[]> {
    if (metrics !== undefined) this.#living = countersOf(metrics)
    const dead = this.#dead
    if (dead.length > 1) {
      const sum = await addedUp(dead)
      this.#dead = [sum, ...this.#dead.slice(dead.length)]
    }
    const now = metrics ?? this.#living
    return this.#dead.length === 0 ? now : addedUp([...this.#dead, now])
  }
}

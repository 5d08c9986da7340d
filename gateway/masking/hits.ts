import type { EntityName } from './rules.ts'

export type HitEntity = EntityName | 'overload'

const FIRST_CAPACITY = 64

/** Hits of one field, in order and apart from each other: growing columns, emptied and used again. */
export class Hits {
  count = 0
  #starts = new Float64Array(FIRST_CAPACITY)
  #ends = new Float64Array(FIRST_CAPACITY)
  readonly #entities: HitEntity[] = new Array<HitEntity>(FIRST_CAPACITY).fill('overload')

  startOf(index: number): number {
    return this.#starts[index] as number // index < count, as below
  }

  endOf(index: number): number {
    return this.#ends[index] as number
  }

  entityOf(index: number): HitEntity {
    return this.#entities[index] as HitEntity
  }

  clear(): void {
    this.count = 0
  }

  /** Adds a hit. What it overlaps becomes one with it, under the name of the longer. */
  add(start: number, end: number, entity: HitEntity): void {
    let first = start
    let last = end
    let name = entity
    let longest = end - start
    while (this.count > 0 && this.endOf(this.count - 1) > first) {
      const previous = this.count - 1
      const size = this.endOf(previous) - this.startOf(previous)
      if (size > longest) {
        longest = size
        name = this.entityOf(previous)
      }
      first = Math.min(first, this.startOf(previous))
      last = Math.max(last, this.endOf(previous))
      this.count = previous
    }
    if (this.count === this.#starts.length) this.#grow()
    this.#starts[this.count] = first
    this.#ends[this.count] = last
    this.#entities[this.count] = name
    this.count++
  }

  /** Forgets the first `count`. */
  drop(count: number): void {
    if (count === 0) return
    this.#starts.copyWithin(0, count, this.count)
    this.#ends.copyWithin(0, count, this.count)
    this.#entities.copyWithin(0, count, this.count)
    this.count -= count
  }

  /** Moves all hits `by` bytes towards the beginning. */
  shift(by: number): void {
    for (let i = 0; i < this.count; i++) {
      this.#starts[i] = this.startOf(i) - by
      this.#ends[i] = this.endOf(i) - by
    }
  }

  #grow(): void {
    const starts = new Float64Array(2 * this.count)
    const ends = new Float64Array(2 * this.count)
    starts.set(this.#starts)
    ends.set(this.#ends)
    this.#starts = starts
    this.#ends = ends
  }
}

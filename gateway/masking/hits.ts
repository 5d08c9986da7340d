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

  /** Adds a hit behind those already there. */
  add(start: number, end: number, entity: HitEntity): void {
    if (this.count === this.#starts.length) this.#grow()
    this.#starts[this.count] = start
    this.#ends[this.count] = end
    this.#entities[this.count] = entity
    this.count++
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

import { ENTITY_NAMES, type EntityName } from './rules.ts'

export type HitEntity = EntityName | 'overload'

/** Hits name their entity by its index here: what is looked up per hit is an array. */
export const HIT_ENTITIES: readonly HitEntity[] = [...ENTITY_NAMES, 'overload']
export const OVERLOAD_ID: number = ENTITY_NAMES.length

const FIRST_CAPACITY = 64

/** Hits of one field, in order and apart from each other: growing columns, emptied and used again. */
export class Hits {
  count = 0
  #starts = new Int32Array(FIRST_CAPACITY)
  #ends = new Int32Array(FIRST_CAPACITY)
  #entityIds = new Uint8Array(FIRST_CAPACITY)

  startOf(index: number): number {
    return this.#starts[index] as number // index < count, as below
  }

  endOf(index: number): number {
    return this.#ends[index] as number
  }

  entityIdOf(index: number): number {
    return this.#entityIds[index] as number
  }

  clear(): void {
    this.count = 0
  }

  /** Adds a hit behind those already there. */
  add(start: number, end: number, entityId: number): void {
    if (this.count === this.#starts.length) this.#grow()
    this.#starts[this.count] = start
    this.#ends[this.count] = end
    this.#entityIds[this.count] = entityId
    this.count++
  }

  #grow(): void {
    const starts = new Int32Array(2 * this.count)
    const ends = new Int32Array(2 * this.count)
    starts.set(this.#starts)
    ends.set(this.#ends)
    const entityIds = new Uint8Array(2 * this.count)
    entityIds.set(this.#entityIds)
    this.#entityIds = entityIds
    this.#starts = starts
    this.#ends = ends
  }
}

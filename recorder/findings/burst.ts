import { Places, type StatementRow } from './statements.ts'

/** Rows that are waited with; with more only the last of each key, which is what counts. */
const WAITING = 500
/** Different keys of a burst are counted up to here. */
const MAX_KEYS = 100_000

interface Waiting {
  readonly row: StatementRow
  readonly keys: readonly string[]
}

/**
 * Of rows in the order of time the first stretch within `ms` in which there are `least` different keys, with all that follows it without a
 * pause as long as that.
 */
export class Burst {
  readonly #ms: number
  readonly #least: number
  /** When each key came last, longest ago first. */
  readonly #recent = new Map<string, number>()
  #waiting: Waiting[] = []
  readonly #keys = new Set<string>()
  #places: Places | undefined
  #lastMs = 0
  #over = false
  first: StatementRow | undefined

  constructor(ms: number, least: number) {
    this.#ms = ms
    this.#least = least
  }

  add(row: StatementRow, keys: readonly string[]): void {
    const at = row.at.getTime()
    if (this.#places !== undefined) {
      this.#over ||= at - this.#lastMs > this.#ms
      this.#lastMs = at
      if (!this.#over) this.#take(row, keys, this.#places)
      return
    }
    this.#lastMs = at
    for (const key of keys) {
      this.#recent.delete(key)
      this.#recent.set(key, at)
    }
    for (const [key, last] of this.#recent) {
      if (at - last <= this.#ms) break
      this.#recent.delete(key)
    }
    this.#waiting.push({ row, keys })
    if (this.#recent.size < this.#least) {
      if (this.#waiting.length > WAITING) this.#thin()
      return
    }
    const places = new Places()
    this.#places = places
    for (const each of this.#waiting) if (at - each.row.at.getTime() <= this.#ms) this.#take(each.row, each.keys, places)
    this.#waiting = []
    this.#recent.clear()
  }

  /** The evidence, how many different keys it has, and that in words; undefined where there was no such stretch. */
  get found(): { readonly places: Places; readonly keys: number; readonly counted: string } | undefined {
    if (this.#places === undefined) return undefined
    const { size: keys } = this.#keys
    return { places: this.#places, keys, counted: `${keys}${keys < MAX_KEYS ? '' : ' or more'}` }
  }

  /** Whether nothing that was before this row can be part of one any more. */
  idle(row: StatementRow): boolean {
    return row.at.getTime() - this.#lastMs > this.#ms
  }

  #take(row: StatementRow, keys: readonly string[], places: Places): void {
    this.first ??= row
    places.add(row)
    if (this.#keys.size < MAX_KEYS) for (const key of keys) this.#keys.add(key)
  }

  #thin(): void {
    const seen = new Set<string>()
    const thin: Waiting[] = []
    for (const each of this.#waiting.toReversed()) {
      if (each.keys.every((key) => seen.has(key) || !this.#recent.has(key))) continue
      for (const key of each.keys) seen.add(key)
      thin.push(each)
    }
    this.#waiting = thin.reverse()
  }
}

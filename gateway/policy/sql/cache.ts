/** How much the two generations together may hold. A statement's facts are a few hundred bytes beside its text. */
const MAX_ENTRIES = 20_000
const MAX_CHARS = 8 * 1024 * 1024

/**
 * A cache in two generations: what is used stays in the young one, the old one is dropped whole when the young is full.
 * Cheaper than one Map kept in order (deleting the oldest key of a large Map costs microseconds). Bounded in entries and
 * in characters of keys.
 */
export class GenerationCache<V> {
  readonly #maxEntries: number
  readonly #maxChars: number
  #young = new Map<string, V>()
  #old = new Map<string, V>()
  #chars = 0

  constructor(maxEntries = MAX_ENTRIES, maxChars = MAX_CHARS) {
    this.#maxEntries = Math.ceil(maxEntries / 2)
    this.#maxChars = Math.ceil(maxChars / 2)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: string, value: V): void {
    if (key.length > this.#maxChars) return
    if (this.#young.size >= this.#maxEntries || this.#chars + key.length > this.#maxChars) {
      this.#old = this.#young
      this.#young = new Map()
      this.#chars = 0
    }
    this.#young.set(key, value)
    this.#chars += key.length
  }
}

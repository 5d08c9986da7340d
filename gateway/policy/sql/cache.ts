/** How much the two generations together may hold. A statement's facts are a few hundred bytes beside its text. */
const MAX_ENTRIES = 20_000
const MAX_CHARS = 8 * 1024 * 1024

/**
 * A cache in two generations: what is used stays in the young one, the old one is dropped whole when the young is full.
 * Cheaper than one Map kept in order (deleting the oldest key of a large Map costs microseconds). Bounded in entries and
 * in characters of keys.
 */
export class GenerationCache<V, K = string> {
  readonly #maxEntries: number
  readonly #maxChars: number
  #young = new Map<K, Kept<V>>()
  #old = new Map<K, Kept<V>>()
  #chars = 0

  constructor(maxEntries = MAX_ENTRIES, maxChars = MAX_CHARS) {
    this.#maxEntries = Math.ceil(maxEntries / 2)
    this.#maxChars = Math.ceil(maxChars / 2)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young.value
    const old = this.#old.get(key)
    if (old !== undefined) this.#keep(key, old)
    return old?.value
  }

  /** `chars`: what the key counts, where it is no text itself. */
  set(key: K, value: V, chars = typeof key === 'string' ? key.length : 0): void {
    if (chars <= this.#maxChars) this.#keep(key, { value, chars })
  }

  #keep(key: K, kept: Kept<V>): void {
    if (this.#young.size >= this.#maxEntries || this.#chars + kept.chars > this.#maxChars) {
      this.#old = this.#young
      this.#young = new Map()
      this.#chars = 0
    }
    this.#young.set(key, kept)
    this.#chars += kept.chars
  }
}

interface Kept<V> {
  readonly value: V
  readonly chars: number
}

import { GenerationCache } from './cache.ts'
import type { Stripped } from './normalise.ts'

interface Entry<V> {
  readonly codes: Uint16Array
  readonly value: V
}

/**
 * Values by texts without their plain literals. A key is looked up as it stands in the memory it was read into: to make a string of
 * it and to hash that took longer than all else that is done with a statement like one before. Of two with one hash it keeps the later.
 */
export class StrippedCache<V> {
  readonly #entries = new GenerationCache<Entry<V>, number>()

  get({ codes, length, hash }: Stripped): V | undefined {
    const entry = this.#entries.get(hash)
    if (entry === undefined || entry.codes.length !== length) return undefined
    for (let at = 0; at < length; at++) if (entry.codes[at] !== codes[at]) return undefined
    return entry.value
  }

  set({ codes, length, hash }: Stripped, value: V): void {
    this.#entries.set(hash, { codes: codes.slice(0, length), value }, length)
  }
}

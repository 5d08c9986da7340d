import { RECORD_MARK, RECORD_TYPES, tapeKeys } from '../../schemas/tape.ts'
import type { MemoryStore } from './memory-store.ts'

/** A chunk's first bytes. */
export const CHUNK_MAGIC = Buffer.of(...RECORD_MARK, RECORD_TYPES.chunk)

/** How much of a tape's first segment the room knows to be in the store: that is what an interim tells, and it lags behind what is durable in the spool. */
export class StoredChunks {
  readonly #store: MemoryStore
  readonly #known = new Map<string, number>()
  readonly #waiting: { readonly id: string; readonly count: number; readonly done: () => void }[] = []

  constructor(store: MemoryStore) {
    this.#store = store
  }

  /** For the room's options. */
  readonly onStored = (id: string): void => {
    this.#known.set(id, this.#inStore(id))
    for (const each of this.#waiting) if (this.#has(each.id, each.count)) each.done()
  }

  async reached(id: string, count: number): Promise<void> {
    if (this.#has(id, count)) return
    const { promise, resolve: done } = Promise.withResolvers<void>()
    this.#waiting.push({ id, count, done })
    await promise
  }

  #has(id: string, count: number): boolean {
    return (this.#known.get(id) ?? 0) >= count
  }

  #inStore(id: string): number {
    const bytes = this.#store.objects.get(tapeKeys.segment(id, 0)) ?? Buffer.alloc(0)
    let count = 0
    for (let at = bytes.indexOf(CHUNK_MAGIC); at >= 0; at = bytes.indexOf(CHUNK_MAGIC, at + 1)) count += 1
    return count
  }
}

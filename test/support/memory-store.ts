import { isKey, type Range, type Store } from '../../recorder/store/store.ts'
import { ApplianceError } from '../../schemas/errors.ts'

/** A store in memory, for tests that need many. `objects` may be changed behind its back: that is what an attacker does. */
export class MemoryStore implements Store {
  readonly objects = new Map<string, Buffer>()

  async append(key: string, position: number, bytes: Uint8Array): Promise<void> {
    check(key)
    const have = this.objects.get(key)
    if ((have?.length ?? 0) !== position)
      throw new ApplianceError('STORE_CONFLICT', `${key} has ${have?.length ?? 0} bytes, not ${position}`)
    this.objects.set(key, Buffer.concat([have ?? Buffer.alloc(0), bytes]))
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    check(key)
    const have = this.objects.get(key)
    if (have !== undefined && !have.equals(bytes)) throw new ApplianceError('STORE_CONFLICT', `${key} exists with other content`)
    this.objects.set(key, Buffer.from(bytes))
  }

  async get(key: string, range?: Range): Promise<Uint8Array> {
    check(key)
    const have = this.#have(key)
    return range === undefined ? Buffer.from(have) : Buffer.from(have.subarray(Math.min(range.from, have.length), range.to))
  }

  async *list(prefix: string): AsyncIterable<string> {
    for (const key of [...this.objects.keys()].sort()) if (key.startsWith(prefix)) yield key
  }

  async size(key: string): Promise<number> {
    check(key)
    return this.#have(key).length
  }

  /** A copy that can be changed on its own. */
  copy(): MemoryStore {
    const copy = new MemoryStore()
    for (const [key, bytes] of this.objects) copy.objects.set(key, bytes)
    return copy
  }

  #have(key: string): Buffer {
    const have = this.objects.get(key)
    if (have === undefined) throw new ApplianceError('STORE_MISSING', `${key} is not in the store`)
    return have
  }
}

function check(key: string): void {
  if (!isKey(key)) throw new ApplianceError('STORE_FAILED', `'${key}' is not a key`)
}

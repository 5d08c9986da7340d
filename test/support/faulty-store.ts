import type { Range, Store } from '../../recorder/store/store.ts'
import { ApplianceError } from '../../schemas/errors.ts'

/** What goes wrong with a write: it did not happen, it happened all the same, or half of it did. */
export type Fault = 'not-done' | 'done' | 'half-done'

/** A store whose writes fail as the test says. */
export class FaultyStore implements Store {
  readonly #store: Store
  /** Asked before each write; a fault is then its outcome. */
  fault: (operation: 'append' | 'put', key: string) => Fault | undefined = () => undefined
  /** Writes wait for this. */
  gate: Promise<void> = Promise.resolve()
  faults = 0

  constructor(store: Store) {
    this.#store = store
  }

  async append(key: string, position: number, bytes: Uint8Array): Promise<void> {
    await this.gate
    const fault = this.fault('append', key)
    if (fault === 'half-done') await this.#store.append(key, position, bytes.subarray(0, bytes.length >> 1))
    else if (fault !== 'not-done') await this.#store.append(key, position, bytes)
    if (fault !== undefined) this.#fail(key)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.gate
    const fault = this.fault('put', key)
    // A put is whole or not at all.
    if (fault === undefined || fault === 'done') await this.#store.put(key, bytes)
    if (fault !== undefined) this.#fail(key)
  }

  get(key: string, range?: Range): Promise<Uint8Array> {
    return this.#store.get(key, range)
  }

  list(prefix: string): AsyncIterable<string> {
    return this.#store.list(prefix)
  }

  size(key: string): Promise<number> {
    return this.#store.size(key)
  }

  #fail(key: string): never {
    this.faults += 1
    throw new ApplianceError('STORE_FAILED', `the test lets the write of ${key} fail`)
  }
}

import { ApplianceError } from '../../schemas/errors.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import type { Range, Store } from '../store/store.ts'

/** Larger objects are read by ranges, as whoever asks asks: several tapes are looked into at once, in constant memory. */
const MAX_KEPT_SIZE = 4 << 20

/**
 * One ended tape in a store, of which small objects are read once, however often and in what pieces they are asked for: a tape is opened, verified and copied, and
 * asking costs more than the bytes, in a folder as in a network. For one look at it: what somebody changes meanwhile is not seen.
 */
export class TapeView implements Store {
  readonly #store: Store
  readonly #prefix: string
  #keys: Promise<readonly string[]> | undefined
  readonly #sizes = new Map<string, Promise<number>>()
  readonly #objects = new Map<string, Promise<Uint8Array>>()

  constructor(store: Store, session: string) {
    this.#store = store
    this.#prefix = tapeKeys.prefix(session)
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<string> {
    if (!prefix.startsWith(this.#prefix)) yield* this.#store.list(prefix, signal)
    else for (const key of await this.#listed(signal)) if (key.startsWith(prefix)) yield key
  }

  async size(key: string, signal?: AbortSignal): Promise<number> {
    if (key.startsWith(this.#prefix) && !(await this.#listed(signal)).includes(key))
      throw new ApplianceError('STORE_MISSING', `there is no object ${key}`)
    return once(this.#sizes, key, () => this.#store.size(key, signal))
  }

  async get(key: string, range?: Range, signal?: AbortSignal): Promise<Uint8Array> {
    if (!key.startsWith(this.#prefix) || (await this.size(key, signal)) > MAX_KEPT_SIZE)
      return this.#store.get(key, range, signal)
    const bytes = await once(this.#objects, key, () => this.#store.get(key, undefined, signal))
    return range === undefined ? bytes : bytes.subarray(Math.min(range.from, bytes.length), Math.min(range.to, bytes.length))
  }

  append(key: string, position: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#store.append(key, position, bytes, signal)
  }

  put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#store.put(key, bytes, signal)
  }

  #listed(signal: AbortSignal | undefined): Promise<readonly string[]> {
    this.#keys ??= keysOf(this.#store.list(this.#prefix, signal))
    return this.#keys
  }
}

async function keysOf(listed: AsyncIterable<string>): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const key of listed) keys.push(key)
  return keys
}

/** What was asked for once, failure included. */
function once<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const asked = known.get(key) ?? ask()
  known.set(key, asked)
  return asked
}

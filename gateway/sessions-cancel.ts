import { randomBytes, timingSafeEqual } from 'node:crypto'

/** The first byte names the process; signed clients print the first four as a number, so its top bit stays clear. */
export const MAX_WORKER = 127
const COUNTER_LIMIT = 1 << 24
/** Four bytes of head and at least four that nobody can guess: what PostgreSQL 3.0 has room for. */
const MIN_KEY_SIZE = 8

/** Delivers keys of other workers, and of other gateways; resolves when they were delivered or found unknown. `client`: `address:port` of who asks. */
export type ForwardCancel = (key: Uint8Array, client: string) => Promise<void>

interface Cancellable {
  readonly key: Uint8Array
  readonly onCancel: () => void
}

/**
 * The keys by which a second connection cancels what a session is doing, wherever that session runs.
 * Key: u8 worker, u24 session counter, random rest.
 */
export class Cancels {
  readonly #worker: number
  readonly #forward: ForwardCancel
  readonly #sessions = new Map<number, Cancellable>()
  #counter = 0

  constructor(worker: number, forward: ForwardCancel = () => Promise.resolve()) {
    if (!Number.isInteger(worker) || worker < 0 || worker > MAX_WORKER)
      throw new RangeError(`worker ${worker} is not within 0..${MAX_WORKER}`)
    this.#worker = worker
    this.#forward = forward
  }

  cancellable(size: number, onCancel: () => void): { readonly key: Uint8Array } & Disposable {
    if (size < MIN_KEY_SIZE)
      throw new RangeError(`a cancel key of ${size} bytes has no room for a secret; at least ${MIN_KEY_SIZE}`)
    const head = this.#freeHead()
    const key = randomBytes(size)
    key.writeUInt32BE(head)
    this.#sessions.set(head, { key, onCancel })
    return { key, [Symbol.dispose]: () => void this.#sessions.delete(head) }
  }

  async cancel(key: Uint8Array, client: string): Promise<void> {
    if (key.length < MIN_KEY_SIZE) return
    if (!this.deliver(key)) await this.#forward(key, client)
  }

  /** Cancels the session of this very key; false where this process has none. */
  deliver(key: Uint8Array): boolean {
    if (key.length < MIN_KEY_SIZE) return false
    const found = this.#sessions.get(Buffer.from(key).readUInt32BE())
    if (found === undefined || found.key.length !== key.length || !timingSafeEqual(found.key, key)) return false
    found.onCancel()
    return true
  }

  #freeHead(): number {
    for (;;) {
      this.#counter = (this.#counter + 1) % COUNTER_LIMIT
      const head = this.#worker * COUNTER_LIMIT + this.#counter
      if (!this.#sessions.has(head)) return head
    }
  }
}

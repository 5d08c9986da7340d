import type { Joined, Session } from './protocol.ts'

/** A session nobody is in any more ends after this long, so that the requests of one piece of work stand on one tape. */
export const SHARED_IDLE_MS = 15 * 60_000

interface Shared {
  readonly session: Session
  readonly state: unknown
  inside: number
  idle: NodeJS.Timeout | undefined
  ended: boolean
}

/**
 * Sessions of protocols in which a connection is none (HTTP): requests that prove the same identity and ask for the same target in the
 * same run meet in one, whatever connections they come by. Opened by the first, ended some time after the last.
 */
export class SharedSessions {
  readonly #shared = new Map<string, Promise<Shared>>()
  readonly #ending = new Set<Promise<void>>()
  readonly #idleMs: number

  constructor(idleMs = SHARED_IDLE_MS) {
    this.#idleMs = idleMs
  }

  /** `make` is called once per session and key; rejects as `open` does. Whoever joined leaves by disposing. */
  async join<T>(key: string, open: () => Promise<Session>, make: (session: Session) => T): Promise<Joined<T>> {
    const pending = this.#shared.get(key) ?? this.#open(key, open, make)
    const shared = await pending
    clearTimeout(shared.idle)
    shared.inside++
    let left = false
    return {
      session: shared.session,
      state: shared.state as T, // made by the `make` of the same key
      [Symbol.dispose]: () => {
        if (left) return
        left = true
        shared.inside--
        this.#rest(key, pending, shared)
      },
    }
  }

  /** Resolves when those that are ending have been sealed. */
  async drained(): Promise<void> {
    await Promise.all(this.#ending)
  }

  #open<T>(key: string, open: () => Promise<Session>, make: (session: Session) => T): Promise<Shared> {
    const opening = (async (): Promise<Shared> => {
      const session = await open()
      const shared: Shared = { session, state: make(session), inside: 0, idle: undefined, ended: false }
      session.signal.addEventListener('abort', () => this.#rest(key, opening, shared), { once: true })
      return shared
    })()
    this.#shared.set(key, opening)
    opening.catch(() => this.#forget(key, opening))
    return opening
  }

  /** Nobody joins what is over; it is sealed when the last one has left. */
  #rest(key: string, pending: Promise<Shared>, shared: Shared): void {
    const over = shared.session.signal.aborted
    if (over) this.#forget(key, pending)
    if (shared.inside > 0) return
    if (over) this.#end(shared)
    else {
      shared.idle = setTimeout(() => {
        this.#forget(key, pending)
        shared.session.closing('idle')
        this.#end(shared)
      }, this.#idleMs).unref()
    }
  }

  #end(shared: Shared): void {
    clearTimeout(shared.idle)
    if (shared.ended) return
    shared.ended = true
    const ending = Promise.resolve(shared.session[Symbol.asyncDispose]()).finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }

  #forget(key: string, pending: Promise<Shared>): void {
    if (this.#shared.get(key) === pending) this.#shared.delete(key)
  }
}

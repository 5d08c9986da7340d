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

class Inside<T> implements Joined<T> {
  readonly session: Session
  readonly state: T
  #leave: (() => void) | undefined

  constructor(session: Session, state: T, leave: () => void) {
    this.session = session
    this.state = state
    this.#leave = leave
  }

  [Symbol.dispose](): void {
    this.#leave?.()
    this.#leave = undefined
  }
}

/**
 * Sessions of protocols in which a connection is none (HTTP): requests that prove the same identity and ask for the same target in the
 * same run meet in one, whatever connections they come by. Opened by the first, ended some time after the last.
 */
export class SharedSessions {
  readonly #shared = new Map<string, Promise<Shared>>()
  /** Those nobody is in, the idlest first. */
  readonly #resting = new Map<Shared, () => void>()
  readonly #ending = new Map<Promise<void>, Session>()
  readonly #idleMs: number

  constructor(idleMs = SHARED_IDLE_MS) {
    this.#idleMs = idleMs
  }

  /** `make` is called once per session and key; rejects as `open` does. Whoever joined leaves by disposing. */
  async join<T>(key: string, open: () => Promise<Session>, make: (session: Session) => T): Promise<Joined<T>> {
    let pending: Promise<Shared>
    let shared: Shared
    do {
      pending = this.#shared.get(key) ?? this.#open(key, open, make)
      shared = await pending
      // It may have given way just now.
    } while (shared.ended)
    this.#resting.delete(shared)
    shared.inside++
    // Its state was made by the `make` of the same key.
    return new Inside(shared.session, shared.state as T, () => {
      shared.inside--
      this.#rest(key, pending, shared)
    })
  }

  /**
   * Ends the session, of those that fit, that nobody has been in for longest. What is returned resolves when it, or one that was ending
   * already, has been sealed; undefined where somebody is in all of them.
   */
  giveWay(fits: (session: Session) => boolean): Promise<void> | undefined {
    for (const [{ session }, end] of this.#resting) {
      if (!fits(session)) continue
      session.closing('idle: another session needed its place')
      end()
      break
    }
    for (const [ending, session] of this.#ending) if (fits(session)) return ending
    return undefined
  }

  /** Resolves when those that are ending have been sealed. */
  async drained(): Promise<void> {
    await Promise.all(this.#ending.keys())
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
      const end = (): void => {
        this.#forget(key, pending)
        shared.session.closing('idle')
        this.#end(shared)
      }
      // It runs on while somebody is inside, and begins anew with each who leaves: a timer for every request would cost more.
      shared.idle ??= setTimeout(() => this.#resting.get(shared)?.(), this.#idleMs).unref()
      shared.idle.refresh()
      this.#resting.delete(shared)
      this.#resting.set(shared, end)
    }
  }

  #end(shared: Shared): void {
    clearTimeout(shared.idle)
    this.#resting.delete(shared)
    if (shared.ended) return
    shared.ended = true
    const ending: Promise<void> = Promise.resolve(shared.session[Symbol.asyncDispose]()).finally(() =>
      this.#ending.delete(ending),
    )
    this.#ending.set(ending, shared.session)
  }

  #forget(key: string, pending: Promise<Shared>): void {
    if (this.#shared.get(key) === pending) this.#shared.delete(key)
  }
}

import type { SharedDatabase } from './shared-database.ts'

/** Before the ids of tapes; no area of records has the name. */
const TOPIC = 'tapes/'
/** What grows meanwhile is told together: as soon as a person notices, and no more than five times a second. */
const GATHER_MS = 200
/** PostgreSQL notifies of 8,000 bytes at most; an id has up to 66. */
const IDS_PER_NEWS = 100
const ID = /^\d{8}T\d{6}Z-[a-z0-9-]{1,40}-\d{8,15}$/

/**
 * Gateways tell each other which tapes have grown in the store, so that whoever shows one need not look at all of them all the time. News
 * may be lost, and come from whoever may write to the database: they only say where to look, and what is there is found without them, later.
 */
export class TapeNews implements Disposable {
  readonly #database: SharedDatabase
  readonly #grown = new Set<string>()
  readonly #listeners = new Set<(ids: readonly string[]) => void>()
  readonly #deaf: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(database: SharedDatabase) {
    this.#database = database
    this.#deaf = database.hear((path) => this.#hear(path))
  }

  /** Returns at once. */
  grew(id: string): void {
    this.#grown.add(id)
    this.#timer ??= setTimeout(() => this.#tell(), GATHER_MS).unref()
  }

  /** Of those that grew anywhere, here too; returns what ends it. */
  hear(listener: (ids: readonly string[]) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#deaf()
  }

  #tell(): void {
    this.#timer = undefined
    const ids = [...this.#grown]
    this.#grown.clear()
    // Away for now: tapes are looked at by the clock as well.
    for (let from = 0; from < ids.length; from += IDS_PER_NEWS)
      this.#database.say(`${TOPIC}${ids.slice(from, from + IDS_PER_NEWS).join(' ')}`).catch(() => undefined)
  }

  #hear(path: string | undefined): void {
    if (path === undefined || !path.startsWith(TOPIC) || this.#listeners.size === 0) return
    const ids = path
      .slice(TOPIC.length)
      .split(' ')
      .filter((id) => ID.test(id))
    for (const listener of [...this.#listeners]) listener(ids)
  }
}

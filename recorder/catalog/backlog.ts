import { type Followed, type FollowedParts, type FollowedTapes, RETRY_MS } from './followed-tapes.ts'
import type { IngestNewsParts } from './ingest-news.ts'
import { storeDigests } from './store-rows.ts'
import { sortIn } from './text-index.ts'

/** Tapes that are written together: most of what a short one costs is its transaction. */
const BATCH_TAPES = 50
const BATCH_FRAMES = 5_000

type Parts = FollowedParts & Pick<IngestNewsParts, 'onStored' | 'onProblem'>

/** Tapes from before the start that are read to their end: written many at a time, while the next are read. */
export class Backlog {
  readonly #parts: Parts
  readonly #tapes: FollowedTapes
  /** Written next, and how many frames they have. */
  #gathered: string[] = []
  #frames = 0
  /** Never rejects. */
  #writing: Promise<void> = Promise.resolve()
  /** Texts may wait to be sorted in. */
  #unsorted = false

  constructor(parts: Parts, tapes: FollowedTapes) {
    this.#parts = parts
    this.#tapes = tapes
  }

  /** Resolves once nothing is being written; what was only gathered still waits for `flush`. */
  get written(): Promise<void> {
    return this.#writing
  }

  /** Everything is read again: what was gathered is not written. */
  clear(): void {
    this.#gathered = []
    this.#frames = 0
  }

  async add(id: string, each: Followed, stop: AbortSignal): Promise<void> {
    this.#tapes.batch.set(id, each)
    // No longer followed, so that the next one has its turn; what is lost with this process is read again.
    each.dueMs = Number.POSITIVE_INFINITY
    this.#gathered.push(id)
    this.#frames += each.follower.digest?.row().frames ?? 0
    if (this.#gathered.length >= BATCH_TAPES || this.#frames >= BATCH_FRAMES) await this.flush(stop)
  }

  /** Begins to write what was gathered, once what was gathered before is written: the database works while the next tapes are read. */
  async flush(stop: AbortSignal): Promise<void> {
    const ids = this.#gathered
    this.clear()
    await this.#writing
    if (ids.length > 0 && !stop.aborted) this.#writing = this.#write(ids)
  }

  /** Nothing old is left to read: searches need not walk through what was put aside of it. */
  async sortIn(stop: AbortSignal): Promise<void> {
    await this.#writing
    if (!this.#unsorted || stop.aborted) return
    this.#unsorted = false
    await sortIn(this.#parts.database)
  }

  async #write(ids: readonly string[]): Promise<void> {
    const { batch } = this.#tapes
    const digests = ids.flatMap((id) => batch.get(id)?.follower.digest ?? [])
    try {
      await storeDigests(this.#parts.database, digests, 'backlog')
      this.#unsorted = true
    } catch (error) {
      // Each on its own the next time, so that one that cannot be written keeps no other out.
      for (const id of ids) {
        batch.delete(id)
        this.#tapes.begin(id, false, performance.now() + RETRY_MS, { told: true, failed: true })
      }
      this.#parts.onProblem(
        `${ids.length} tapes could not be taken into the catalog (${error instanceof Error ? error.name : 'unknown'}); they are tried again`,
      )
      return
    }
    for (const digest of digests) {
      this.#parts.onStored(digest.row())
      this.#tapes.end(digest.id)
    }
  }
}

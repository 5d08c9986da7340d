import { ApplianceError } from '../../schemas/errors.ts'
import { Backlog } from './backlog.ts'
import { resetCatalog } from './database.ts'
import { type Followed, type FollowedParts, FollowedTapes, RETRY_MS } from './followed-tapes.ts'
import { IngestNews, type IngestNewsParts } from './ingest-news.ts'
import { forgetSession, storeDigests } from './store-rows.ts'

/** For tapes from before the start, between two looks at those that run. */
const OLD_ROUND_MS = 100
/** Between looks at whether everything is read; only while somebody waits for it. */
const SETTLE_POLL_MS = 20

/**
 * Keeps the catalog in step with the store: reads every tape it has not read to its end, newest first, and follows those that
 * grow. What is written is what is in the store, so a row never tells of a frame that could still be lost.
 */
export class Ingest {
  readonly #parts: FollowedParts & IngestNewsParts
  readonly #tapes: FollowedTapes
  readonly #backlog: Backlog
  readonly #news: IngestNews
  readonly #stop = new AbortController()
  #halting = new AbortController()
  #waking = new AbortController()
  #settles = 0
  #running: Promise<void> | undefined

  constructor(parts: FollowedParts & IngestNewsParts) {
    this.#parts = parts
    this.#tapes = new FollowedTapes(parts)
    this.#backlog = new Backlog(parts, this.#tapes)
    this.#news = new IngestNews(parts)
  }

  /** Reads which tapes are done already, and begins. */
  async start(): Promise<void> {
    await this.#tapes.start()
    await this.#look()
    this.#running = this.#run()
  }

  /** Resolves once every tape has been read to where it ended at the call. */
  async settle(): Promise<void> {
    const { open, batch } = this.#tapes
    await this.#tapes.discover()
    this.#settles += 1
    const own = this.#settles
    for (const [id, each] of open) {
      if (!batch.has(id)) each.dueMs = 0
    }
    while (!this.#stop.signal.aborted && [...open.values()].some(({ settled, failed }) => settled < own && !failed))
      await this.#pause(SETTLE_POLL_MS)
  }

  /** Reads these on now; whoever says so has seen that there is more. */
  grew(ids: readonly string[]): void {
    if (this.#tapes.grew(ids)) this.#waking.abort()
  }

  /** Drops every row and reads every tape again. */
  async rebuild(): Promise<void> {
    await this.beginRebuild()
    await this.settle()
  }

  /** Drops every row and begins to read every tape again. What ends meanwhile goes on where its rows end. */
  async beginRebuild(): Promise<void> {
    await this.#halt()
    await resetCatalog(this.#parts.database)
    this.#tapes.clear()
    this.#backlog.clear()
    await this.start()
    this.#news.tellLag(this.#tapes.open.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#halt()
    this.#parts.tapes.arrivals[Symbol.dispose]()
  }

  async #halt(): Promise<void> {
    this.#halting.abort()
    await this.#running
    this.#halting = new AbortController()
  }

  async #run(): Promise<void> {
    const stop = AbortSignal.any([this.#stop.signal, this.#halting.signal])
    while (!stop.aborted) {
      if (this.#tapes.discoveryIsDue) await this.#look()
      const progressed = await this.#round(stop)
      this.#news.tellLag(this.#tapes.open.values())
      if (!progressed && !stop.aborted) {
        // Wakes for new folders and news; running tapes are looked at by the clock.
        const woken = AbortSignal.any([stop, this.#waking.signal])
        if ((await this.#parts.tapes.arrivals.wait(woken)) && !stop.aborted) await this.#look()
        if (this.#waking.signal.aborted) this.#waking = new AbortController()
      }
    }
    await this.#backlog.written
  }

  /** A step of every tape that is due; of old ones as many as fit between two looks at the running ones. Whether there is more to do at once. */
  async #round(stop: AbortSignal): Promise<boolean> {
    const nowMs = performance.now()
    let more = false
    for (const [id, each] of this.#tapes.open) {
      if (stop.aborted) return false
      if (each.dueMs > nowMs || this.#tapes.batch.has(id)) continue
      if (each.old && !each.caughtUp && performance.now() - nowMs > OLD_ROUND_MS) {
        more = true
        continue
      }
      more = (await this.#step(id, each, stop)) || more
    }
    if (!more) {
      await this.#backlog.flush(stop)
      await this.#backlog.sortIn(stop)
    }
    return more
  }

  async #step(id: string, each: Followed, stop: AbortSignal): Promise<boolean> {
    const { follower } = each
    each.news = false
    const before = follower.digest?.row().frames ?? -1
    // A step that began before the call may have looked too early.
    const settles = this.#settles
    try {
      const step = await follower.step(stop)
      const digest = follower.digest
      const changed = digest !== undefined && (digest.row().frames !== before || step === 'ended')
      if (digest !== undefined && step === 'ended' && each.old && !each.told) {
        await this.#backlog.add(id, each, stop)
        return true
      }
      if (digest !== undefined && changed) {
        await this.#backlog.written
        await storeDigests(this.#parts.database, [digest])
        this.#parts.onStored(digest.row())
      }
      if (step === 'ended' && digest !== undefined) {
        this.#tapes.end(id)
      }
      if (step !== 'more') {
        each.caughtUp = true
        each.settled = settles
      }
      if (digest !== undefined && changed && step !== 'more') this.#news.tell(each, digest)
      const { livePollMs, maxIdlePollMs } = this.#parts.tapes.arrivals.pace
      each.waitMs = changed ? livePollMs : Math.min(maxIdlePollMs, each.waitMs * 2)
      each.dueMs = step === 'more' || each.news ? 0 : performance.now() + each.waitMs
      return step === 'more'
    } catch (error) {
      if (stop.aborted) return false
      // Begun anew, so that what was half taken in is not counted twice.
      this.#tapes.begin(id, each.old, performance.now() + RETRY_MS, { failed: true })
      await this.#backlog.written
      await forgetSession(this.#parts.database, id)
      const code = error instanceof ApplianceError ? error.code : error instanceof Error ? error.name : 'unknown'
      this.#parts.onProblem(`the tape of ${id} could not be taken into the catalog (${code}); it is tried again`)
      return false
    }
  }

  /** A store that cannot be listed now is asked again the next time. */
  async #look(): Promise<void> {
    await this.#backlog.written
    try {
      await this.#tapes.discover()
    } catch (error) {
      const code = error instanceof ApplianceError ? error.code : error instanceof Error ? error.name : 'unknown'
      this.#parts.onProblem(`the tapes could not be listed (${code}); they are listed again later`)
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }
}

import type { CatalogLag, SessionRow } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { TapesAt } from './arrivals.ts'
import { type Database, resetCatalog } from './database.ts'
import type { DeletedSessions } from './deleted-sessions.ts'
import type { Describers } from './describe.ts'
import type { SessionDigest } from './digest.ts'
import type { Change } from './messages.ts'
import { dropBefore, keptFrom } from './months.ts'
import { forgetSession, storeDigests } from './store-rows.ts'
import { TapeFollower } from './tape-follower.ts'
import { PENDING, sortIn } from './text-index.ts'

/** A tape that could not be read is tried again then. */
const RETRY_MS = 10_000
/** Tapes from before the start that are written together: most of what a short one costs is its transaction. */
const BATCH_TAPES = 50
const BATCH_FRAMES = 5_000
/** For tapes from before the start, between two looks at those that run. */
const OLD_ROUND_MS = 100
/** Between looks at whether everything is read; only while somebody waits for it. */
const SETTLE_POLL_MS = 20

interface Followed {
  readonly follower: TapeFollower
  /** Found at the start, behind which running tapes must not wait. */
  readonly old: boolean
  told: boolean
  /** There is more, as somebody said after the present look began. */
  news: boolean
  dueMs: number
  waitMs: number
  caughtUp: boolean
  /** The newest call of `settle` after which it was read to its end. */
  settled: number
  /** Could not be read the last time; tried again later. */
  readonly failed: boolean
}

export interface IngestParts {
  readonly database: Database
  readonly tapes: TapesAt
  /** Whose tapes are gone under a rule. */
  readonly deleted: DeletedSessions
  readonly describers: Describers
  /** Keys what stands for masked rows in the catalog. */
  readonly secret: string
  readonly onChange: (change: Change) => void
  /** Whole months that ended longer ago are dropped, and not read again. */
  readonly keepDays?: number
  /** What was written of a session has changed. */
  readonly onStored: (row: SessionRow) => void
  readonly onLag: (lag: CatalogLag) => void
  readonly onProblem: (message: string) => void
}

/**
 * Keeps the catalog in step with the store: reads every tape it has not read to its end, newest first, and follows those that
 * grow. What is written is what is in the store, so a row never tells of a frame that could still be lost.
 */
export class Ingest {
  readonly #parts: IngestParts
  readonly #stop = new AbortController()
  readonly #followed = new Map<string, Followed>()
  readonly #done = new Set<string>()
  /** Old tapes read to their end and not yet written. */
  readonly #batch = new Map<string, Followed>()
  #halting = new AbortController()
  #waking = new AbortController()
  #settles = 0
  #behindSinceMs: number | undefined
  #backfill = true
  /** Texts of old tapes may wait to be sorted in. */
  #unsorted = false
  #discoverMs = 0
  #running: Promise<void> | undefined
  #said = ''
  /** The month from which sessions are kept; before all, where all are. */
  #from = ''

  constructor(parts: IngestParts) {
    this.#parts = parts
  }

  /** Reads which tapes are done already, and begins. */
  async start(): Promise<void> {
    const { rows } = await this.#parts.database.query<{ id: string }>(`select id from catalog.sessions where state <> 'live'`)
    for (const { id } of rows) this.#done.add(id)
    await this.#look()
    this.#running = this.#run()
  }

  /** Resolves once every tape has been read to where it ended at the call. */
  async settle(): Promise<void> {
    await this.#discover()
    this.#settles += 1
    const own = this.#settles
    for (const [id, each] of this.#followed) {
      if (!this.#batch.has(id)) each.dueMs = 0
    }
    while (!this.#stop.signal.aborted && [...this.#followed.values()].some(({ settled, failed }) => settled < own && !failed))
      await this.#pause(SETTLE_POLL_MS)
  }

  /** Reads these on now; whoever says so has seen that there is more. */
  grew(ids: readonly string[]): void {
    if (this.#backfill) return
    for (const id of ids) {
      const followed = this.#followed.get(id)
      if (followed !== undefined) {
        followed.news = true
        if (!followed.failed && !this.#batch.has(id)) followed.dueMs = 0
      } else if (!this.#done.has(id) && id >= this.#from) this.#followed.set(id, this.#begin(id, false, 0))
    }
    this.#waking.abort()
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
    this.#followed.clear()
    this.#batch.clear()
    this.#done.clear()
    this.#backfill = true
    await this.start()
    this.#tellLag()
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
      if (performance.now() >= this.#discoverMs) await this.#look()
      const progressed = await this.#round(stop)
      this.#tellLag()
      if (!progressed && !stop.aborted) {
        // Wakes for new folders and news; running tapes are looked at by the clock.
        const woken = AbortSignal.any([stop, this.#waking.signal])
        if ((await this.#parts.tapes.arrivals.wait(woken)) && !stop.aborted) await this.#look()
        if (this.#waking.signal.aborted) this.#waking = new AbortController()
      }
    }
  }

  /** A step of every tape that is due; of old ones as many as fit between two looks at the running ones. Whether there is more to do at once. */
  async #round(stop: AbortSignal): Promise<boolean> {
    const nowMs = performance.now()
    let more = false
    for (const [id, each] of this.#followed) {
      if (stop.aborted) return false
      if (each.dueMs > nowMs || this.#batch.has(id)) continue
      if (each.old && !each.caughtUp && performance.now() - nowMs > OLD_ROUND_MS) {
        more = true
        continue
      }
      more = (await this.#step(id, each, stop)) || more
    }
    if (!more) {
      await this.#flush(stop)
      await this.#sortIn(stop)
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
        // No longer followed, so that the next one has its turn; what is lost with this process is read again.
        this.#batch.set(id, each)
        each.dueMs = Number.POSITIVE_INFINITY
        const frames = [...this.#batch.values()].reduce((sum, { follower: one }) => sum + (one.digest?.row().frames ?? 0), 0)
        if (this.#batch.size >= BATCH_TAPES || frames >= BATCH_FRAMES) await this.#flush(stop)
        return true
      }
      if (digest !== undefined && changed) {
        await storeDigests(this.#parts.database, [digest])
        this.#parts.onStored(digest.row())
      }
      if (step === 'ended' && digest !== undefined) {
        this.#followed.delete(id)
        this.#done.add(id)
      }
      if (step !== 'more') {
        each.caughtUp = true
        each.settled = settles
      }
      if (digest !== undefined && changed && step !== 'more') this.#tell(each, digest)
      const { livePollMs, maxIdlePollMs } = this.#parts.tapes.arrivals.pace
      each.waitMs = changed ? livePollMs : Math.min(maxIdlePollMs, each.waitMs * 2)
      each.dueMs = step === 'more' || each.news ? 0 : performance.now() + each.waitMs
      return step === 'more'
    } catch (error) {
      if (stop.aborted) return false
      // Begun anew, so that what was half taken in is not counted twice.
      this.#followed.set(id, { ...this.#begin(id, each.old, performance.now() + RETRY_MS), failed: true })
      await forgetSession(this.#parts.database, id)
      const code = error instanceof ApplianceError ? error.code : error instanceof Error ? error.name : 'unknown'
      this.#parts.onProblem(`the tape of ${id} could not be taken into the catalog (${code}); it is tried again`)
      return false
    }
  }

  /** Nothing old is left to read: searches need not walk through what was put aside of it. */
  async #sortIn(stop: AbortSignal): Promise<void> {
    if (!this.#unsorted || stop.aborted) return
    this.#unsorted = false
    await sortIn(this.#parts.database)
  }

  async #flush(stop: AbortSignal): Promise<void> {
    const batch = [...this.#batch]
    this.#batch.clear()
    if (batch.length === 0 || stop.aborted) return
    try {
      await storeDigests(
        this.#parts.database,
        batch.flatMap(([, { follower }]) => follower.digest ?? []),
        PENDING.backlog,
      )
      this.#unsorted = true
    } catch (error) {
      // Each on its own the next time, so that one that cannot be written keeps no other out.
      for (const [id] of batch)
        this.#followed.set(id, { ...this.#begin(id, false, performance.now() + RETRY_MS), told: true, failed: true })
      this.#parts.onProblem(
        `${batch.length} tapes could not be taken into the catalog (${error instanceof Error ? error.name : 'unknown'}); they are tried again`,
      )
      return
    }
    for (const [id, { follower }] of batch) {
      if (follower.digest !== undefined) this.#parts.onStored(follower.digest.row())
      this.#followed.delete(id)
      this.#done.add(id)
    }
  }

  #tell(each: Followed, digest: SessionDigest): void {
    const row = digest.row()
    if (!each.told) {
      each.told = true
      // Tapes that had ended before this start are no news.
      if (each.old && row.state !== 'live') return
      this.#parts.onChange({ change: 'opened', row })
    }
    if (row.state !== 'live') {
      this.#parts.onChange({ change: 'closed', row })
      return
    }
    const { id: session, state, frames, durationUs, statements, rows, bytesOut, masked, verdicts, target } = row
    const progress = { session, state, frames, durationUs, statements, rows, bytesOut, masked, verdicts }
    this.#parts.onChange({ change: 'progress', target: target.name, progress })
  }

  /** A store that cannot be listed now is asked again the next time. */
  async #look(): Promise<void> {
    try {
      await this.#discover()
    } catch (error) {
      const code = error instanceof ApplianceError ? error.code : error instanceof Error ? error.name : 'unknown'
      this.#parts.onProblem(`the tapes could not be listed (${code}); they are listed again later`)
    }
  }

  /** New sessions, newest first: ids begin with the start. */
  async #discover(): Promise<void> {
    const { arrivals } = this.#parts.tapes
    this.#discoverMs = performance.now() + arrivals.pace.discoverMs
    await this.#drop()
    const ids = await arrivals.ids()
    await this.#forgetDeleted(new Set(ids))
    const fresh = ids.filter((id) => id >= this.#from && !this.#done.has(id) && !this.#followed.has(id))
    for (const id of fresh.sort().reverse()) this.#followed.set(id, this.#begin(id, this.#backfill, 0))
    this.#backfill = false
  }

  /** Months whose time is over. */
  async #drop(): Promise<void> {
    const { keepDays, database } = this.#parts
    if (keepDays === undefined) return
    const from = keptFrom(keepDays, Date.now())
    if (from === this.#from) return
    await dropBefore(database, from)
    this.#from = from
    for (const id of this.#done) if (id < from) this.#done.delete(id)
  }

  /** Tapes that were deleted under a rule are not found any more either. Those that are gone without a word stay, to be missed. */
  async #forgetDeleted(present: ReadonlySet<string>): Promise<void> {
    const gone = [...this.#done].filter((id) => !present.has(id))
    if (gone.length === 0) return
    const deleted = await this.#parts.deleted.catchUp()
    for (const id of gone) {
      if (!deleted.has(id) || !this.#done.has(id)) continue
      // Where this fails it is tried again at the next look.
      await forgetSession(this.#parts.database, id)
      this.#done.delete(id)
    }
  }

  #begin(id: string, old: boolean, dueMs: number): Followed {
    const follower = new TapeFollower(this.#parts.tapes.store, id, this.#parts)
    const { livePollMs: waitMs } = this.#parts.tapes.arrivals.pace
    return { follower, old, told: false, news: false, dueMs, waitMs, caughtUp: false, settled: 0, failed: false }
  }

  #tellLag(): void {
    const behind = [...this.#followed.values()].filter(({ caughtUp }) => !caughtUp)
    if (behind.length === 0) this.#behindSinceMs = undefined
    else this.#behindSinceMs ??= Date.now()
    const lag: CatalogLag = {
      state: behind.some(({ old }) => old) ? 'backfill' : 'following',
      sessions: behind.length,
      behindMs: this.#behindSinceMs === undefined ? 0 : Date.now() - this.#behindSinceMs,
    }
    const said = `${lag.state} ${lag.sessions}`
    if (said === this.#said && lag.behindMs === 0) return
    this.#said = said
    this.#parts.onLag(lag)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }
}

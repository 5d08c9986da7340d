import type { TapesAt } from './arrivals.ts'
import type { Database } from './database.ts'
import type { DeletedSessions } from './deleted-sessions.ts'
import type { Describers } from './describe.ts'
import { dropBefore, keptFrom } from './months.ts'
import { forgetSession } from './store-rows.ts'
import { TapeFollower } from './tape-follower.ts'

/** A tape that could not be read or written is tried again then. */
export const RETRY_MS = 10_000

/** A tape that is not read to its end, and when it has its turn. */
export interface Followed {
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

export interface FollowedParts {
  readonly database: Database
  readonly tapes: TapesAt
  /** Whose tapes are gone under a rule. */
  readonly deleted: DeletedSessions
  readonly describers: Describers
  /** Keys what stands for masked rows in the catalog. */
  readonly secret: string
  /** Whole months that ended longer ago are dropped, and not read again. */
  readonly keepDays?: number
}

/** Which tapes there are, which are read to their end, which are still to be read, and in which order. */
export class FollowedTapes {
  readonly #parts: FollowedParts
  /** By session, in the order of their turns: newest first of what was found together. */
  readonly open = new Map<string, Followed>()
  readonly done = new Set<string>()
  /** Old tapes read to their end and not yet written; of `open`, too. */
  readonly batch = new Map<string, Followed>()
  #backfill = true
  #discoverMs = 0
  /** The month from which sessions are kept; before all, where all are. */
  #from = ''

  constructor(parts: FollowedParts) {
    this.#parts = parts
  }

  /** Reads which tapes are done already. */
  async start(): Promise<void> {
    const { rows } = await this.#parts.database.query<{ id: string }>(`select id from catalog.sessions where state <> 'live'`)
    for (const { id } of rows) this.done.add(id)
  }

  /** Nothing was ever read. */
  clear(): void {
    this.open.clear()
    this.batch.clear()
    this.done.clear()
    this.#backfill = true
  }

  get discoveryIsDue(): boolean {
    return performance.now() >= this.#discoverMs
  }

  /** New sessions, newest first: ids begin with the start. Rejects as the store does. */
  async discover(): Promise<void> {
    const { arrivals } = this.#parts.tapes
    this.#discoverMs = performance.now() + arrivals.pace.discoverMs
    await this.#drop()
    const ids = await arrivals.ids()
    await this.#forgetDeleted(new Set(ids))
    const fresh = ids.filter((id) => id >= this.#from && !this.done.has(id) && !this.open.has(id))
    for (const id of fresh.sort().reverse()) this.begin(id, this.#backfill, 0)
    this.#backfill = false
  }

  /** There is more of these, as somebody has seen: they are due now. False before the first look, which finds them anyway. */
  grew(ids: readonly string[]): boolean {
    if (this.#backfill) return false
    for (const id of ids) {
      const followed = this.open.get(id)
      if (followed !== undefined) {
        followed.news = true
        if (!followed.failed && !this.batch.has(id)) followed.dueMs = 0
      } else if (!this.done.has(id) && id >= this.#from) this.begin(id, false, 0)
    }
    return true
  }

  /** Reads it from its beginning. */
  begin(id: string, old: boolean, dueMs: number, is: Partial<Pick<Followed, 'told' | 'failed'>> = {}): void {
    const follower = new TapeFollower(this.#parts.tapes.store, id, this.#parts)
    const { livePollMs: waitMs } = this.#parts.tapes.arrivals.pace
    const fresh = { follower, old, told: false, news: false, dueMs, waitMs, caughtUp: false, settled: 0, failed: false }
    this.open.set(id, { ...fresh, ...is })
  }

  /** It is read to its end, and written. */
  end(id: string): void {
    this.open.delete(id)
    this.batch.delete(id)
    this.done.add(id)
  }

  /** Months whose time is over. */
  async #drop(): Promise<void> {
    const { keepDays, database } = this.#parts
    if (keepDays === undefined) return
    const from = keptFrom(keepDays, Date.now())
    if (from === this.#from) return
    await dropBefore(database, from)
    this.#from = from
    for (const id of this.done) if (id < from) this.done.delete(id)
  }

  /** Tapes that were deleted under a rule are not found any more either. Those that are gone without a word stay, to be missed. */
  async #forgetDeleted(present: ReadonlySet<string>): Promise<void> {
    const gone = [...this.done].filter((id) => !present.has(id))
    if (gone.length === 0) return
    const deleted = await this.#parts.deleted.catchUp()
    for (const id of gone) {
      if (!deleted.has(id) || !this.done.has(id)) continue
      // Where this fails it is tried again at the next look.
      await forgetSession(this.#parts.database, id)
      this.done.delete(id)
    }
  }
}

import type { SessionRow } from '../../schemas/api.ts'
import type { Finding, FindingRow, FindingsConfig } from '../../schemas/findings.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Database } from '../catalog/database.ts'
import type { Store } from '../store/store.ts'
import { Decisions } from './decisions.ts'
import { readFinding, rowOf, untold } from './finding-rows.ts'
import { findWeek, scanWeek, unscannedWeeks, weekOf } from './scan.ts'
import type { Weighed } from './weigh.ts'

/** Between two looks at whether there is something new to look through. */
const EVERY_MS = 5_000
/** Of the time: looking through may take this part of it, so that whoever asks is answered. */
const SHARE = 0.2

/** A finding as it was told, and what its detector says of the same week now. */
export interface Explained {
  readonly finding: Finding
  readonly reproduced: boolean
  /** Of what is found now; null where nothing is. */
  readonly hashNow: string | null
}

export interface FindingNews {
  readonly row: FindingRow
  readonly sessionIds: readonly string[]
}

export interface FindingWatchParts {
  readonly database: Database
  /** Whose ledger has the decisions of people. */
  readonly store: Store
  /** Whose entries of the ledger count. */
  readonly trusted: () => Promise<readonly GatewayKey[]>
  readonly config: FindingsConfig
  /** Told of each until it was marked as told. */
  readonly onFinding: (news: FindingNews) => void
  readonly onProblem: (message: string) => void
}

/** Looks through what is new in the catalog, a week at a time, as long as it is open. */
export class FindingWatch implements AsyncDisposable {
  readonly #parts: FindingWatchParts
  readonly #weeks = new Set<number>()
  readonly #decisions: Decisions
  readonly #explaining = new Map<string, Promise<Explained | null>>()
  #work: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  private constructor(parts: FindingWatchParts) {
    this.#parts = parts
    this.#decisions = new Decisions(parts.database, parts.store, parts.trusted)
  }

  static async open(parts: FindingWatchParts): Promise<FindingWatch> {
    const watch = new FindingWatch(parts)
    await watch.again()
    watch.#later(EVERY_MS)
    return watch
  }

  /** Weeks that have to be looked through, after a start or a rebuild. */
  async again(): Promise<void> {
    this.#decisions.again()
    for (const week of await unscannedWeeks(this.#parts.database, this.#parts.config)) this.#weeks.add(week)
  }

  /** Something of this session was written. */
  changed({ startedAt, durationUs }: Pick<SessionRow, 'startedAt' | 'durationUs'>): void {
    const startMs = Date.parse(startedAt)
    this.#weeks.add(weekOf(startMs))
    this.#weeks.add(weekOf(startMs + durationUs / 1000))
  }

  /** Resolves once everything that is written has been looked through. */
  async scan(): Promise<void> {
    this.#work = this.#work.then(() => this.#scan())
    await this.#work
  }

  /** Runs the detector over the finding's week again, and compares. Null where there is no such finding. Whoever asks meanwhile gets the same answer. */
  explain(id: string): Promise<Explained | null> {
    const running = this.#explaining.get(id) ?? this.#explain(id).finally(() => this.#explaining.delete(id))
    this.#explaining.set(id, running)
    return running
  }

  async #explain(id: string): Promise<Explained | null> {
    const { database, config } = this.#parts
    const found = await readFinding(database, id)
    if (found === null) return null
    const now = (await findWeek(database, found.weekMs, config, found.finding.detector)).find((each) => each.id === id)
    return { finding: found.finding, reproduced: now?.hash === found.finding.hash, hashNow: now?.hash ?? null }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#work
  }

  #later(ms: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(async () => {
      const begunMs = performance.now()
      await this.scan()
      this.#later(Math.max(EVERY_MS, (performance.now() - begunMs) / SHARE))
    }, ms)
    this.#timer.unref()
  }

  async #scan(): Promise<void> {
    const { database, config, onProblem } = this.#parts
    try {
      for (const atMs of await this.#decisions.take()) this.#weeks.add(weekOf(atMs))
    } catch (error) {
      // Begun anew, so that nothing is left out.
      this.#decisions.again()
      onProblem(
        `decisions could not be read from the ledger (${error instanceof Error ? error.name : 'unknown'}); they are read again`,
      )
    }
    for (const week of [...this.#weeks].sort((a, b) => b - a)) {
      if (this.#closed) return
      this.#weeks.delete(week)
      try {
        await this.#tell(await scanWeek(database, week, config))
      } catch (error) {
        this.#weeks.add(week)
        onProblem(
          `findings could not be looked for (${error instanceof Error ? error.name : 'unknown'}); they are looked for again`,
        )
        return
      }
    }
  }

  async #tell(found: readonly Weighed[]): Promise<void> {
    const fresh = await untold(
      this.#parts.database,
      found.map(({ id }) => id),
    )
    for (const each of found)
      if (fresh.has(each.id)) this.#parts.onFinding({ row: rowOf(each, 'open'), sessionIds: each.sessionIds })
  }
}

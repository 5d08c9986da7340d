import { setImmediate } from 'node:timers/promises'
import type { Contribution } from '../../schemas/findings.ts'
import type { Queries } from '../catalog/database.ts'
import { LONG_US } from '../catalog/schema.ts'
import { before, DAY_MS, type Draft, KEPT, type Window } from './detector.ts'
import { eachInTurns } from './in-turns.ts'

/** Of a statement in a finding; the replay has it whole. */
const SHOWN_CHARS = 300
/** Statements looked at in one go: so many are in memory, and so long nobody else is answered. */
const STEP = 5_000
/** Sessions looked at in one go. */
const SESSIONS = 1_000

export interface StatementRow {
  readonly session: string
  readonly frame: number
  readonly last_frame: number | null
  readonly text: string
  readonly rows: number
  readonly bytes_out: number
  readonly masked: number
  readonly outcome: string
  readonly objects: string[]
  readonly verbs: string[]
  readonly fingerprint: string | null
  readonly family: string
  readonly target: string
  readonly protocol: string
  readonly at: Date
}

interface Asked {
  readonly window: Window
  readonly condition: string
  readonly values: readonly unknown[]
}

/**
 * Statements asked within the window that fit the condition, some at a time: session after session, each in the order of its tape. None is left
 * out, however many there are. `$3` and on are `values`. Between two steps others have their turn.
 */
export async function* statements(
  queries: Queries,
  window: Window,
  condition: string,
  values: readonly unknown[] = [],
): AsyncGenerator<StatementRow> {
  const asked = { window, condition, values }
  for await (const sessions of sessionsOf(queries, window)) {
    let some: string[] = []
    let sum = 0
    for (const { id, statements: count } of sessions) {
      if (some.length > 0 && sum + count > STEP) {
        yield* within(queries, some, asked)
        some = []
        sum = 0
      }
      some.push(id)
      sum += count
    }
    yield* within(queries, some, asked)
  }
}

/** Sessions with a part in the window: those that went on for long have an index of their own, the others began shortly before. */
async function* sessionsOf(
  queries: Queries,
  { from, to }: Window,
): AsyncGenerator<readonly { readonly id: string; readonly statements: number }[]> {
  const recent = before(from, DAY_MS)
  for (const kind of [`duration_us > ${LONG_US} and started_at < $4`, 'started_at >= $4'])
    for (let last = ''; ; ) {
      const { rows } = await queries.query<{ id: string; statements: number }>(
        `select id, statements from catalog.sessions where ${kind} and id > $3
           and started_at < $2 and started_at + duration_us * interval '1 microsecond' >= $1 order by id limit ${SESSIONS}`,
        [from, to, last, recent],
      )
      if (rows.length > 0) yield rows
      if (rows.length < SESSIONS) break
      last = rows.at(-1)?.id ?? last
    }
}

/** Of these sessions, in steps of frames where one has many. */
async function* within(queries: Queries, ids: readonly string[], asked: Asked): AsyncGenerator<StatementRow> {
  const { window, condition, values } = asked
  const [first, last] = [ids[0], ids.at(-1)]
  const place = (nth: number): string => `$${values.length + 2 + nth}`
  // Frames are found by the index of one session; months by the bounds of several.
  const range =
    first === last
      ? `r.session = ${place(2)} and r.session = ${place(3)}`
      : `r.session >= ${place(2)} and r.session <= ${place(3)}`
  for (let frame = -1; ; ) {
    // Several sessions are not more than a step.
    const end = first === last ? await stepEnd(queries, first, frame) : undefined
    const { rows } = await queries.query<StatementRow>(
      `select r.session, r.frame, r.last_frame, left(r.text, ${SHOWN_CHARS}) as text, r.rows, r.bytes_out, r.masked, r.outcome, r.objects,
         r.verbs, r.fingerprint, coalesce(s.principal, s.subject) as family, s.target, s.protocol,
         s.started_at + r.at_us * interval '1 microsecond' as at
       from catalog.sessions s join catalog.statements r on r.session = s.id
       where s.id = any(${place(1)}) and ${range}
         and r.frame > ${place(4)} and (${place(5)}::bigint is null or r.frame <= ${place(5)})
         and s.started_at + r.at_us * interval '1 microsecond' >= $1 and s.started_at + r.at_us * interval '1 microsecond' < $2
         and (${condition})
       order by r.session, r.frame, r.part`,
      [window.from, window.to, ...values, [...ids], first, last, frame, end ?? null],
    )
    yield* rows
    await setImmediate()
    if (end === undefined) return
    frame = end
  }
}

/** The frame at which a step ends; undefined where the rest is less than one. */
async function stepEnd(queries: Queries, session: string | undefined, after: number): Promise<number | undefined> {
  const { rows } = await queries.query<{ frame: number }>(
    'select frame from catalog.statements where session = $1 and frame > $2 order by frame offset $3 limit 1',
    [session, after, STEP],
  )
  return rows[0]?.frame
}

export function ofStatement(row: StatementRow): Contribution {
  const { session, target, frame, last_frame, at, rows, bytes_out: bytesOut, text } = row
  return { session, target, frame, lastFrame: last_frame ?? frame, at: at.toISOString(), rows, bytesOut, text }
}

/** Statements that are evidence together: all are counted, the first ones kept. */
export class Places {
  #kept: StatementRow[] = []
  readonly #sessions = new Set<string>()
  #last = ''
  count = 0
  rows = 0
  bytes = 0

  add(row: StatementRow): void {
    this.count += 1
    this.rows += row.rows
    this.bytes += row.bytes_out
    this.#sessions.add(row.session)
    const at = row.at.toISOString()
    if (at > this.#last) this.#last = at
    this.#kept.push(row)
    if (this.#kept.length >= 2 * KEPT) this.#kept = this.#first()
  }

  /** With what is said of them all. */
  draft(said: Pick<Draft, 'value' | 'threshold' | 'unit' | 'summary' | 'object'>): Draft {
    const kept = this.#first()
    const [first] = kept
    return {
      family: first?.family ?? '',
      target: first?.target ?? '',
      ...said,
      baseline: null,
      coverage: null,
      contributions: kept.map(ofStatement),
      rest: { count: this.count - kept.length, sessions: [...this.#sessions], to: this.#last },
    }
  }

  /** In the order of time; sessions may go on side by side. */
  #first(): StatementRow[] {
    return [...this.#kept].sort((a, b) => a.at.getTime() - b.at.getTime()).slice(0, KEPT)
  }
}

/** Goes through statements with one state for each key of a session, and asks each for what it has found once the session is over. */
export async function perSession<S>(
  rows: AsyncIterable<StatementRow>,
  key: (row: StatementRow) => string,
  states: { begin(row: StatementRow): S; add(state: S, row: StatementRow): void; end(state: S): readonly Draft[] },
  /** Where there are too many at once, those that are forgotten; `left` says how many of a session, where one of them may be missed. */
  spare?: {
    readonly most: number
    idle(state: S, row: StatementRow): boolean
    left?(first: StatementRow, count: number): Draft
  },
): Promise<readonly Draft[]> {
  const drafts: Draft[] = []
  let first: StatementRow | undefined
  let forgotten = 0
  let own = new Map<string, S>()
  let most = spare?.most ?? 0
  const finish = async (): Promise<void> => {
    await eachInTurns(own.values(), (state) => void drafts.push(...states.end(state)))
    if (first !== undefined && forgotten > 0 && spare?.left !== undefined) drafts.push(spare.left(first, forgotten))
    own = new Map()
    forgotten = 0
    most = spare?.most ?? 0
  }
  for await (const row of rows) {
    if (row.session !== first?.session) {
      await finish()
      first = row
    }
    const id = key(row)
    const state = own.get(id) ?? states.begin(row)
    own.set(id, state)
    states.add(state, row)
    if (spare === undefined || own.size <= most) continue
    await eachInTurns(own, ([each, one]) => {
      if (!spare.idle(one, row)) return
      drafts.push(...states.end(one))
      own.delete(each)
      forgotten += 1
    })
    // Those that are left are not looked at again with each row.
    most = Math.max(spare.most, 2 * own.size)
  }
  await finish()
  return drafts
}

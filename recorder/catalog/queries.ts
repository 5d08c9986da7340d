import type {
  CatalogSessions,
  CatalogSessionsQuery,
  SessionQuery,
  SessionRow,
  StatementQuery,
  StatementRow,
} from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { textProblem } from '../../schemas/filter.ts'
import { cursorOf, placeOf } from './cursor.ts'
import type { Database, Queries } from './database.ts'
import type { SessionExtra } from './digest.ts'
import type { CatalogSession, Scope } from './messages.ts'
import { LARGE_RESULTS } from './schema.ts'
import { anywhere, globbed } from './text.ts'
import { ANSWER_MS } from './timed.ts'
import { Where } from './where.ts'

const SESSIONS_PER_PAGE = 50
const STATEMENTS_PER_PAGE = 200
const ENTRIES_PER_PAGE = 10_000
/** Of the statements of one page, in characters: what the gateway's own loop packs and sends without anybody noticing. */
const PAGE_CHARS = 512 << 10
const SESSION_PLACE = /^[A-Za-z0-9-]{1,100}$/
const STATEMENT_PLACE = /^(\d{1,16})\.(\d{1,9})$/

export async function findSessions(
  database: Database,
  query: SessionQuery,
  scope: Scope,
  gone?: AbortSignal,
): Promise<{ readonly sessions: readonly SessionRow[]; readonly next: string | null }> {
  const { limit = SESSIONS_PER_PAGE, cursor } = query
  const where = new Where()
  if (scope !== null) where.add('target = any($::text[])', [...scope])
  if (query.identity !== undefined) where.add('lower(subject) like lower($::text)', globbed(query.identity))
  if (query.target !== undefined) where.add('lower(target) like lower($::text)', globbed(query.target))
  if (query.protocol !== undefined) where.add('protocol = $', query.protocol)
  if (query.state !== undefined) where.add('state = $', query.state)
  if (query.verdict !== undefined) where.also(`${VERDICT_COLUMNS[query.verdict]} > 0`)
  if (query.since !== undefined) where.add('started_at >= $', query.since)
  if (query.until !== undefined) where.add('started_at < $', query.until)
  const { minRows } = query
  if (minRows !== undefined) {
    const indexed = LARGE_RESULTS.findLast((rows) => rows <= minRows)
    if (indexed !== undefined) where.also(`rows >= ${indexed}`)
    where.add('rows >= $', minRows)
  }
  if (cursor !== undefined) where.add('id < $', placeOf(cursor, SESSION_PLACE)[0])
  const asked = async (queries: Queries): Promise<readonly SessionColumns[]> => {
    const sql = `select * from catalog.sessions ${where.sql} order by id desc limit ${limit + 1}`
    return (await queries.query<SessionColumns>(sql, where.values)).rows
  }
  const { text } = query
  const problem = text === undefined ? undefined : textProblem(text)
  if (problem !== undefined) throw new ApplianceError('API_INVALID', problem)
  const rows =
    text === undefined
      ? await asked(database)
      : await database.timed(
          ANSWER_MS,
          (each, inTime) => {
            where.add(`id in (select session from catalog.statements where ${inTime('part')} and text ilike $)`, anywhere(text))
            return asked(each)
          },
          { gone },
        )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return { sessions: page.map(sessionOf), next: rows.length > limit && last !== undefined ? cursorOf(last.id) : null }
}

export async function findSession(database: Database, id: string): Promise<CatalogSession | null> {
  const { rows } = await database.query<SessionColumns>('select * from catalog.sessions where id = $1', [id])
  const [row] = rows
  return row === undefined ? null : { ...sessionOf(row), ...row.extra }
}

export async function countSessions(database: Database, ids: readonly string[]): Promise<number> {
  const sql = 'select count(*)::int as count from catalog.sessions where id = any($1::text[])'
  const { rows } = await database.query<{ readonly count: number }>(sql, [[...ids]])
  return rows[0]?.count ?? 0
}

export async function countAll(database: Database): Promise<number> {
  const { rows } = await database.query<{ count: number }>('select count(*) as count from catalog.sessions')
  return rows[0]?.count ?? 0
}

export async function listEntries(
  database: Database,
  { after = '', limit = ENTRIES_PER_PAGE }: CatalogSessionsQuery,
): Promise<CatalogSessions['sessions']> {
  const { rows } = await database.query<CatalogSessions['sessions'][number]>(
    'select id, state, frames from catalog.sessions where id > $1 order by id limit $2',
    [after, limit],
  )
  return rows
}

export async function findStatements(
  database: Database,
  session: string,
  query: StatementQuery,
): Promise<{ statements: StatementRow[]; next: string | null }> {
  const { limit = STATEMENTS_PER_PAGE, cursor } = query
  const where = new Where()
  where.add('session = $', session)
  if (query.text !== undefined) where.add('text ilike $', anywhere(query.text))
  // What no rule says anything of is allowed.
  if (query.verdict !== undefined)
    where.add(query.verdict === 'allow' ? 'verdict is null or verdict = $' : 'verdict = $', query.verdict)
  if (query.fromFrame !== undefined) where.add('frame >= $', query.fromFrame)
  if (cursor !== undefined) {
    const [, frame, part] = placeOf(cursor, STATEMENT_PLACE)
    where.add(`(frame, part) > ($, ${Number(part)})`, Number(frame))
  }
  const sql = `select * from catalog.statements ${where.sql} order by frame, part limit ${limit + 1}`
  const { rows } = await database.query<StatementColumns>(sql, where.values)
  const page = upTo(PAGE_CHARS, rows.slice(0, limit))
  const last = page.at(-1)
  return {
    statements: page.map(statementOf),
    next: rows.length > page.length && last !== undefined ? cursorOf(`${last.frame}.${last.part}`) : null,
  }
}

/** The first rows whose texts have no more characters than that, and one at least. */
function upTo(chars: number, rows: readonly StatementColumns[]): readonly StatementColumns[] {
  let sum = 0
  const end = rows.findIndex(({ text }) => {
    sum += text.length
    return sum > chars
  })
  return end < 0 ? rows : rows.slice(0, Math.max(1, end))
}

const VERDICT_COLUMNS = { allow: 'v_allow', mask: 'v_mask', block: 'v_block', hold: 'v_hold' } as const

/** As the driver gives them: bigint as number where it fits, timestamptz as Date, jsonb parsed. All written by us from checked rows. */
interface SessionColumns {
  readonly id: string
  readonly state: SessionRow['state']
  readonly gateway: string
  readonly subject: string
  readonly kind: SessionRow['identity']['kind']
  readonly principal: string | null
  readonly groups: string[]
  readonly target: string
  readonly protocol: SessionRow['target']['protocol']
  readonly database: string | null
  readonly labels: Record<string, string>
  readonly client: string
  readonly started_at: Date
  readonly ended_at: Date | null
  readonly end_reason: string | null
  readonly duration_us: number
  readonly frames: number
  readonly statements: number
  readonly rows: number
  readonly bytes_in: number
  readonly bytes_out: number
  readonly masked: number
  readonly v_allow: number
  readonly v_mask: number
  readonly v_block: number
  readonly v_hold: number
  readonly last_statement: string | null
  readonly extra: SessionExtra
}

interface StatementColumns {
  readonly session: string
  readonly frame: number
  readonly part: number
  readonly channel: number
  readonly kind: string
  readonly text: string
  readonly text_cut: boolean
  readonly at_us: number
  readonly duration_us: number | null
  readonly last_frame: number | null
  readonly rows: number
  readonly bytes_out: number
  readonly masked: number
  readonly verdict: StatementRow['verdict']
  readonly rules: string[]
  readonly approval: string | null
  readonly outcome: StatementRow['outcome']
  readonly objects: string[]
  readonly verbs: string[]
  readonly fingerprint: string | null
}

function sessionOf(row: SessionColumns): SessionRow {
  const { subject, kind, groups, principal } = row
  const { target: name, protocol, labels, database } = row
  return {
    id: row.id,
    state: row.state,
    gateway: row.gateway,
    identity: { subject, kind, groups, ...(principal === null ? {} : { principal }) },
    target: { name, protocol, labels, ...(database === null ? {} : { database }) },
    client: row.client,
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    endReason: row.end_reason,
    durationUs: row.duration_us,
    frames: row.frames,
    statements: row.statements,
    rows: row.rows,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    masked: row.masked,
    verdicts: { allow: row.v_allow, mask: row.v_mask, block: row.v_block, hold: row.v_hold },
    lastStatement: row.last_statement,
  }
}

function statementOf(row: StatementColumns): StatementRow {
  const { text_cut, at_us, duration_us, last_frame, bytes_out, ...same } = row
  return { ...same, textCut: text_cut, atUs: at_us, durationUs: duration_us, lastFrame: last_frame, bytesOut: bytes_out }
}

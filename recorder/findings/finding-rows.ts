import { type DispositionState, type Finding, type FindingQuery, type FindingRow, SEVERITIES } from '../../schemas/findings.ts'
import { cursorOf, placeOf } from '../catalog/cursor.ts'
import type { Queries } from '../catalog/database.ts'
import type { Scope } from '../catalog/messages.ts'
import { Where } from '../catalog/where.ts'
import { rowInScope } from './in-scope.ts'
import type { Weighed } from './weigh.ts'

const FINDINGS_PER_PAGE = 50
const OPEN = `(coalesce(d.state, 'open') = 'open')::int`
const SEVERITY = `array_position(array['${SEVERITIES.join("', '")}'], f.severity)`
const PLACE = /^([01]) ([0-9]) (\d{1,16}) (F-[0-9A-Z]{10})$/
const LAST = `left join lateral (select state from desk.dispositions d where d.finding = f.id order by n desc limit 1) d on true`

export interface Disposition {
  readonly finding: string
  readonly state: DispositionState
  readonly by: string
  readonly reason: string
  readonly at: string
}

/** What nobody has judged first, of that the most severe, of those the latest evidence. */
export async function listFindings(
  queries: Queries,
  query: FindingQuery,
  scope: Scope,
): Promise<{ readonly findings: readonly FindingRow[]; readonly next: string | null }> {
  const { limit = FINDINGS_PER_PAGE, cursor, state, severity, detector, session } = query
  const where = new Where()
  if (scope !== null) where.add('f.targets && $::text[]', [...scope])
  if (state !== undefined) where.add(`coalesce(d.state, 'open') = $`, state)
  if (severity !== undefined) where.add('f.severity = $', severity)
  if (detector !== undefined) where.add('f.detector = $', detector)
  if (session !== undefined) where.add('f.sessions @> array[$::text]', session)
  // Whether somebody else's session is in a finding says what they did.
  if (session !== undefined && scope !== null)
    where.also(
      `exists (select from catalog.sessions s where s.id = ${where.given(session)} and s.target = any(${where.given([...scope])}::text[]))`,
    )
  if (cursor !== undefined) {
    const [, open, rank, ms, id = ''] = placeOf(cursor, PLACE)
    where.add(
      `(${OPEN}, ${SEVERITY}, f.at, f.id) < (${Number(open)}, ${Number(rank)}, to_timestamp(${Number(ms)} / 1000.0), $)`,
      id,
    )
  }
  const { rows } = await queries.query<{
    at: Date
    id: string
    open: number
    rank: number
    state: DispositionState | null
    detail: Omit<Weighed, 'sessionIds'>
  }>(
    `select f.at, f.id, ${OPEN} as open, ${SEVERITY} as rank, d.state, f.detail from catalog.findings f ${LAST} ${where.sql}
     order by open desc, rank desc, f.at desc, f.id desc limit ${limit + 1}`,
    where.values,
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    findings: page.flatMap(({ detail, state: made }) => rowInScope(rowOf(detail, made ?? 'open'), scope) ?? []),
    next:
      rows.length > limit && last !== undefined ? cursorOf(`${last.open} ${last.rank} ${last.at.getTime()} ${last.id}`) : null,
  }
}

export async function readFinding(
  queries: Queries,
  id: string,
): Promise<{ readonly finding: Finding; readonly weekMs: number } | null> {
  const { rows } = await queries.query<{ week: Date; detail: Omit<Weighed, 'sessionIds'> }>(
    'select week, detail from catalog.findings where id = $1',
    [id],
  )
  const [row] = rows
  if (row === undefined) return null
  const made = await queries.query<Omit<Disposition, 'at'> & { at: Date }>(
    'select state, by, reason, at from desk.dispositions where finding = $1 order by n',
    [id],
  )
  const dispositions = made.rows.map(({ state, by, reason, at }) => ({ state, by, reason, at: at.toISOString() }))
  return {
    finding: { ...row.detail, hidden: 0, state: dispositions.at(-1)?.state ?? 'open', dispositions },
    weekMs: row.week.getTime(),
  }
}

export async function putDisposition(queries: Queries, { finding, state, by, reason, at }: Disposition): Promise<void> {
  await queries.query('insert into desk.dispositions (finding, state, by, reason, at) values ($1, $2, $3, $4, $5)', [
    finding,
    state,
    by,
    reason,
    at,
  ])
}

/** Those of which the ledger has not been told. */
export async function untold(queries: Queries, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await queries.query<{ id: string }>(
    'select id from unnest($1::text[]) id where not exists (select from desk.findings_told t where t.finding = id)',
    [[...ids]],
  )
  return new Set(rows.map(({ id }) => id))
}

export async function markTold(queries: Queries, finding: string): Promise<void> {
  await queries.query('insert into desk.findings_told values ($1) on conflict do nothing', [finding])
}

export function rowOf(detail: Omit<Weighed, 'sessionIds'>, state: DispositionState): FindingRow {
  const { id, detector, code, version, title, severity, score, family, target, targets, object, from, to, summary, sessions } =
    detail
  return {
    id,
    detector,
    code,
    version,
    title,
    severity,
    score,
    family,
    target,
    targets,
    object,
    from,
    to,
    summary,
    sessions,
    state,
  }
}

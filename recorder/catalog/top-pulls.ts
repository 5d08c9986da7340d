import type { PullQuery, PullTotal } from '../../schemas/search.ts'
import type { Database } from './database.ts'
import type { Scope } from './messages.ts'
import { KeySketch } from './sketch.ts'
import { globbed } from './text.ts'
import { Where } from './where.ts'

const TOTALS = 20
const DAY_MS = 86_400_000

/**
 * Who took the most of what, by actor, target and object: most rows first. Whole days are of the sums by day, the hours at both ends of the
 * pulls themselves; times are those of whole hours, different rows those of whole days.
 */
export async function topPulls(database: Database, query: PullQuery, scope: Scope): Promise<readonly PullTotal[]> {
  const { table, target, identity, since, until, limit = TOTALS } = query
  const where = new Where()
  if (scope !== null) where.add('target = any($::text[])', [...scope])
  if (target !== undefined) where.add('lower(target) like lower($::text)', globbed(target))
  if (table !== undefined) where.add('lower(object) like lower($::text)', globbed(table))
  if (identity !== undefined)
    where.add('lower(subject) like lower($::text) or lower(family) like lower($::text)', globbed(identity))
  const { days, hours } = spans(since, until, where)
  const and = where.sql === '' ? 'where' : `${where.sql} and`
  const sums = 'family, target, object, statements, rows, bytes_out, masked, largest_rows'
  const { rows } = await database.query<{
    family: string
    target: string
    object: string
    rows: number
    bytes: number
    masked: number
    statements: number
    largest: number
    sessions: number
  }>(
    `with parts as (
       select ${sums} from catalog.daily ${and} ${days}
       ${hours === undefined ? '' : `union all select ${sums} from catalog.pulls ${and} (${hours.ends})`}),
     total as (
       select family, target, object, sum(rows)::bigint as rows, sum(bytes_out)::bigint as bytes, sum(masked)::bigint as masked,
         sum(statements)::bigint as statements, max(largest_rows) as largest
       from parts group by family, target, object order by rows desc, family, object limit ${limit})
     select t.*, (select count(distinct session) from catalog.pulls ${and} ${hours?.all ?? 'true'}
         and pulls.family = t.family and pulls.target = t.target and pulls.object = t.object) as sessions
     from total t order by t.rows desc, t.family, t.object`,
    where.values,
  )
  return Promise.all(
    rows.map(async (total) => ({ ...total, keys: Math.min(total.rows, await keysOf(database, total, since, until)) })),
  )
}

/** Conditions: of the whole days within, of what is left of the hours at both ends, and of all hours. */
function spans(
  since: string | undefined,
  until: string | undefined,
  where: Where,
): { readonly days: string; readonly hours?: { readonly ends: string; readonly all: string } } {
  if (since === undefined && until === undefined) return { days: 'true' }
  const first = since === undefined ? undefined : new Date(Math.ceil(Date.parse(since) / DAY_MS) * DAY_MS).toISOString()
  const last = until === undefined ? undefined : new Date(Math.floor(Date.parse(until) / DAY_MS) * DAY_MS).toISOString()
  const from = since === undefined ? undefined : where.given(since)
  const to = until === undefined ? undefined : where.given(until)
  const all = [
    ...(from === undefined ? [] : [`hour >= ${from}::timestamptz`]),
    ...(to === undefined ? [] : [`hour < ${to}::timestamptz`]),
  ].join(' and ')
  // Less than a day.
  if (first !== undefined && last !== undefined && first >= last) return { days: 'false', hours: { ends: all, all } }
  const firstAt = first === undefined ? undefined : where.given(first)
  const lastAt = last === undefined ? undefined : where.given(last)
  const days = [
    ...(firstAt === undefined ? [] : [`day >= (${firstAt}::timestamptz at time zone 'UTC')::date`]),
    ...(lastAt === undefined ? [] : [`day < (${lastAt}::timestamptz at time zone 'UTC')::date`]),
  ].join(' and ')
  const ends = [
    ...(firstAt === undefined ? [] : [`(hour >= ${from}::timestamptz and hour < ${firstAt}::timestamptz)`]),
    ...(lastAt === undefined ? [] : [`(hour >= ${lastAt}::timestamptz and hour < ${to}::timestamptz)`]),
  ].join(' or ')
  return { days, hours: { ends, all } }
}

/** Different rows of the days within, by the kind of key that counts the most. */
async function keysOf(
  database: Database,
  { family, target, object }: Pick<PullTotal, 'family' | 'target' | 'object'>,
  since: string | undefined,
  until: string | undefined,
): Promise<number> {
  const { rows } = await database.query<{ keyed: string; keys: Uint8Array }>(
    `select keyed, keys from catalog.daily_keys where family = $1 and target = $2 and object = $3
       and day >= $4::date and day <= $5::date order by keyed`,
    [family, target, object, since?.slice(0, 10) ?? '-infinity', until?.slice(0, 10) ?? 'infinity'],
  )
  const byKey = new Map<string, KeySketch>()
  for (const { keyed, keys } of rows) {
    const sketch = byKey.get(keyed) ?? new KeySketch()
    byKey.set(keyed, sketch)
    sketch.merge(new KeySketch(keys))
  }
  return Math.max(0, ...[...byKey.values()].map(({ estimate }) => estimate))
}

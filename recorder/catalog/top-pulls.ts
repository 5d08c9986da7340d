import type { PullQuery, PullTotal } from '../../schemas/search.ts'
import type { Database } from './database.ts'
import type { Scope } from './messages.ts'
import { KeySketch } from './sketch.ts'
import { globbed } from './text.ts'
import { Where } from './where.ts'

const TOTALS = 20
/** Of one total, whose different keys are counted; more of them only make it a little more. */
const MAX_SESSIONS = 2_000

/** Who took the most of what, by actor, target and object: most rows first. Times are those of whole hours. */
export async function topPulls(database: Database, query: PullQuery, scope: Scope): Promise<readonly PullTotal[]> {
  const { table, target, identity, since, until, limit = TOTALS } = query
  const where = new Where()
  if (scope !== null) where.add('p.target = any($::text[])', [...scope])
  if (target !== undefined) where.add('p.target like $', globbed(target))
  if (table !== undefined) where.add('p.object like $', globbed(table))
  if (identity !== undefined) where.add('p.subject like $ or p.family like $', globbed(identity))
  if (since !== undefined) where.add('p.hour >= $::timestamptz', since)
  if (until !== undefined) where.add('p.hour < $::timestamptz', until)
  const { rows } = await database.query<{
    family: string
    target: string
    object: string
    rows: number
    bytes: number
    masked: number
    statements: number
    largest: number
    count: number
    sessions: string[]
  }>(
    `with total as (
       select family, target, object, sum(rows)::bigint as rows, sum(bytes_out)::bigint as bytes, sum(masked)::bigint as masked,
         sum(statements)::bigint as statements, max(largest_rows) as largest
       from catalog.pulls p ${where.sql} group by family, target, object order by rows desc, family, object limit ${limit})
     select t.*, (select array_agg(distinct p.session) from catalog.pulls p
        ${where.sql === '' ? 'where' : `${where.sql} and`} p.family = t.family and p.target = t.target and p.object = t.object) as sessions
     from total t order by t.rows desc, t.family, t.object`,
    where.values,
  )
  return Promise.all(
    rows.map(async ({ sessions, ...total }) => ({
      ...total,
      sessions: sessions.length,
      keys: await keysOf(database, sessions.slice(0, MAX_SESSIONS), total.object),
    })),
  )
}

/** Different rows, by the kind of key that counts the most. */
async function keysOf(database: Database, sessions: readonly string[], object: string): Promise<number> {
  const { rows } = await database.query<{ keyed: string; keys: Uint8Array }>(
    'select keyed, keys from catalog.sketches where session = any($1::text[]) and object = $2 order by keyed',
    [sessions, object],
  )
  const byKey = new Map<string, KeySketch>()
  for (const { keyed, keys } of rows) {
    const sketch = byKey.get(keyed) ?? new KeySketch()
    byKey.set(keyed, sketch)
    sketch.merge(new KeySketch(keys))
  }
  return Math.max(0, ...[...byKey.values()].map(({ estimate }) => estimate))
}

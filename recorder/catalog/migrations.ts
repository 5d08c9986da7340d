import type { Queries } from './database.ts'
import { ensureMonths } from './months.ts'
import { DAILY_FROM_PULLS, DAILY_GROUPS, uniteKeys } from './rollups.ts'
import {
  CATALOG_VERSION,
  DECISIONS_SQL,
  LONG_SQL,
  MONTHLY,
  MONTHLY_SQL,
  NAMES_SQL,
  OBJECT_NAMES_SQL,
  ROLLUPS_SQL,
  SCREENS_SQL,
} from './schema.ts'
import { KeySketch } from './sketch.ts'
import { saidByWriter } from './text-index.ts'

type Migration = (queries: Queries) => Promise<unknown>

/** From the version that is their name to the next one. */
const MIGRATIONS: Readonly<Record<number, Migration>> = {
  4: byMonth,
  5: (queries) => queries.exec(DECISIONS_SQL),
  6: pendingByWriter,
  7: (queries) => queries.exec(SCREENS_SQL),
  8: (queries) => queries.exec(NAMES_SQL),
  9: targetsOfFindings,
  10: objectNames,
  11: sentStatements,
}

/** Whether everything in a catalog of this version can be kept. */
export function canMigrate(version: number): boolean {
  for (let from = version; from < CATALOG_VERSION; from += 1) if (MIGRATIONS[from] === undefined) return false
  return version <= CATALOG_VERSION
}

/** Takes a catalog to the present version, within the caller's transaction: all of it or nothing. */
export async function migrate(queries: Queries, version: number): Promise<void> {
  for (let from = version; from < CATALOG_VERSION; from += 1) await MIGRATIONS[from]?.(queries)
  await queries.query('update catalog.version set version = $1', [CATALOG_VERSION])
}

/** 7: how much of a text index may wait to be sorted in is said by who writes. Sessions that went on for long have an index. */
async function pendingByWriter(queries: Queries): Promise<void> {
  await saidByWriter(queries)
  await queries.exec(LONG_SQL)
}

/** 10: findings say every target they rest on. They are looked for again. */
async function targetsOfFindings(queries: Queries): Promise<void> {
  await queries.exec(
    'delete from catalog.findings; delete from catalog.scans; alter table catalog.findings add column if not exists targets text[] not null',
  )
}

/** 11: what statements touch is found in any case, whatever became of them. */
async function objectNames(queries: Queries): Promise<void> {
  await queries.exec(
    `${OBJECT_NAMES_SQL} insert into catalog.names select distinct object from catalog.statements, unnest(objects) object`,
  )
}

/** 12: what nothing answers is no longer said to run. Of a session that has ended nothing else still does. */
async function sentStatements(queries: Queries): Promise<void> {
  await queries.exec(
    `update catalog.statements set outcome = 'sent' from catalog.sessions where id = session and state <> 'live' and outcome = 'running'`,
  )
}

/** Sketches united at a time. */
const SKETCHES = 500

/** 5: what grows is partitioned by month, and sums by day stand beside it. */
async function byMonth(queries: Queries): Promise<void> {
  const tables = MONTHLY.filter((table) => table !== 'screens')
  // Version 8's, as partitions are made of all tables that have any.
  await queries.exec(SCREENS_SQL)
  for (const table of tables) {
    await queries.exec(`alter table catalog.${table} rename to old_${table}`)
    // Names of indexes are of the schema, not of the table.
    const { rows } = await queries.query<{ name: string }>(
      `select indexname as name from pg_indexes where schemaname = 'catalog' and tablename = $1`,
      [`old_${table}`],
    )
    for (const { name } of rows) await queries.exec(`alter index catalog.${name} rename to old_${name}`)
  }
  await queries.exec(MONTHLY_SQL)
  await queries.exec(ROLLUPS_SQL)
  const { rows } = await queries.query<{ id: string }>(
    `select distinct on (left(id, 6)) id from catalog.sessions
     union ${tables.map((table) => `select min(session) from catalog.old_${table} group by left(session, 6)`).join(' union ')}`,
  )
  await ensureMonths(
    queries,
    rows.map(({ id }) => id),
  )
  for (const table of tables) {
    await queries.exec(`insert into catalog.${table} select * from catalog.old_${table}`)
    await queries.exec(`drop table catalog.old_${table}`)
  }
  await queries.exec(`${DAILY_FROM_PULLS} ${DAILY_GROUPS}`)
  for (let [session, object, keyed] = ['', '', '']; ; ) {
    const page = await queries.query<{
      day: string
      family: string
      target: string
      session: string
      object: string
      keyed: string
      keys: Uint8Array
    }>(
      `select (s.started_at at time zone 'UTC')::date::text as day, coalesce(s.principal, s.subject) as family, s.target,
         k.session, k.object, k.keyed, k.keys
       from catalog.sketches k join catalog.sessions s on s.id = k.session
       where (k.session, k.object, k.keyed) > ($1, $2, $3) order by k.session, k.object, k.keyed limit ${SKETCHES}`,
      [session, object, keyed],
    )
    await uniteKeys(
      queries,
      page.rows.map(({ keys, ...row }) => ({ ...row, sketch: new KeySketch(keys) })),
    )
    const last = page.rows.at(-1)
    if (last === undefined) return
    ;({ session, object, keyed } = last)
  }
}

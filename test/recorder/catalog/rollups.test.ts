import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Database, openDatabase, resetCatalog } from '../../../recorder/catalog/database.ts'
import { dropBefore, ensureMonths, keptFrom, monthOf } from '../../../recorder/catalog/months.ts'
import { MONTHLY, MONTHLY_SQL } from '../../../recorder/catalog/schema.ts'
import { KeySketch } from '../../../recorder/catalog/sketch.ts'
import { forgetSession, storeDigests } from '../../../recorder/catalog/store-rows.ts'
import { topPulls } from '../../../recorder/catalog/top-pulls.ts'
import { type Asked, digestOf } from '../../support/digests.ts'

const DAY_MS = 86_400_000
/** An hour before a month, and a day, end. */
const START_MS = Date.UTC(2026, 9, 31, 23)

let folder: string
let database: Database

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-rollups-'))
  database = await open()
})
after(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const open = (): Promise<Database> => openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)
const reads = (table: string, from: number, to: number): Asked => ({
  text: `SELECT id, city FROM ${table}`,
  table,
  ids: ids(from, to),
})
const sessions = () => [
  digestOf(1, START_MS, [
    reads('customers', 0, 300),
    // Over the end of the hour, the day and the month.
    { ...reads('customers', 200, 400), afterMs: 3_700_000 },
  ]),
  digestOf(2, START_MS + DAY_MS, [reads('customers', 350, 500)], { subject: 'agent-8' }),
  digestOf(3, START_MS + DAY_MS, [reads('customers', 0, 10)], { principal: 'bob' }),
]
const TABLES = [...MONTHLY, 'sessions', 'first_seen', 'daily', 'daily_keys', 'object_keys', 'names']
const dump = async (tables: readonly string[] = TABLES): Promise<Record<string, unknown[]>> =>
  Object.fromEntries(
    await Promise.all(
      tables.map(async (table) => {
        const { rows } = await database.query<{ row: unknown }>(`select to_jsonb(t) as row from catalog.${table} t order by 1`)
        return [table, rows.map(({ row }) => row)] as const
      }),
    ),
  )
const sums = async (): Promise<unknown[]> =>
  (
    await database.query<{ day: string }>(
      `select day::text, family, object, sum(pulls)::int as pulls, sum(statements)::int as statements, sum(rows)::int as rows,
         max(largest_rows)::int as largest_rows
       from catalog.daily group by day, family, object order by day, family`,
    )
  ).rows

test('sums by day and unions of sketches are what their parts are, however often those are written, and after some are forgotten', async () => {
  await storeDigests(database, sessions())
  const expected = [
    { day: '2026-10-31', family: 'ada', object: 'customers', pulls: 1, statements: 1, rows: 300, largest_rows: 300 },
    { day: '2026-11-01', family: 'ada', object: 'customers', pulls: 2, statements: 2, rows: 350, largest_rows: 200 },
    { day: '2026-11-01', family: 'bob', object: 'customers', pulls: 1, statements: 1, rows: 10, largest_rows: 10 },
  ]
  assert.deepEqual(await sums(), expected)
  const whole = await dump()
  // As a restart reads them again.
  for (const each of sessions()) await storeDigests(database, [each])
  assert.deepEqual(await dump(), whole)
  const firstSeen = async (): Promise<unknown> =>
    (await database.query("select right(session, 1) as session, at, frame from catalog.first_seen where family = 'ada'")).rows
  const [first, second] = sessions()
  assert.deepEqual(await firstSeen(), [{ session: '1', at: new Date(START_MS), frame: 0 }])
  await forgetSession(database, first?.id ?? '')
  assert.deepEqual(await firstSeen(), [{ session: '2', at: new Date(START_MS + DAY_MS), frame: 0 }])
  assert.deepEqual(await sums(), [{ ...expected[1], pulls: 1, statements: 1, rows: 150, largest_rows: 150 }, expected[2]])
  const { rows } = await database.query<{ keys: Uint8Array; day: string }>(
    `select day::text, keys from catalog.daily_keys where family = 'ada' and object = 'customers'`,
  )
  assert.deepEqual(
    rows.map(({ day, keys }) => [day, new KeySketch(keys).estimate]),
    [['2026-11-01', 150]],
  )
  await forgetSession(database, second?.id ?? '')
  assert.deepEqual(await firstSeen(), [])
  await storeDigests(database, sessions())
  assert.deepEqual(await dump(), whole)
})

test('tapes from before the start give the same rows as those that are followed, also where some of them are there already', async () => {
  const mixed = () => [
    ...sessions(),
    digestOf(4, START_MS + DAY_MS, [
      { text: `SELECT '{"\\'`, table: 'or"der,s', ids: [1] },
      { text: 'SELECT 2', table: 'orders', ids: [] },
    ]),
  ]
  await resetCatalog(database)
  await storeDigests(database, mixed())
  const whole = await dump()
  assert.equal(whole['statements']?.length, 6)
  await resetCatalog(database)
  const [first, , , last] = mixed()
  if (first === undefined || last === undefined) assert.fail()
  await storeDigests(database, [first, last])
  await storeDigests(database, mixed(), 'backlog')
  assert.deepEqual(await dump(), whole)
  await resetCatalog(database)
  for (let time = 0; time < 2; time += 1) {
    await storeDigests(database, mixed(), 'backlog')
    assert.deepEqual(await dump(), whole)
  }
  await resetCatalog(database)
  await storeDigests(database, sessions())
})

test('whole days come from the sums, the hours at both ends from the pulls', async () => {
  const took = async (since: string | undefined, until?: string): Promise<unknown[]> => {
    const query = {
      table: 'customers',
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
    }
    return (await topPulls(database, query, null)).map(({ family, rows, keys, sessions: count }) => [family, rows, keys, count])
  }
  const all = [
    ['ada', 650, 500, 2],
    ['bob', 10, 10, 1],
  ]
  assert.deepEqual(await took(undefined), all)
  assert.deepEqual(await took('2026-10-31T23:00:00Z', '2026-11-02T00:00:00Z'), all)
  assert.deepEqual(await took('2026-11-01T00:00:00Z'), [
    ['ada', 350, 150, 2],
    ['bob', 10, 10, 1],
  ])
  assert.deepEqual(await took('2026-11-01T23:00:00Z'), [
    ['ada', 150, 150, 1],
    ['bob', 10, 10, 1],
  ])
  assert.deepEqual(await took('2026-10-31T20:00:00Z', '2026-10-31T23:30:00Z'), [['ada', 300, 300, 1]])
  assert.deepEqual(await took(undefined, '2026-10-31T22:00:00Z'), [])
})

test('a catalog of the version before is taken along, to the last row', async () => {
  const expected = await dump()
  const tables = MONTHLY.filter((table) => table !== 'screens')
  for (const table of tables) await database.exec(`alter table catalog.${table} rename to new_${table}`)
  await database.exec(
    'drop table catalog.screens, catalog.daily, catalog.daily_keys, catalog.object_keys, catalog.decisions, catalog.names',
  )
  // As it was: no partitions.
  await database.exec(
    MONTHLY_SQL.replaceAll(') partition by range (session);', ');').replace(/create index (\w+)/g, 'create index was_$1'),
  )
  for (const table of tables) {
    await database.exec(`insert into catalog.${table} select * from catalog.new_${table}`)
    await database.exec(`drop table catalog.new_${table}`)
  }
  await database.exec('update catalog.version set version = 4')
  await database.close()
  database = await open()
  assert.deepEqual(await dump(), expected)
  await storeDigests(database, sessions())
  assert.deepEqual(await dump(), expected)
})

test('months are partitions, found by the id, and dropped whole', async () => {
  assert.deepEqual(
    ['20261120T105150Z-gw1-1', '20261301T', '202600', '2026-11', 'zebra', '-', '1999', '20991231T', '21000101T'].map(monthOf),
    ['202611', '202612', '202512', '202512', 'after', 'before', 'before', '209912', 'after'],
  )
  const odd = ['zebra', '-', '20261301T']
  await ensureMonths(database, odd)
  for (const id of odd)
    await database.query(`insert into catalog.sketches values ($1, 'customers', 'id', 1, '\\x000000000001')`, [id])
  const dropped = await dropBefore(database, keptFrom(10, Date.UTC(2026, 10, 12)))
  assert.deepEqual(dropped, [...MONTHLY].map((table) => `${table}_202610`).sort())
  assert.deepEqual(await sums().then((rows) => rows.length), 2)
  const left = await dump(['sessions', 'statements', 'sketches'])
  const idsOf = (table: string): unknown[] => [
    ...new Set((left[table] ?? []).map((row) => Object(row).session ?? Object(row).id)),
  ]
  assert.deepEqual(idsOf('sessions').length, 2)
  assert.ok(idsOf('statements').every((id) => String(id) > '202611'))
  assert.ok(odd.every((id) => idsOf('sketches').includes(id)))
})

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type Database, openDatabase } from '../../../recorder/catalog/database.ts'
import { findWeek, weekOf } from '../../../recorder/findings/scan.ts'
import type { Weighed } from '../../../recorder/findings/weigh.ts'
import type { DetectorName } from '../../../schemas/findings.ts'
import { type SaidOf, writeSession } from '../../support/catalog-session.ts'

/** A Monday, and the Friday after. */
const MONDAY_MS = Date.UTC(2026, 10, 16, 9)
const FRIDAY_MS = Date.UTC(2026, 10, 20, 9)

let folder: string
let database: Database

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-many-'))
  database = await openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
})
beforeEach(async () => {
  await database.exec('truncate catalog.sessions, catalog.statements, catalog.pulls, catalog.daily, catalog.first_seen')
})
after(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const session = (...said: SaidOf): Promise<string> => writeSession(database, ...said)

/** Many more statements of one session. */
async function many(
  id: string,
  count: number,
  { outcome = 'complete', rows = 5, objects = ['orders'] }: { outcome?: string; rows?: number; objects?: readonly string[] } = {},
): Promise<void> {
  await database.query(
    `insert into catalog.statements
     select $1, 1000 + 2 * n, 0, 0, 'query', 'SELECT * FROM orders WHERE id = ' || n, false, 1000000 + n * 10000, 900, 1001 + 2 * n,
       $3::bigint, 50, 0, null, '{}', null, $4, $5::text[], '{SELECT}', 'same' || (n % 7) from generate_series(1, $2::int) n`,
    [id, count, rows, outcome, [...objects]],
  )
  await database.query('update catalog.sessions set statements = $2 where id = $1', [id, count])
}

const found = async (name: DetectorName): Promise<readonly Weighed[]> => findWeek(database, weekOf(FRIDAY_MS), {}, name)

test('what follows on 60,000 ordinary statements of the week is found as if there were none', async () => {
  await many(await session(MONDAY_MS, [{ text: 'SELECT 1' }]), 60_000)
  const walk = await session(
    FRIDAY_MS,
    Array.from({ length: 30 }, (_, at) => ({
      text: `SELECT * FROM customers ORDER BY id LIMIT 100 OFFSET ${at * 100}`,
      ...{ rows: 100, objects: ['customers'], fingerprint: 'f' },
    })),
  )
  const large = await session(FRIDAY_MS, [{ text: 'COPY customers TO STDOUT', rows: 20_000, objects: ['customers'] }])
  const own = (await found('pagination-walk')).filter(({ sessionIds }) => sessionIds.includes(walk))
  assert.deepEqual(
    own.map(({ value, sessions }) => [value, sessions]),
    [[30, 1]],
  )
  for (const name of ['large-pull', 'bulk-verbs'] as const)
    assert.deepEqual(
      (await found(name)).map(({ sessionIds }) => sessionIds),
      [[large]],
    )
})

test('a session of more statements than one step is one session; evidence is counted where it is not kept', async () => {
  const id = await session(MONDAY_MS, [{ text: 'SELECT 1' }])
  await many(id, 45_000, { rows: 12_000 })
  const [pull, ...more] = await found('large-pull')
  assert.equal(more.length, 0)
  assert.deepEqual([pull?.contributions.length, pull?.left, pull?.sessionIds], [200, 44_800, [id]])
  assert.match(pull?.summary ?? '', /and 44999 more in this session$/)
  assert.deepEqual(
    (await found('pagination-walk')).map(({ value }) => value).sort(),
    [6_428, 6_428, 6_428, 6_429, 6_429, 6_429, 6_429],
  )
})

test('tens of thousands of refusals cost no more than to read them, and others have their turn meanwhile', async () => {
  const id = await session(MONDAY_MS, [{ text: 'SELECT 1' }])
  await many(id, 30_000, { outcome: 'refused', rows: 0, objects: ['vault'] })
  const free = await session(MONDAY_MS + 60_000, [{ text: 'SELECT * FROM vault LIMIT 9', rows: 9, objects: ['vault'] }])
  let turns = 0
  const clock = setInterval(() => (turns += 1), 1)
  const begunMs = process.cpuUsage().user
  const findings = await found('deny-variant')
  const usedMs = (process.cpuUsage().user - begunMs) / 1000
  clearInterval(clock)
  const [finding] = findings
  assert.deepEqual([findings.length, finding?.object, finding?.sessionIds], [1, 'vault', [id, free]])
  assert.ok(turns >= 2, `${turns} turns`)
  // Each with each took 40 s.
  assert.ok(usedMs < 15_000, `${usedMs} ms`)
})

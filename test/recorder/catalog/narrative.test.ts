import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Database, openDatabase } from '../../../recorder/catalog/database.ts'
import { ensureMonths } from '../../../recorder/catalog/months.ts'
import { narrate } from '../../../recorder/catalog/narrative.ts'
import { findSession, findSessions } from '../../../recorder/catalog/queries.ts'
import { search } from '../../../recorder/catalog/search.ts'
import { startPostgres } from '../../support/pg-server.ts'

const ID = '20261120T105150Z-gw1-00000001'
const FAILED = 1_005

let folder: string
let database: Database

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-narrative-'))
  database = await openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
  await ensureMonths(database, [ID])
  await database.query(
    `insert into catalog.sessions values ($1, 'sealed', 'gw1', 'Agent-7', 'agent', 'ada', '[]', 'shop', 'postgres', 'shop', '{}', '10.0.0.1:5000',
       '2026-11-20T10:51:50Z', now(), 'client.left', 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 0, 'SELECT 1', '{}')`,
    [ID],
  )
  await database.exec(`insert into catalog.names values ('t')`)
  // Errors, then one refusal, then seven that were released.
  await database.query(
    `insert into catalog.statements
     select $1, f, 0, 0, 'query', case when f <= $2::int then 'SELECT 1/0 -- ' || f else 'COPY x TO PROGRAM y' end, false, 0, 1, f, 0, 0, 0,
       case when f = $2 + 1 then 'block' when f > $2 + 1 then 'hold' end, case when f <= $2 then '{}' else '{no-copy}' end::text[],
       case when f > $2 + 1 then 'A-1' end, case when f <= $2 then 'error' when f = $2 + 1 then 'refused' else 'complete' end,
       '{t}', '{COPY}', null
     from generate_series(1, $2 + 8) f`,
    [ID, FAILED],
  )
})
after(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

test('a thousand errors hide neither a refusal nor what was released, and are counted as many as they are', async () => {
  const session = await findSession(database, ID)
  assert.ok(session !== null)
  const told = await narrate(database, session)
  assert.ok(told.includes('Refused: “COPY x TO PROGRAM y” by no-copy.'), told.join('\n'))
  assert.ok(told.includes('1,005 commands ended in an error of the target.'), told.join('\n'))
  assert.match(told.join('\n'), /Held, then released: (“COPY x TO PROGRAM y” \(A-1\)(, )?){5} and 2 more\./)
})

test('what takes too long is ended, and says what to narrow', async () => {
  const late = { code: 'API_INVALID', message: /narrow it: since:/ }
  const slow = 'select pg_sleep(0.001), r.frame from catalog.statements r where'
  await assert.rejects(
    database.timed(20, (each, inTime) => each.query(`${slow} ${inTime('r.frame')}`)),
    late,
  )
  const { rows } = await database.timed(60_000, (each, inTime) => each.query(`${slow} ${inTime('r.frame')} limit 3`))
  assert.equal(rows.length, 3)
  // Asked before what costs something: else nothing that is not found would ever be late.
  const plan = await database.timed(1_000, (each, inTime) =>
    each.query<{ 'QUERY PLAN': string }>(
      `explain select 1 from catalog.statements r where r.text ilike '%:::%' and ${inTime('r.frame')}`,
    ),
  )
  assert.match(plan.rows.map((row) => row['QUERY PLAN']).join(' '), /Filter: \(\S*in_time.* AND /)
  await using server = await startPostgres({ tls: false })
  const url = `postgres://postgres:${server.password}@127.0.0.1:${server.port}/postgres`
  const other = await openDatabase({ url }, (problem) => assert.fail(problem))
  try {
    await assert.rejects(
      other.timed(20, (each) => each.query('select pg_sleep(30)')),
      late,
    )
  } finally {
    await other.close()
  }
})

test('names are found in any case', async () => {
  const found = async (q: string): Promise<number> =>
    (await search(database, { q }, { scope: null, results: true }, Date.now())).hits.length
  for (const q of ['identity:AGENT-7', 'family:ADA', 'target:Sh*', 'table:T', 'verb:copy', 'rule:No-Copy'])
    assert.notEqual(await found(q), 0, q)
  for (const query of [{ identity: 'AGENT-*' }, { target: 'SHOP' }])
    assert.equal((await findSessions(database, query, null)).sessions.length, 1)
})

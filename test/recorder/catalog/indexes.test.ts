import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Database, openDatabase } from '../../../recorder/catalog/database.ts'
import { ensureMonths } from '../../../recorder/catalog/months.ts'
import { findSessions } from '../../../recorder/catalog/queries.ts'
import { search } from '../../../recorder/catalog/search.ts'

/** One session in so many has a block, a hold and a large result. */
const RARE_EVERY = 1_000
const SESSIONS = 5_000

test('what is rare among many sessions is found by its index, and not by walking past the many', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-catalog-indexes-'))
  const database = await openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
  try {
    await database.query(
      `insert into catalog.sessions
        select '20261120T105150Z-gw1-' || lpad(s::text, 8, '0'), 'sealed', 'gw1', 'agent-7', 'agent', null, '[]', 'shop', 'postgres', 'shop', '{}',
          '10.0.0.1:5000', now(), now(), 'client.left', 1, 1, 1, case when s % $1 = 0 then 20000 else 5 end, 1, 1, 0, 1,
          (s % $1 = 0)::int, (s % $1 = 0)::int, (s % $1 = 0)::int, 'SELECT 1', '{}'
        from generate_series(1, $2::int) s`,
      [RARE_EVERY, SESSIONS],
    )
    await database.exec('analyze')
    const plans: string[] = []
    const query = database.query.bind(database)
    const asked = t.mock.method(database, 'query', async (sql: string, values?: unknown[]) => {
      const { rows } = await query<{ 'QUERY PLAN': string }>(`explain ${sql}`, values)
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
      return { rows: [], fields: [] }
    })
    for (const verdict of ['mask', 'block', 'hold'] as const) await findSessions(database, { verdict }, null)
    for (const minRows of [10_000, 20_000]) await findSessions(database, { minRows }, null)
    asked.mock.restore()
    for (const [index, name] of ['mask', 'block', 'hold', 'rows_10000', 'rows_10000'].entries())
      assert.match(plans[index] ?? '', new RegExp(`Index Scan Backward using sessions_${name}\\b`))
    const { sessions } = await findSessions(database, { verdict: 'block', minRows: 20_000 }, null)
    assert.equal(sessions.length, SESSIONS / RARE_EVERY)
  } finally {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
})

test('a common table of one of many actors is looked for in their sessions, and not in all that touched it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-catalog-indexes-'))
  const database = await openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
  try {
    await ensureMonths(database, ['20261120T105150Z'])
    await database.query(
      `insert into catalog.sessions
        select '20261120T105150Z-gw1-' || lpad(s::text, 8, '0'), 'sealed', 'gw1', 'agent-' || s % 40, 'agent', null, '[]', 'shop', 'postgres', 'shop', '{}',
          '10.0.0.1:5000', now(), now(), 'client.left', 1, 1, 1, 5, 1, 1, 0, 1, 0, 0, 0, 'SELECT 1', '{}'
        from generate_series(1, $1::int) s`,
      [1_000],
    )
    await database.exec(`
      insert into catalog.statements
        select id, n, 0, 0, 'query', 'SELECT * FROM stock', false, n, 1, n, 1, 1, 0, null, '{}', null, 'complete', '{Stock}', '{SELECT}', 'f'
        from catalog.sessions, generate_series(1, 50) n;
      insert into catalog.names values ('Stock');
      insert into catalog.names select 'http.route/v1/objects/' || n from generate_series(1, 5000) n;
      analyze`)
    const plans: string[] = []
    const spied: Database = {
      ...database,
      timed: (ms, work, options) =>
        database.timed(
          ms,
          (each, inTime) =>
            work(
              {
                exec: each.exec,
                async query<T>(sql: string, values?: unknown[]) {
                  const { rows } = await each.query<{ 'QUERY PLAN': string }>(`explain ${sql}`, values)
                  plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
                  return each.query<T>(sql, values)
                },
              },
              inTime,
            ),
          options,
        ),
    }
    const { hits } = await search(spied, { q: 'table:stock identity:agent-7' }, { scope: null, results: true }, Date.now())
    assert.equal(hits.length, 50)
    assert.match(plans[0] ?? '', /Scan (using|on) names_lower/)
    assert.match(plans[1] ?? '', /Scan (using|on) statements_202611_pkey/)
    assert.doesNotMatch(plans[1] ?? '', /statements_202611_objects_idx/)
  } finally {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
})

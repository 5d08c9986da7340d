import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase, resetCatalog } from '../../../recorder/catalog/database.ts'
import { search } from '../../../recorder/catalog/search.ts'
import { forgetSession, storeDigests } from '../../../recorder/catalog/store-rows.ts'
import { type Asked, digested, digestOf, framesOf } from '../../support/digests.ts'
import { startPostgres } from '../../support/pg-server.ts'

const START_MS = Date.UTC(2026, 9, 31, 12)
const never = (problem: string): void => assert.fail(problem)

const reads = (table: string, text = `SELECT id FROM ${table}`): Asked => ({ text, table, ids: [1, 2, 3] })

test('what was refused, and what another session touched first that is no more, is found in any case', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-store-rows-'))
  const database = await openDatabase({ folder: join(folder, 'pg') }, never)
  const found = async (q: string): Promise<readonly string[]> =>
    (await search(database, { q }, { scope: null, results: true }, Date.now())).hits.map(({ text }) => text)
  try {
    const { frames, ...rest } = framesOf(1, START_MS, [reads('Secrets')])
    const refused = frames
      .slice(0, 1)
      .map((frame) => ({ ...frame, verdict: { act: 'block', rules: ['no'], policy: '' } as const }))
    await storeDigests(database, [digested({ ...rest, frames: refused })])
    for (const q of ['table:Secrets', 'table:secrets', 'table:SECRETS']) assert.equal((await found(q)).length, 1, q)
    assert.deepEqual(await found('-table:secrets'), [])
    // Of names that are written again, and of those that are many, none is missing.
    const many = Array.from({ length: 12_000 }, (_, n): Asked => ({ text: `touch ${n}`, table: `Table${n}`, ids: [] }))
    const numbered = [
      digestOf(2, START_MS, [reads('Customers', 'one'), ...many]),
      digestOf(3, START_MS, [reads('Customers', 'two')]),
    ]
    for (const digest of numbered) await storeDigests(database, [digest])
    await forgetSession(database, numbered[0]?.id ?? '')
    assert.deepEqual(await found('table:customers'), ['two'])
    await storeDigests(database, [digestOf(4, START_MS, [reads('table11999', 'three'), reads('customers', 'four')])])
    assert.deepEqual(await found('table:TABLE11999'), ['three'])
    assert.deepEqual(await found('table:CUSTOMERS'), ['four', 'two'])
    await resetCatalog(database)
    await storeDigests(database, [digestOf(5, START_MS, [reads('Customers', 'five')])])
    assert.deepEqual(await found('table:customers'), ['five'])
  } finally {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
})

test('two gateways at one server write the same old tapes at once', async () => {
  await using server = await startPostgres({ tls: false })
  const place = { url: `postgres://postgres:${server.password}@127.0.0.1:${server.port}/postgres` }
  const [one, other] = [await openDatabase(place, never), await openDatabase(place, never)]
  try {
    for (let round = 0; round < 6; round += 1) {
      const batch = () =>
        Array.from({ length: 50 }, (_, n) => digestOf(50 * round + n, START_MS, [reads('customers'), reads('orders')]))
      await Promise.all([storeDigests(one, batch(), 'backlog'), storeDigests(other, batch(), 'backlog')])
    }
    const { rows } = await one.query('select sum(pulls) as pulls, sum(rows) as rows from catalog.daily')
    assert.deepEqual(rows, [{ pulls: '600', rows: '1800' }])
  } finally {
    await one.close()
    await other.close()
  }
})

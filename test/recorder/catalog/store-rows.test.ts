import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../../../recorder/catalog/database.ts'
import { storeDigests } from '../../../recorder/catalog/store-rows.ts'
import { type Asked, digestOf } from '../../support/digests.ts'
import { startPostgres } from '../../support/pg-server.ts'

const START_MS = Date.UTC(2026, 9, 31, 12)
const never = (problem: string): void => assert.fail(problem)

const reads = (table: string, text = `SELECT id FROM ${table}`): Asked => ({ text, table, ids: [1, 2, 3] })

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

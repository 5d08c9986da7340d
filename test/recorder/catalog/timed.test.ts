import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Client } from 'pg'
import { Catalog } from '../../../recorder/catalog/catalog.ts'
import { type Database, type DatabasePlace, openDatabase } from '../../../recorder/catalog/database.ts'
import { type PgServer, startPostgres } from '../../support/pg-server.ts'

const DESCRIBERS = new URL('../../../gateway/protocols/describers.ts', import.meta.url).href
/** Longer than any of these tests may take. */
const NEVER_MS = 1_000_000_000

/** More than can be gone through: four of them together. */
const ROWS = (name: string): string => `generate_series(1, 5000) ${name}`

const placeAt = (server: PgServer) => ({ url: `postgres://postgres:${server.password}@127.0.0.1:${server.port}/postgres` })

/** Of somebody who leaves right after it was asked whether they are still there. */
function leavingAtOnce(): AbortSignal {
  const leaves = new AbortController()
  const { signal } = leaves
  signal.throwIfAborted = () => {
    if (signal.aborted) throw signal.reason
    leaves.abort()
  }
  return signal
}

async function notBegun(database: Database, gone: AbortSignal): Promise<void> {
  const work: string[] = []
  const asked = database.timed(NEVER_MS, async () => work.push('begun'), { gone })
  await assert.rejects(asked, { code: 'API_LIMITED' })
  assert.deepEqual(work, [])
}

async function cancelled(place: DatabasePlace): Promise<void> {
  const database = await openDatabase(place, (problem) => assert.fail(problem))
  const leaves = new AbortController()
  const begun = Promise.withResolvers<void>()
  try {
    const asked = database.timed(
      NEVER_MS,
      (each, inTime) => {
        begun.resolve()
        return each.query(
          `select count(*) from ${ROWS('a')}, ${ROWS('b')}, ${ROWS('c')}, ${ROWS('d')} where ${inTime('a + b + c + d')}`,
        )
      },
      { gone: leaves.signal },
    )
    await begun.promise
    leaves.abort()
    await assert.rejects(asked, { code: 'API_LIMITED', message: /did not wait/ })
    // Nothing of it is left to whoever asks next.
    const next = await database.timed(NEVER_MS, (each, inTime) =>
      each.query<{ count: number }>(`select count(*) as count from generate_series(1, 50000) n where ${inTime('n')}`),
    )
    assert.deepEqual(next.rows, [{ count: 50_000 }])
    await notBegun(database, AbortSignal.abort())
  } finally {
    await database.close()
  }
}

test('files: what runs is ended once its asker has gone', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-timed-'))
  try {
    await cancelled({ folder: join(folder, 'pg') })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a server: what runs is ended once its asker has gone', { timeout: 120_000 }, async () => {
  await using server = await startPostgres({ tls: false })
  await cancelled(placeAt(server))
  const database = await openDatabase(placeAt(server), (problem) => assert.fail(problem))
  try {
    await notBegun(database, leavingAtOnce())
  } finally {
    await database.close()
  }
})

test('a search whose asker leaves does not go on in the catalog', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-timed-'))
  await using server = await startPostgres({ tls: false })
  await using catalog = await Catalog.open({
    store: { folder },
    keys: join(folder, 'keys'),
    database: placeAt(server),
    secret: 'of this test',
    findings: {},
    describers: DESCRIBERS,
    onProblem: (problem) => assert.fail(problem),
  })
  await catalog.settle()
  const lock = new Client({ connectionString: placeAt(server).url })
  await lock.connect()
  try {
    await lock.query('begin; lock table catalog.statements, catalog.names in access exclusive mode')
    const waiting = `select count(*)::int as count from pg_locks where not granted`
    for (const q of ['anything', 'table:anything']) {
      const leaves = new AbortController()
      const asker = { person: 'ada', gone: leaves.signal }
      const asked = [
        catalog.search({ q }, { scope: null, results: true }, asker),
        catalog.sessions({ text: 'anything' }, null, { ...asker, person: 'bob' }),
      ]
      while ((await lock.query(waiting)).rows[0]?.count < 2) await new Promise((resolve) => setTimeout(resolve, 10))
      leaves.abort()
      await Promise.all(asked.map((each) => assert.rejects(each, { code: 'API_LIMITED' })))
      assert.equal((await lock.query(waiting)).rows[0]?.count, 0)
    }
  } finally {
    await lock.end()
  }
})

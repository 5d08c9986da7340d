import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Catalog, Catalogs, type Clock } from '../../../../gateway/protocols/postgres/catalog.ts'
import { NO_ADDITIONS, type Relation, type Snapshot } from '../../../../gateway/protocols/postgres/catalog-snapshot.ts'
import { startPostgres } from '../../../support/pg-server.ts'

/** A clock that goes on only when told, and by what is waited for. */
function fakeClock(): Clock & { nowMs: number } {
  return {
    nowMs: 0,
    now() {
      return this.nowMs
    },
    async pause(ms) {
      this.nowMs += ms
    },
  }
}

const knowing = (...oids: readonly number[]): Snapshot => ({
  relations: new Map(
    oids.map((oid) => [oid, { oid, schema: 's', table: `t${oid}`, kind: 'r', columns: new Map([[1, 'a']]), kin: [] }]),
  ),
  system: new Set(),
  additions: NO_ADDITIONS,
})

/** Lets what was started in the background go on until it waits for something of ours. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function scripted(): { take: () => Promise<Snapshot>; snapshot: Snapshot; taken: number; failure: Error | undefined } {
  return {
    snapshot: knowing(20000),
    taken: 0,
    failure: undefined,
    async take() {
      this.taken++
      if (this.failure !== undefined) throw this.failure
      return this.snapshot
    },
  }
}

async function opened() {
  const clock = fakeClock()
  const source = scripted()
  const failures: unknown[] = []
  const catalog = await Catalog.open(
    () => source.take(),
    (error, facts) => failures.push([error, facts]),
    clock,
  )
  return { catalog, clock, source, failures }
}

test('an unknown origin is looked for in the background, at most once a second', async () => {
  const { catalog, clock, source } = await opened()
  source.snapshot = knowing(20000, 20001)
  for (let at = 0; at < 100; at++) assert.equal(catalog.lookup(20001, 1), undefined)
  await settle()
  assert.deepEqual([source.taken, clock.nowMs], [2, 1000])
  assert.equal(typeof catalog.lookup(20001, 1), 'object')
  assert.equal(catalog.lookup(0, 0), undefined, 'an expression is no reason to look')
  await settle()
  assert.equal(source.taken, 2)
})

test('an old snapshot answers at once and is renewed behind', async () => {
  const { catalog, clock, source } = await opened()
  clock.nowMs = 60_001
  assert.equal(typeof catalog.lookup(20000, 1), 'object')
  source.snapshot = knowing()
  await settle()
  assert.equal(source.taken, 2)
  assert.equal(catalog.lookup(20000, 1), undefined, 'what was known before is forgotten')
})

test('refreshes asked for together are one, and one asked for during another is a second', async () => {
  const { catalog, source } = await opened()
  await Promise.all([catalog.refresh(), catalog.refresh(), catalog.refresh()])
  assert.equal(source.taken, 2)
  const first = catalog.refresh()
  await settle()
  await Promise.all([first, catalog.refresh()])
  assert.equal(source.taken, 4)
})

test('a refresh that fails is told, leaves what is known, is not hammered, and too old is unknown', async () => {
  const { catalog, clock, source, failures } = await opened()
  source.failure = new Error('down')
  await assert.rejects(catalog.refresh(), /down/)
  clock.nowMs = 61_000
  for (let at = 0; at < 10; at++) {
    assert.equal(typeof catalog.lookup(20000, 1), 'object')
    await settle()
  }
  assert.equal(source.taken, 12)
  assert(clock.nowMs >= 61_000 + 9 * 1000, 'a second between tries')
  assert.deepEqual(failures, [[source.failure, { failures: 2, ageMs: 61_000 }]], 'once a minute')
  clock.nowMs = 122_000
  catalog.lookup(20000, 1)
  await settle()
  assert.deepEqual(failures[1], [source.failure, { failures: 12, ageMs: 122_000 }])
  clock.nowMs = 15 * 60_000 + 1
  assert.equal(catalog.lookup(20000, 1), undefined)
})

test('a name in a statement is looked for in every schema, or in the one it gives, and anew after a refresh', async () => {
  const { catalog, source } = await opened()
  const names = (table: string, schema?: string) => catalog.named(table, schema).map(({ oid }) => oid)
  assert.deepEqual([names('t20000'), names('t20000', 's'), names('t20000', 'other'), names('t20001')], [[20000], [20000], [], []])
  source.snapshot = knowing(20001)
  await catalog.refresh()
  assert.deepEqual([names('t20000'), names('t20001')], [[], [20001]])
})

test('a table keeps the labels of one it was a partition of, for as long as that is there', async () => {
  const { catalog, source } = await opened()
  const [parent, child] = [...knowing(20001, 20002).relations.values()]
  assert(parent !== undefined && child !== undefined)
  const snapshot = (...relations: readonly Relation[]): Snapshot => ({
    ...knowing(),
    relations: new Map(relations.map((relation) => [relation.oid, relation])),
  })
  const also = (): unknown => {
    const origin = catalog.lookup(20002, 1)
    return typeof origin === 'object' ? origin.also.map(({ table }) => table) : origin
  }
  source.snapshot = snapshot({ ...parent, kin: [20002] }, { ...child, kin: [20001] })
  await catalog.refresh()
  source.snapshot = snapshot(parent, child)
  for (let times = 0; times < 2; times++) {
    await catalog.refresh()
    assert.deepEqual(also(), ['t20001'])
  }
  source.snapshot = snapshot(child)
  await catalog.refresh()
  assert.deepEqual(also(), [])
})

test('a database is read once for all sessions of a process, and again after a failure', async () => {
  await using server = await startPostgres()
  await server.sql('CREATE TABLE a (x text)')
  const [row] = await server.sql("SELECT 'a'::regclass::oid::int AS oid")
  const target = { name: 'shop', protocol: 'postgres', host: '127.0.0.1', port: server.port, labels: {} } as const
  const credential = async () => ({ user: 'postgres', password: server.password, tls: { mode: 'off' } }) as const
  const failures: unknown[] = []
  after(() => assert.deepEqual(failures, []))
  const catalogs = new Catalogs()
  const failed = (error: unknown): void => void failures.push(error)
  await assert.rejects(catalogs.of(target, 'postgres', async () => ({ ...(await credential()), password: 'wrong' }), failed))
  const [one, two] = await Promise.all([
    catalogs.of(target, 'postgres', credential, failed),
    catalogs.of(target, 'postgres', credential, failed),
  ])
  assert.equal(one, two)
  const origin = one.lookup(Number(row?.['oid']), 1)
  assert(typeof origin === 'object' && origin.column === 'x')
  await server.sql('ALTER TABLE a RENAME COLUMN x TO y')
  await one.refresh()
  const renamed = one.lookup(Number(row?.['oid']), 1)
  assert(typeof renamed === 'object' && renamed.column === 'y')
  assert.notEqual(await catalogs.of(target, 'template1', credential, failed), one)
})

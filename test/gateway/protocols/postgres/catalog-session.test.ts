import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { Catalog } from '../../../../gateway/protocols/postgres/catalog.ts'
import { SessionCatalog } from '../../../../gateway/protocols/postgres/catalog-session.ts'
import { NO_ADDITIONS, type Relation, type Snapshot } from '../../../../gateway/protocols/postgres/catalog-snapshot.ts'

const table = (oid: number, name: string): [number, Relation] => [
  oid,
  { oid, schema: 'public', table: name, kind: 'r', columns: new Map([[1, 'a']]), kin: [] },
]
const SNAPSHOT: Snapshot = {
  relations: new Map([table(20_000, 'orders'), table(20_001, 'others')]),
  system: new Set(['pg_class']),
  additions: NO_ADDITIONS,
}

/** The catalog for a session that has sent these statements, and for one beside it. */
async function after(...statements: readonly string[]) {
  const catalog = await Catalog.open(
    () => Promise.resolve(SNAPSHOT),
    () => assert.fail('nothing fails here'),
    { now: () => 0, pause: () => Promise.resolve() },
  )
  const session = new SessionCatalog(catalog)
  for (const sql of statements) session.executed(sqlFacts(sql))
  return { session, beside: new SessionCatalog(catalog) }
}

const known = (catalog: SessionCatalog): unknown[] => [
  typeof catalog.lookup(20_000, 1),
  catalog.named('orders').length,
  typeof catalog.lookup(20_001, 1),
  catalog.named('others').length,
  catalog.settled !== undefined,
]

test('what a session has defined anew is unknown to it, and to it alone, until the catalog is read again', async () => {
  const { session, beside } = await after('alter table orders rename to elsewhere')
  assert.deepEqual(known(session), ['undefined', 0, 'object', 1, false])
  assert.deepEqual(known(beside), ['object', 1, 'object', 1, true])
  await session.refresh()
  assert.deepEqual(known(session), ['undefined', 0, 'object', 1, false], 'not committed yet')
  session.rested()
  await session.refresh()
  assert.deepEqual(known(session), ['object', 1, 'object', 1, true])
})

test('a name of the system’s own may be that of something temporary', async () => {
  const { session, beside } = await after('create temp view pg_class as select 1')
  assert.deepEqual([session.isSystem('pg_class'), beside.isSystem('pg_class')], [false, true])
})

test('functions, operators and casts count as added from the moment they are made', async () => {
  const { session } = await after(
    "create function lower(int) returns text language sql as 'select 1'",
    'create operator + (leftarg = int, rightarg = text, function = lower)',
    'create cast (int as text) without function as implicit',
  )
  assert.deepEqual([session.addsFunction('lower'), session.addsFunction('upper')], [true, false])
  assert.deepEqual([session.addsOperator('+'), session.addsOperator('-'), session.addsCasts], [true, false, true])
  assert.deepEqual(
    [session.callsChanged(sqlFacts('select lower(1)')), session.callsChanged(sqlFacts('select upper(1)'))],
    [true, false],
  )
})

test('all sessions know it by another edition once it was read', async () => {
  const { session, beside } = await after('create view v as select 1')
  const { edition } = beside
  session.rested()
  await session.refresh()
  assert.notEqual(beside.edition, edition)
  assert.equal(beside.edition, session.edition)
})

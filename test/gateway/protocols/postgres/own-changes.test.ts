import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { OwnChanges } from '../../../../gateway/protocols/postgres/own-changes.ts'

function after(...statements: readonly string[]): OwnChanges {
  const changes = new OwnChanges()
  for (const sql of statements) changes.executed(sqlFacts(sql))
  return changes
}

test('what a session defined is unread until a reading that was begun once all of it was done', () => {
  const changes = after('begin', 'create or replace view v as select 1')
  assert.deepEqual([changes.unread(1), changes.unread(2)], [true, true], 'nobody else can see it yet')
  assert.equal(changes.rested(2), true)
  assert.equal(changes.unread(2), true, 'begun before')
  assert.equal(changes.rested(3), false, 'asked for once')
  assert.equal(changes.unread(3), false)
  assert.equal(changes.has('relation v'), false)
})

test('what has nothing to do with it is known all the while', () => {
  const changes = after('create or replace view v as select 1')
  const origin = { schema: 's', table: 't', column: 'c', also: [], computedFrom: [], opaque: false }
  assert.deepEqual([changes.has('relation v'), changes.has('relation t'), changes.reach(origin)], [true, false, false])
  assert.equal(changes.reach({ ...origin, table: 'v' }), true)
  assert.equal(changes.reach({ ...origin, also: [{ schema: 's', table: 'v', column: 'c' }] }), true)
  assert.equal(changes.reach({ ...origin, computedFrom: [{ schema: 's', table: 'v' }] }), true)
})

test('code that nobody has read may define anything, and so may any other code once the session has made some', () => {
  for (const statements of [
    ["do $$ begin execute 'anything'; end $$"],
    ['selec nonsense'],
    ["create function f() returns int language sql as 'select 1'", 'select f()'],
    ["create procedure p() language sql as ''", 'call p()'],
    Array.from({ length: 1_002 }, (_, at) => `create table t${at} (a int)`),
  ])
    assert.equal(after(...statements).has('relation t'), true, statements[0])
  for (const sql of ['select app_function()', 'call app_procedure()', 'insert into t values (1)', 'create index on t (a)'])
    assert.equal(after(sql).unread(1), false, sql)
})

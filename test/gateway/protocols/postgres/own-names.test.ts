import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { OwnNames } from '../../../../gateway/protocols/postgres/own-names.ts'

function after(...statements: readonly string[]): OwnNames {
  const names = new OwnNames()
  for (const sql of statements) names.executed(sqlFacts(sql), sql)
  return names
}

const boundOf = (names: OwnNames, sql: string): string => names.bound(sqlFacts(sql))

test('what a session makes itself is bound to it, whatever it is and however it is written', () => {
  for (const make of [
    'create temp table orders (id int)',
    'create table pg_temp.orders (id int)',
    'create view orders as select 1',
    'create temp sequence orders',
    'create table orders as select 1',
    'select 1 into orders',
    'drop table orders',
    'alter table other rename to orders',
    "do $$ begin execute 'anything'; end $$",
    'select app_function()',
  ]) {
    const names = after(make)
    assert.deepEqual(names.among(sqlFacts('delete from orders')), ['orders'], make)
    assert.notEqual(boundOf(names, 'delete from public.orders'), '', make)
  }
})

test('what it only reads and writes, or makes under other names, leaves approvals good everywhere', () => {
  const names = after(
    'select * from orders',
    'delete from orders',
    'create temp table scratch (id int)',
    'begin',
    'set timezone = utc',
  )
  assert.equal(boundOf(names, 'delete from orders'), '')
  assert.notEqual(boundOf(names, 'delete from orders where id in (select id from scratch)'), '')
})

test('no other session, and not this one after the next such statement, has the same binding', () => {
  const make = 'create temp table orders (id int)'
  assert.notEqual(boundOf(after(make), 'delete from orders'), boundOf(after(make), 'delete from orders'))
  const names = after(make)
  const before = boundOf(names, 'delete from orders')
  assert.equal(boundOf(names, 'delete from orders'), before)
  names.executed(sqlFacts('drop table orders'), 'drop table orders')
  assert.notEqual(boundOf(names, 'delete from orders'), before)
})

test('what cannot be read may name anything', () => {
  const names = after('create temp table orders (id int)')
  assert.notEqual(boundOf(names, 'selec nonsense'), '')
  assert.equal(boundOf(after(), 'selec nonsense'), '')
})

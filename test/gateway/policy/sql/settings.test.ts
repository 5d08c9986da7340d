import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'

test('a setting put to the value the gateway reads by is no change of reading', () => {
  for (const sql of [
    'SET standard_conforming_strings = on',
    "SET standard_conforming_strings TO 'true'",
    'SET standard_conforming_strings = 1',
    'SET standard_conforming_strings TO DEFAULT',
    'RESET standard_conforming_strings',
    "SET client_encoding = 'utf-8'",
    "SELECT set_config('client_encoding', 'UTF8', false)",
    'RESET ALL',
  ]) {
    assert.equal(sqlFacts(sql).parser_change, undefined, sql)
  }
})

test('a value that cannot be read may be any', () => {
  assert.equal(sqlFacts("SELECT set_config('client_encoding', $1, false)").parser_change, true)
  assert.equal(sqlFacts('SELECT set_config($1, $2, false)').role_change, true)
  assert.equal(
    sqlFacts('CREATE FUNCTION f() RETURNS int LANGUAGE sql SET client_encoding FROM CURRENT AS $$select 1$$').parser_change,
    true,
  )
})

test('every way to set has the name of what it sets', () => {
  assert.deepEqual(sqlFacts("SET TIME ZONE 'UTC'").sets, ['timezone'])
  assert.deepEqual(sqlFacts('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE').sets, [
    'transaction_isolation',
    'transaction_read_only',
  ])
  assert.deepEqual(sqlFacts("SELECT set_config('Search_Path', 'x', true)").sets, ['search_path'])
  assert.deepEqual(sqlFacts('RESET ALL').sets, ['all'])
})

test('a transaction that may write where the session only reads changes that setting; one that only reads changes none', () => {
  assert.deepEqual(sqlFacts('BEGIN READ WRITE').sets, ['transaction_read_only'])
  assert.deepEqual(sqlFacts('START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE').sets, ['transaction_read_only'])
  for (const sql of ['BEGIN', 'BEGIN READ ONLY', 'COMMIT', 'BEGIN ISOLATION LEVEL SERIALIZABLE', 'SET TRANSACTION READ ONLY'])
    assert.equal(sqlFacts(sql).sets, undefined, sql)
})

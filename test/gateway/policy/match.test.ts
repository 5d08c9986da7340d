import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionPlace } from '../../../gateway/policy/condition-facts.ts'
import { compileMatch, isVerb } from '../../../gateway/policy/match.ts'
import { sqlFacts } from '../../../gateway/policy/sql/facts.ts'
import type { Match } from '../../../schemas/policy.ts'
import { agent, production } from '../../support/policy.ts'

function fits(match: Match, sql: string, searchPath: readonly string[] | 'changed' = ['public'], permits = false): boolean {
  const around = { searchPath: searchPath === 'changed' ? undefined : searchPath, place: conditionPlace(agent, production) }
  return compileMatch(match, permits)(sqlFacts(sql), around, 'query')
}

function allowed(match: Match, sql: string, searchPath?: readonly string[] | 'changed'): boolean {
  return fits(match, sql, searchPath, true)
}

test('a first word is every verb that begins with it', () => {
  assert.equal(isVerb('DROP TABLE', ['DROP']), true)
  assert.equal(isVerb('DROP TABLE', ['DROP TABLE']), true)
  assert.equal(isVerb('DROP TABLE', ['DROP INDEX']), false)
  assert.equal(isVerb('CREATE TABLE AS', ['CREATE TAB']), false)
  assert.equal(fits({ verb: 'drop' }, 'DROP VIEW v'), true)
})

test('has_where asks the verbs the rule names', () => {
  const unfiltered: Match = { verb: ['DELETE', 'UPDATE'], has_where: false }
  assert.equal(fits(unfiltered, 'DELETE FROM t'), true)
  assert.equal(fits(unfiltered, 'DELETE FROM t WHERE a = 1'), false)
  assert.equal(fits(unfiltered, 'SELECT * FROM t; DELETE FROM t WHERE a = 1'), false, 'only the SELECT has none')
  assert.equal(fits(unfiltered, 'DELETE FROM t WHERE a = 1; DELETE FROM u'), true, 'one of them has none')
  assert.equal(fits({ has_where: false }, 'SELECT 1'), false, 'there is nothing a WHERE could filter')
  assert.equal(fits({ has_where: true }, 'SELECT a FROM t WHERE b'), true)
  assert.equal(fits({ where_trivial: true }, 'UPDATE t SET a = 1 WHERE 1 = 1'), true)
})

test('a table named without its schema may be in any schema of the search path', () => {
  assert.equal(fits({ relations: 'public.orders' }, 'SELECT * FROM orders'), true)
  assert.equal(fits({ relations: 'orders' }, 'SELECT * FROM public.orders'), true)
  assert.equal(fits({ relations: 'public.*' }, 'SELECT * FROM orders'), true)
  assert.equal(fits({ relations: 'secret.*' }, 'SELECT * FROM orders'), false)
  assert.equal(fits({ relations: 'secret.*' }, 'SELECT * FROM orders', ['secret', 'public']), true)
  assert.equal(fits({ relations: 'secret.orders' }, 'SELECT * FROM orders', 'changed'), true, 'the search path was changed')
  assert.equal(fits({ relations: 'pg_catalog.pg_stats' }, 'SELECT * FROM pg_stats'), true)
  assert.equal(fits({ relations: ['*', '!pgbench_*'] }, 'TRUNCATE pgbench_history'), false)
  assert.equal(fits({ relations: ['*', '!pgbench_*'] }, 'TRUNCATE pgbench_history, orders'), true)
})

test('one function has to fit both name and category', () => {
  const unknown: Match = { function_categories: 'unknown', functions: '!app.*' }
  assert.equal(fits(unknown, 'SELECT app.f()'), false)
  assert.equal(fits(unknown, 'SELECT app.f(), g()'), true)
  assert.equal(fits({ functions: 'pg_sleep*' }, 'SELECT pg_sleep_for(x)'), true)
  assert.equal(fits({ function_categories: ['file', 'sleep'] }, 'SELECT pg_sleep(1)'), true)
})

test('copies are asked for by direction and target together', () => {
  assert.equal(fits({ copy: { direction: 'out', target: ['program', 'file'] } }, "COPY t TO PROGRAM 'x'"), true)
  assert.equal(
    fits({ copy: { direction: 'out', target: ['program', 'file'] } }, "COPY t FROM PROGRAM 'x'; COPY t TO STDOUT"),
    false,
  )
  assert.equal(fits({ copy: { direction: 'in' } }, 'COPY t FROM STDIN'), true)
})

test('numbers are ranges, and no limit is more than any', () => {
  assert.equal(fits({ limit: { min: 1_000 } }, 'SELECT * FROM t'), true)
  assert.equal(fits({ limit: { min: 1_000 } }, 'SELECT * FROM t LIMIT 10'), false)
  assert.equal(fits({ limited: false }, 'SELECT * FROM t'), true)
  assert.equal(fits({ limited: false }, 'INSERT INTO t VALUES (1)'), false)
  assert.equal(fits({ size: { max: 10 } }, 'SELECT 1'), true)
  assert.equal(fits({ statement_count: { min: 2 } }, 'SELECT 1; SELECT 2'), true)
})

test('a setting whose name cannot be told fits every pattern', () => {
  assert.equal(fits({ sets: 'row_security' }, 'SELECT set_config($1, $2, false)'), true)
  assert.equal(fits({ sets: 'row_security' }, 'SET work_mem = 1'), false)
})

test('flags hold both ways, and all fields at once', () => {
  assert.equal(fits({ ddl: false, writes: true }, 'INSERT INTO t VALUES (1)'), true)
  assert.equal(fits({ ddl: false, writes: true }, 'CREATE TABLE t ()'), false)
  assert.equal(fits({ select_star: true, relations: 'orders', limited: false }, 'SELECT * FROM orders'), true)
  assert.equal(fits({ select_star: true, relations: 'orders', limited: false }, 'SELECT * FROM orders LIMIT 5'), false)
  assert.equal(fits({ columns: '*ssn*' }, 'SELECT u.ssn FROM u'), true)
})

test('what is allowed takes nothing along that stands beside it', () => {
  const cases: readonly (readonly [Match, string, string])[] = [
    [{ verb: 'SELECT' }, 'SELECT 1; SELECT 2', 'SELECT 1; DROP TABLE t'],
    [{ relations: 'public.orders' }, 'SELECT * FROM orders', 'SELECT * FROM orders, secret.keys'],
    [{ columns: ['id', 'total'] }, 'SELECT id, total FROM t', 'SELECT id, ssn FROM t'],
    [{ functions: 'app.*' }, 'SELECT app.a(), app.b()', "SELECT app.a(), pg_read_file('x')"],
    [{ sets: 'work_mem' }, "SET work_mem = '1GB'", "SET work_mem = '1GB'; SET role = postgres"],
    [{ copy: { direction: 'out', target: 'stdout' } }, 'COPY t TO STDOUT', "COPY t TO STDOUT; COPY t TO PROGRAM 'x'"],
  ]
  for (const [match, fine, more] of cases) {
    assert.ok(allowed(match, fine), fine)
    assert.ok(!allowed(match, more), more)
  }
  assert.ok(!allowed({ relations: 'public.*' }, 'SELECT 1'), 'it is about tables, and here is none')
})

test('a table that may be in another schema is not allowed', () => {
  const match: Match = { relations: 'public.*' }
  assert.equal(allowed(match, 'SELECT * FROM orders', ['secret', 'public']), false)
  assert.equal(allowed(match, 'SELECT * FROM orders', 'changed'), false)
  assert.equal(allowed(match, 'SELECT * FROM public.orders', 'changed'), true)
  assert.equal(allowed(match, 'SELECT * FROM pg_stats'), false)
})

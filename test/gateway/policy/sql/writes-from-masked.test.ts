import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { labelledPlaces, writesFromMasked } from '../../../../gateway/policy/sql/writes-from-masked.ts'
import { agent, policyOf } from '../../../support/policy.ts'

const policy = policyOf(
  '  []',
  'labels: { a: { columns: [public.people.name], entity: x }, b: { names: ["*mail*"], entity: y } }',
)
const places = labelledPlaces(policy.columns(agent), policy.searchPath)
const writes = (sql: string): boolean => writesFromMasked(sqlFacts(sql), places)

test('a labelled value that goes where no label is', () => {
  for (const sql of [
    'INSERT INTO t (a) SELECT name FROM people',
    'INSERT INTO t (a) SELECT name FROM public.people',
    'INSERT INTO t (a) SELECT email FROM anywhere',
    'INSERT INTO t SELECT * FROM people',
    'UPDATE people SET note = name',
    'INSERT INTO t (id) SELECT id::text FROM people AS id',
    'UPDATE t SET a = p.id FROM people AS p (x, id) WHERE t.id = 7',
    'INSERT INTO t (a) SELECT id FROM (people JOIN other ON true) AS j (x, id)',
    'INSERT INTO t (id) SELECT id::text FROM (people JOIN other ON true) AS id',
    'CREATE TABLE copy AS SELECT name FROM people',
    "SELECT set_config('my.x', name, false) FROM people",
    "SELECT pg_notify('news', (SELECT name FROM people))",
  ])
    assert.ok(writes(sql), sql)
})

test('one that stays under a label, and what has none', () => {
  for (const sql of [
    'UPDATE people SET name = upper(name)',
    'UPDATE people SET visits = visits + 1 WHERE id = 5 RETURNING *',
    'INSERT INTO t (mail_of) SELECT email FROM anywhere',
    'INSERT INTO t (a) SELECT name FROM elsewhere.people',
    'INSERT INTO t (a) SELECT id FROM people WHERE name = $1',
    'SELECT name FROM people',
  ])
    assert.ok(!writes(sql), sql)
})

test('a name that holds the sign between target and source is no way round', () => {
  assert.ok(writes('UPDATE people SET "email<x" = name'))
  assert.ok(writes('INSERT INTO t (a) SELECT "email<id" FROM people'))
})

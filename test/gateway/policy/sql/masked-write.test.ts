import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { mayWrite } from '../../../../gateway/policy/sql/masked-write.ts'

test('what changes rows or definitions may write, and so may whatever cannot be seen through', () => {
  for (const sql of ['UPDATE t SET a = 1', 'CREATE VIEW v AS SELECT 1', 'DO $$ $$', 'SELECT app.f(1)', 'CALL f()', 'oops'])
    assert.ok(mayWrite(sqlFacts(sql)), sql)
  for (const sql of ['SELECT a FROM t', 'COPY t TO STDOUT', "SET application_name = 'x'", 'BEGIN', ''])
    assert.ok(!mayWrite(sqlFacts(sql)), sql)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { mayWrite, statementHoldsMask } from '../../../../gateway/policy/sql/masked-write.ts'

test('what changes rows or definitions may write, and so may whatever cannot be seen through', () => {
  for (const sql of ['UPDATE t SET a = 1', 'CREATE VIEW v AS SELECT 1', 'DO $$ $$', 'SELECT app.f(1)', 'CALL f()', 'oops'])
    assert.ok(mayWrite(sqlFacts(sql)), sql)
  for (const sql of ['SELECT a FROM t', 'COPY t TO STDOUT', "SET application_name = 'x'", 'BEGIN', ''])
    assert.ok(!mayWrite(sqlFacts(sql)), sql)
})

test('a mask is known behind escapes and in pieces', () => {
  for (const sql of [
    "UPDATE t SET a = '[MASKED:email:7f3a91c204be]'",
    "UPDATE t SET a = E'\\x5bMASKED:email:7f3a91c204be]'",
    "UPDATE t SET a = E'[MASK\\105D:card]'",
    "UPDATE t SET a = U&'\\005BMASKED:card]'",
    "UPDATE t SET a = U&'!005BMASKED:card]' UESCAPE '!'",
    "UPDATE t SET a = '[MASK' || 'ED:email:' || '7f3a91c204be]'",
    "INSERT INTO t VALUES (concat('[MASKED', ':card]'))",
  ])
    assert.ok(statementHoldsMask(sql), sql)
  for (const sql of ["UPDATE t SET a = E'\\x5bmasked' || 'MASKED'", "UPDATE t SET a = 'x' || b", 'oops ||', 'SELECT 1'])
    assert.ok(!statementHoldsMask(sql), sql)
})

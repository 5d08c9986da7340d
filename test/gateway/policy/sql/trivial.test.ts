import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSql } from '../../../../gateway/policy/sql/parse.ts'
import { type Triviality, triviality } from '../../../../gateway/policy/sql/trivial.ts'

function of(condition: string): Triviality {
  const parsed = parseSql(`DELETE FROM t WHERE ${condition}`)
  assert.ok(parsed.ok, condition)
  const [statement] = parsed.statements as { DeleteStmt: { whereClause: unknown } }[]
  return triviality(statement?.DeleteStmt.whereClause, 't')
}

test('conditions that keep every row, whatever is in the table', () => {
  for (const condition of [
    ...['true', '1=1', "'a' = 'a'", 'NOT false', '$1 = $1', "now() > '2000-01-01'", 'EXISTS (SELECT 1)', 'random() < 2'],
    ...[
      'id = id',
      't.id = id',
      'id >= id',
      'id IN (id)',
      'id = ANY (ARRAY[id])',
      'id BETWEEN id AND id',
      'id IS NOT DISTINCT FROM id',
    ],
    ...['a = 1 OR true', 'true OR a = 1', 'a = 1 OR (b = 2 OR 1 = 1)', 'true AND 1 = 1', '(id = id) IS TRUE', 'id = id AND true'],
    ...["name LIKE '%'", "name ILIKE '%%'", "name ~ ''", "name ~ '.*'", "name ~ '^'"],
    ...['id IN (SELECT id FROM t)', 'id IN (SELECT id FROM public.t)'],
  ]) {
    assert.equal(of(condition).trivial, true, condition)
  }
})

test('conditions that ask something of a row', () => {
  for (const condition of [
    ...['id = 5', 'id > 0', 'a = b', "name LIKE 'a%'", 'id = $1', 'true AND id = 5', 'id IN (1, 2)', 'CURRENT OF c', 'deleted'],
    ...['id IN (SELECT id FROM u)', 'id IN (SELECT id FROM t WHERE a)', 'id IN (SELECT id FROM t LIMIT 1)', "name ~ '^a'"],
  ]) {
    assert.equal(of(condition).trivial, false, condition)
  }
})

test('it is said when a literal decided', () => {
  assert.equal(of("name LIKE 'a%'").byLiteral, true)
  assert.equal(of('id + 1 = id + 1').byLiteral, true)
  assert.equal(of('id BETWEEN 1 AND 2').byLiteral, true)
  assert.equal(of('id = 5').byLiteral, false)
  assert.equal(of('1 = 2').byLiteral, false, 'no column: trivial with any literals')
})

test('a condition nested beyond reason is taken for trivial, and quickly', () => {
  assert.equal(of(`${'('.repeat(100)}a${' IS TRUE)'.repeat(100)}`).trivial, true)
})

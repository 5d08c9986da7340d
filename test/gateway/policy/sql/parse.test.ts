import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePlpgsql, parseSql } from '../../../../gateway/policy/sql/parse.ts'

test('statements come as PostgreSQL reads them, one node each', () => {
  const parsed = parseSql('SELECT 1; ; DROP TABLE t')
  assert.ok(parsed.ok)
  assert.deepEqual(
    parsed.statements.map((node) => Object.keys(node)),
    [['SelectStmt'], ['DropStmt']],
  )
  assert.deepEqual(parseSql(''), { ok: true, statements: [] })
  assert.deepEqual(parseSql(' -- only a comment'), { ok: true, statements: [] })
})

test('a mistake is located, and nothing of the text is repeated', () => {
  assert.deepEqual(parseSql('SELECT secret_word FROM FROM'), { ok: false, at: 24 })
})

test('a PL/pgSQL block is read whatever dollar quotes stand in it', () => {
  assert.match(JSON.stringify(parsePlpgsql('BEGIN PERFORM $sallyport$x$sallyport$; END')), /PERFORM|SELECT/)
  assert.equal(parsePlpgsql('this is no block'), undefined)
})

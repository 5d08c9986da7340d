import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalise as normalised } from '../../../../gateway/policy/sql/normalise.ts'

function normalise(sql: string): string | undefined {
  const key = normalised(sql)
  return key === undefined ? undefined : String.fromCharCode(...key.codes.subarray(0, key.length))
}

test('plain integers and strings make no difference', () => {
  const key = normalise("SELECT a FROM t WHERE b=1 AND c = 'x' AND d IN (1, 22)")
  assert.notEqual(key, undefined)
  assert.equal(
    normalise("SELECT a FROM t WHERE b=45 AND c = 'another (''' AND d IN (7, 8)"),
    undefined,
    'doubled quotes are not plain',
  )
  assert.equal(normalise("SELECT a FROM t WHERE b=45 AND c = 'other; DROP' AND d IN (7, 8)"), key)
})

test('whatever is not a plain literal stays in the key', () => {
  const differ = (one: string, two: string): void => assert.notEqual(normalise(one), normalise(two), `${one} | ${two}`)
  differ('SELECT 1', 'SELECT 1.5')
  differ('SELECT 1', "SELECT '1'")
  differ('SELECT 123456789', 'SELECT 1234567890')
  differ('SELECT 1.5', 'SELECT 1.6')
  differ('SELECT 1e5', 'SELECT 1e6')
  differ('SELECT 0x10', 'SELECT 0x11')
  differ('SELECT t1.a', 'SELECT t2.a')
  differ('SELECT $1', 'SELECT $2')
  differ('SELECT "1"', 'SELECT "2"')
  differ('SELECT a1', 'SELECT a2')
  differ('SELECT true', 'SELECT false')
  differ('SELECT 1 ', 'SELECT 1')
  differ('SELECT é1', 'SELECT é2')
})

test('a text that might be read in another way has no key', () => {
  for (const sql of [
    "SELECT E'a'",
    "SELECT U&'a'",
    'SELECT U&"a"',
    "SELECT B'1'",
    "SELECT x'1F'",
    "SELECT 'a\\'b'",
    "SELECT 'it''s'",
    "SELECT 'open",
    'SELECT "open',
    "SELECT $$ 'a' $$",
    "SELECT $tag$ 'a' $tag$",
    "SELECT 1$$ ' $$",
    'SELECT a$$',
    'SELECT 1 -- comment',
    'SELECT /* comment */ 1',
    'SELECT \u0001',
    "SELECT '\u0002'",
    'SELECT 1\0',
    'SELECT "a\0"',
    `SELECT ${'a,'.repeat(5_000)}1`,
  ]) {
    assert.equal(normalise(sql), undefined, sql)
  }
})

test('the size of a text is known where each character is one byte', () => {
  const sql = 'SELECT a1, $1 FROM "b" WHERE c = 12345'
  assert.equal(normalised(sql)?.size, sql.length)
  assert.equal(normalised('SELECT é')?.size, undefined)
  assert.equal(normalised('SELECT "é"')?.size, undefined)
  assert.equal(normalised("SELECT 'é'")?.size, undefined)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalise, type Stripped } from '../../../../gateway/policy/sql/normalise.ts'
import { StrippedCache } from '../../../../gateway/policy/sql/stripped-cache.ts'

function keyOf(sql: string): Stripped {
  const key = normalise(sql)
  if (key === undefined) throw new Error(`${sql} has no key`)
  return key
}

test('texts that differ in plain literals share a value, others have none', () => {
  const cache = new StrippedCache<number>()
  cache.set(keyOf("SELECT a FROM t WHERE b = 1 AND c = 'x'"), 1)
  assert.equal(cache.get(keyOf("SELECT a FROM t WHERE b = 23 AND c = 'yz'")), 1)
  assert.equal(cache.get(keyOf("SELECT a FROM u WHERE b = 1 AND c = 'x'")), undefined)
  cache.set(keyOf("SELECT a FROM u WHERE b = 1 AND c = 'x'"), 2)
  assert.equal(cache.get(keyOf("SELECT a FROM t WHERE b = 4 AND c = 'x'")), 1)
  assert.equal(cache.get(keyOf("SELECT a FROM u WHERE b = 4 AND c = 'x'")), 2)
})

test('of two texts with one hash neither is taken for the other', () => {
  const cache = new StrippedCache<number>()
  const one = { codes: Uint16Array.from([1, 2, 3]), length: 3, hash: 7, size: 3 }
  const other = { codes: Uint16Array.from([1, 2, 4]), length: 3, hash: 7, size: 3 }
  cache.set(one, 1)
  assert.equal(cache.get(other), undefined)
  assert.equal(cache.get({ ...one, length: 2 }), undefined)
  cache.set(other, 2)
  assert.equal(cache.get(other), 2)
  assert.equal(cache.get(one), undefined)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findAccessKey, hasExpired, hashAccessKey, isAccessKey, newAccessKey } from '../../../gateway/identity/access-key.ts'

test('a new key has the shape of a key, and is never the same twice', () => {
  const keys = Array.from({ length: 100 }, newAccessKey)
  for (const key of keys) assert.ok(isAccessKey(key) && key.length === 46)
  assert.equal(new Set(keys).size, 100)
})

test('what is not quite a key is none', () => {
  const key = newAccessKey()
  for (const text of ['', key.slice(1), `${key}x`, key.toUpperCase(), `${key}\n`, key.replace('sp_', 'pk_')]) {
    assert.equal(isAccessKey(text), false)
  }
})

test('a key is found by its hash among many, and a near miss is not', () => {
  const key = newAccessKey()
  const kept = [newAccessKey(), key, newAccessKey()].map((each, index) => ({ id: `k-${index}`, sha256: hashAccessKey(each) }))
  assert.equal(findAccessKey(key, kept)?.id, 'k-1')
  assert.equal(findAccessKey(`${key.slice(0, -1)}${key.endsWith('A') ? 'E' : 'A'}`, kept), undefined)
  assert.equal(findAccessKey(key, [], kept)?.id, 'k-1')
  assert.equal(findAccessKey(key, []), undefined)
})

test('a key is good until its time is over, and no longer where that cannot be told', () => {
  const nowMs = Date.parse('2026-11-30T12:00:00Z')
  const over = (expiresAt?: string): boolean => hasExpired(expiresAt === undefined ? {} : { expiresAt }, nowMs)
  assert.deepEqual([over(), over('2026-11-30T12:00:01Z'), over('2026-11-30T12:00:00Z')], [false, false, true])
  assert.equal(over('2027-12-31T23:59:60Z'), true)
})

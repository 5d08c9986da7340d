import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GenerationCache } from '../../../../gateway/policy/sql/cache.ts'

test('what is used stays, what is not goes, and there is never more than allowed', () => {
  const cache = new GenerationCache<number>(10)
  cache.set('kept', 1)
  for (let i = 0; i < 100; i++) {
    cache.set(`other ${i}`, i)
    assert.equal(cache.get('kept'), 1)
    assert.ok(cache.size <= 11, `${cache.size} entries`)
  }
  assert.equal(cache.get('other 0'), undefined)
  assert.equal(cache.get('other 99'), 99)
})

test('long keys count by their length, and one too long is not kept at all', () => {
  const cache = new GenerationCache<number>(1_000, 100)
  cache.set('x'.repeat(60), 1)
  assert.equal(cache.size, 0)
  for (let i = 0; i < 20; i++) cache.set(`${'y'.repeat(20)}${i}`, i)
  assert.ok(cache.size <= 4, `${cache.size} entries of 21 characters in 100`)
})

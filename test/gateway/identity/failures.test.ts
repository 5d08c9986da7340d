import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Failures } from '../../../gateway/identity/failures.ts'

test('the answer waits longer with every failure of an address, up to a bound', () => {
  const failures = new Failures(() => 0)
  const delays = Array.from({ length: 12 }, () => failures.note('192.0.2.1:1000'))
  assert.deepEqual(delays.slice(0, 3), [250, 250, 250])
  assert.deepEqual(
    [...delays].sort((a, b) => a - b),
    delays,
  )
  assert.equal(delays.at(-1), 4_000)
})

test('another address, and the same one a quiet minute later, start afresh', () => {
  let now = 0
  const failures = new Failures(() => now)
  for (let count = 0; count < 10; count += 1) failures.note('192.0.2.1:1000')
  assert.equal(failures.note('192.0.2.2:1000'), 250)
  now = 60_000
  assert.equal(failures.note('192.0.2.1:2000'), 250)
})

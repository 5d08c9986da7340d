import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs, listOf, sizeBytes } from '../../../gateway/policy/quantities.ts'

test('durations are milliseconds, sizes bytes', () => {
  assert.deepEqual(['500ms', '45s', '10m', '1h'].map(durationMs), [500, 45_000, 600_000, 3_600_000])
  assert.deepEqual([7, '512KiB', '16MiB', '1GiB'].map(sizeBytes), [7, 524_288, 16_777_216, 1_073_741_824])
})

test('one is a list of one, none a list of none', () => {
  assert.deepEqual([listOf('a'), listOf(['a', 'b']), listOf(undefined)], [['a'], ['a', 'b'], []])
})

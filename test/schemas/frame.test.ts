import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Dir, isReleased } from '../../schemas/frame.ts'
import type { Act } from '../../schemas/verdict.ts'

test('a frame went on unless it was blocked, only announces a hold, or is a note', () => {
  const released = (dir: Dir, act?: Act): boolean =>
    isReleased({ dir, verdict: act === undefined ? null : { act, rules: [], policy: '0' } })
  for (const dir of ['in', 'out'] as const) {
    assert.equal(released(dir), true)
    assert.equal(released(dir, 'allow'), true)
    assert.equal(released(dir, 'mask'), true)
    assert.equal(released(dir, 'block'), false)
    assert.equal(released(dir, 'hold'), false)
  }
  assert.equal(released('note'), false)
  assert.equal(released('note', 'allow'), false)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blocked, noticeOf, refusals } from '../../gateway/refusals.ts'
import { BLOCK, HOLD } from '../support/fakes.ts'

test('every refusal names its rules and what the asker can do', () => {
  const all = [
    blocked(BLOCK),
    refusals.rejected(HOLD, 'A-1', 'no'),
    refusals.expired(HOLD, 'A-1'),
    refusals.withdrawn(HOLD, 'A-1'),
    refusals.spent(HOLD, 'A-1'),
    refusals.undecidable(HOLD),
  ]
  assert.deepEqual(
    all.map(({ why }) => why),
    ['blocked', 'rejected', 'expired', 'withdrawn', 'failed', 'failed'],
  )
  for (const { rules } of all) assert.equal(rules.length, 1)
})

test('the words of whoever rejected reach the asker’s terminal as words: no escapes, nothing that turns the text around', () => {
  const { message } = refusals.rejected(HOLD, 'A-1', 'no \u001b[2J\u202edrop\u0007')
  assert.match(message, /A-1 was rejected: no /)
  assert.doesNotMatch(message, /[\u001b\u202e\u0007]/)
})

test('a notice says why at first, then how long is left, never less than nothing', () => {
  assert.match(noticeOf(HOLD, 'A-1', 0, 60_000).message, /a person decides/)
  assert.match(noticeOf(HOLD, 'A-1', 65_000, 60_000).message, /0 s left/)
})

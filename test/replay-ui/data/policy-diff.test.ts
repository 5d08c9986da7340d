import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyChanges, rulesOf } from '../../../replay-ui/data/policy-diff.ts'

const policy = (...rules: readonly object[]): string => JSON.stringify({ defaults: { action: 'allow' }, rules })
const DROP = { id: 'pg.no-drop', action: 'block', match: { verb: 'DROP' }, reason: 'no table is dropped here' }

test('policies are compared rule by rule: what came, what went, what is another', () => {
  const before = policy(DROP, { id: 'old', action: 'hold' })
  const after = policy({ ...DROP, action: 'hold' }, { id: 'new', action: 'block' })
  assert.deepEqual(
    policyChanges(before, after).map(({ what, before: old, after: made }) => [what, old !== undefined, made !== undefined]),
    [
      ['rule pg.no-drop', true, true],
      ['rule new', false, true],
      ['rule old', true, false],
    ],
  )
  assert.deepEqual(policyChanges(before, before), [])
  assert.deepEqual(policyChanges('not json', '[1]').length, 1)
})

test('rules are told by what they do and when; what is no policy has none', () => {
  assert.deepEqual(rulesOf(policy(DROP, { id: 'quiet', action: 'block', mode: 'shadow' })), [
    { id: 'pg.no-drop', action: 'block', shadow: false, reason: 'no table is dropped here', when: '{"match":{"verb":"DROP"}}' },
    { id: 'quiet', action: 'block', shadow: true, reason: '', when: '{}' },
  ])
  assert.deepEqual(rulesOf('{"rules":[1,null]}'), [])
  assert.deepEqual(rulesOf('nothing'), [])
})

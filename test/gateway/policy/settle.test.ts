import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Matched, settle } from '../../../gateway/policy/settle.ts'
import { TrialMessage } from '../../../gateway/policy/trial.ts'
import { asking } from '../../support/policy.ts'

const dba = { groups: ['dba'], count: 1, timeoutMs: 45_000 }
const query = asking('SELECT 1')

function match(id: string, act: Matched['act'], more: Partial<Matched> = {}): Matched {
  return { id, act, reason: `because ${id}`, hint: undefined, hold: act === 'hold' ? dba : undefined, ...more }
}

test('block comes before hold, hold before allow; every rule is named in order', () => {
  const all = [match('a', 'allow'), match('h', 'hold'), match('n', 'note'), match('b', 'block'), match('b2', 'block')]
  assert.deepEqual(settle(all, query, dba), { act: 'block', rules: ['a', 'h', 'n', 'b', 'b2'], reason: 'because b' })
  assert.equal(settle(all.slice(0, 3), query, dba).act, 'hold')
  assert.deepEqual(settle([match('n', 'note')], query, dba), { act: 'allow', rules: ['n'] })
  assert.deepEqual(settle([], query, dba), { act: 'allow', rules: [] })
})

test('a hold does not stop a Parse: nothing runs by being parsed', () => {
  assert.deepEqual(settle([match('h', 'hold')], asking('SELECT 1', 1, 'parse'), dba), { act: 'allow', rules: ['h'] })
  assert.equal(settle([match('b', 'block')], asking('SELECT 1', 1, 'parse'), dba).act, 'block')
})

test('several holds wait together: common groups, most people, least time', () => {
  const wide = { groups: ['dba', 'security'], count: 1, timeoutMs: 60_000 }
  const strict = { groups: ['security'], count: 2, timeoutMs: 50_000 }
  const verdict = settle([match('w', 'hold', { hold: wide }), match('s', 'hold', { hold: strict })], query, dba)
  assert.ok(verdict.act === 'hold')
  assert.deepEqual(verdict.approvers, { groups: ['security'], count: 2 })
  assert.equal(verdict.timeoutMs, 50_000)
})

test('what arrives only in part is blocked where it would be held: an approval binds to all of the bytes', () => {
  const first = Object.assign(new TrialMessage('client', 'query', new Uint8Array(9), 0, {}), { part: 'first' as const })
  assert.equal(settle([match('h', 'hold')], first, dba).act, 'block')
})

test('where several thresholds are crossed the first cut counts, and a rule that is none leaves nothing', () => {
  const keepOf = (...matched: Matched[]): number | undefined => {
    const verdict = settle(matched, query, dba)
    return 'keep' in verdict ? verdict.keep : undefined
  }
  assert.equal(keepOf(match('x', 'block', { keep: 40 }), match('y', 'hold', { keep: 7 })), 7)
  assert.equal(keepOf(match('x', 'block', { keep: 40 }), match('y', 'block')), 0)
  assert.equal(keepOf(match('x', 'block')), undefined)
})

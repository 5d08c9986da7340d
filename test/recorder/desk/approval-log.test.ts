import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ApprovalEvent, type ApprovalRequest, approvalAfter } from '../../../recorder/desk/approval-log.ts'
import { ask } from './contract.ts'

const CREATED = '2026-11-20T10:00:00.000Z'
const BEFORE_MS = Date.parse('2026-11-20T10:30:00Z')
const AFTER_MS = Date.parse('2026-11-20T11:00:00Z')

function request(count: number): ApprovalRequest {
  const { ttlMs: _, ...rest } = ask({ approvers: { groups: ['dba'], count } })
  return { ...rest, id: 'A-00000000', createdAt: CREATED, expiresAt: '2026-11-20T11:00:00.000Z' }
}

const at = CREATED
const approve = (by: string): ApprovalEvent => ({ kind: 'decision', decision: { act: 'approve', by, at } })
const reject = (by: string): ApprovalEvent => ({ kind: 'decision', decision: { act: 'reject', by, at, reason: 'no' } })
const withdrawn: ApprovalEvent = { kind: 'withdrawn', at }
const consumed: ApprovalEvent = { kind: 'consumed', at }

const event = fc.oneof(
  fc.constantFrom('ana', 'ben', 'Ana', 'cleo').map(approve),
  fc.constantFrom('ana', 'ben').map(reject),
  fc.constant(withdrawn),
  fc.constant(consumed),
)

test('whatever events are found, approval needs the people it needs, and what is closed stays closed', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), fc.integer({ min: 1, max: 3 }), (events, count) => {
      let closed: string | undefined
      for (let length = 0; length <= events.length; length += 1) {
        const { state, decisions } = approvalAfter(request(count), events.slice(0, length), BEFORE_MS)
        const people = new Set(decisions.filter(({ act }) => act === 'approve').map(({ by }) => by.toLowerCase()))
        if (state === 'approved' || state === 'consumed') assert.ok(people.size >= count)
        if (state === 'pending') assert.ok(people.size < count)
        if (closed !== undefined) assert.equal(state, closed)
        if (state === 'rejected' || state === 'withdrawn' || state === 'consumed') closed = state
      }
    }),
  )
})

test('time closes what is open, and nothing else', () => {
  const states = (events: readonly ApprovalEvent[]) => [
    approvalAfter(request(1), events, BEFORE_MS).state,
    approvalAfter(request(1), events, AFTER_MS).state,
  ]
  assert.deepEqual(states([]), ['pending', 'expired'])
  assert.deepEqual(states([approve('ana')]), ['approved', 'expired'])
  assert.deepEqual(states([approve('ana'), consumed]), ['consumed', 'consumed'])
  assert.deepEqual(states([reject('ana')]), ['rejected', 'rejected'])
  assert.deepEqual(states([withdrawn]), ['withdrawn', 'withdrawn'])
})

test('an event that does not fit the state changes nothing', () => {
  assert.equal(approvalAfter(request(1), [consumed], BEFORE_MS).state, 'pending')
  assert.equal(approvalAfter(request(1), [withdrawn, approve('ana'), consumed], BEFORE_MS).state, 'withdrawn')
  assert.equal(approvalAfter(request(2), [approve('ana'), consumed, approve('ben')], BEFORE_MS).state, 'approved')
})

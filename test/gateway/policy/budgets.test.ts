import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OwnBudgets } from '../../../gateway/policy/budgets.ts'

const HOUR = 3_600_000
const START = 1_800_000_000_000
const LIMIT = { rows: 100, bytes: 1_000 }

test('what was spent counts for as long as the window, for everybody of the same budget, and is then forgotten', () => {
  let now = START
  const budgets = new OwnBudgets(() => now)
  const of = (subject: string) => budgets.passed({ rule: 'rule', subject, windowMs: HOUR, limit: LIMIT })
  of('agent-7').add(10, 100)
  now += HOUR / 2
  of('agent-7').add(5, 50)
  assert.deepEqual(of('agent-7').sum(), { rows: 15, bytes: 150 })
  assert.deepEqual(of('agent-7').left(LIMIT), { rows: 85, bytes: 850 })
  assert.deepEqual(of('agent-8').sum(), { rows: 0, bytes: 0 })
  now = START + HOUR
  assert.deepEqual(of('agent-7').sum(), { rows: 5, bytes: 50 })
  now = START + 2 * HOUR
  assert.deepEqual(of('agent-7').sum(), { rows: 0, bytes: 0 })
})

test('a clock that is set back gives nobody a new budget', () => {
  let now = START
  const budgets = new OwnBudgets(() => now)
  const passed = budgets.passed({ rule: 'rule', subject: 'agent-7', windowMs: HOUR, limit: LIMIT })
  passed.add(10, 0)
  now -= 5 * HOUR
  assert.equal(passed.sum().rows, 10)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Budgets } from '../../../gateway/policy/budgets.ts'

const HOUR = 3_600_000
const KEY = Budgets.key('rule', 'agent-7', HOUR)
const NOW = 1_800_000_000_000

test('what was spent counts for as long as the window, and is then forgotten', () => {
  const budgets = new Budgets()
  budgets.spend(KEY, HOUR, NOW, { rows: 10, bytes: 100 })
  budgets.spend(KEY, HOUR, NOW + HOUR / 2, { rows: 5, bytes: 50 })
  assert.deepEqual(budgets.spent(KEY, HOUR, NOW + HOUR / 2), { rows: 15, bytes: 150 })
  assert.deepEqual(budgets.spent(KEY, HOUR, NOW + HOUR), { rows: 5, bytes: 50 })
  assert.deepEqual(budgets.spent(KEY, HOUR, NOW + 2 * HOUR), { rows: 0, bytes: 0 })
  assert.deepEqual(budgets.spent(Budgets.key('rule', 'agent-8', HOUR), HOUR, NOW), { rows: 0, bytes: 0 })
})

test('what others spent counts like one’s own', () => {
  const [own, other] = [new Budgets(), new Budgets()]
  other.spend(KEY, HOUR, NOW, { rows: 7, bytes: 70 })
  own.spend(KEY, HOUR, NOW, { rows: 1, bytes: 10 })
  own.hear([JSON.parse(JSON.stringify(other.spending()))])
  assert.deepEqual(own.spent(KEY, HOUR, NOW), { rows: 8, bytes: 80 })
  own.hear([])
  assert.deepEqual(own.spent(KEY, HOUR, NOW), { rows: 1, bytes: 10 })
})

test('a clock that is set back gives nobody a new budget', () => {
  const budgets = new Budgets()
  budgets.spend(KEY, HOUR, NOW, { rows: 10, bytes: 0 })
  assert.equal(budgets.spent(KEY, HOUR, NOW - 5 * HOUR).rows, 10)
})

test('however many identities come by, memory has an end, and the newest are kept', () => {
  const budgets = new Budgets()
  for (let index = 0; index < 10_050; index++)
    budgets.spend(Budgets.key('r', `s${index}`, HOUR), HOUR, NOW, { rows: 1, bytes: 1 })
  assert.equal(Object.keys(budgets.spending()).length, 10_000)
  assert.equal(budgets.spent(Budgets.key('r', 's10049', HOUR), HOUR, NOW).rows, 1)
})

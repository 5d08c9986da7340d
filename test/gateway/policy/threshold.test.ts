import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OwnBudgets } from '../../../gateway/policy/budgets.ts'
import { Counter } from '../../../gateway/policy/threshold.ts'
import { TrialMessage } from '../../../gateway/policy/trial.ts'
import { rows, someRows } from '../../support/policy.ts'

test('rows pass up to the limit and not one more', () => {
  const counter = new Counter({
    rows: 100,
    bytes: Number.POSITIVE_INFINITY,
    distinct: Number.POSITIVE_INFINITY,
    code: Number.POSITIVE_INFINITY,
  })
  assert.equal(counter.count(someRows(60)), undefined)
  assert.equal(counter.count(someRows(40)), undefined, 'exactly the limit is within it')
  assert.equal(counter.count(someRows(1)), 0)
  assert.equal(counter.count(someRows(5)), 0, 'and so for the rest')
})

test('a message that crosses the limit is cut inside', () => {
  const counter = new Counter({
    rows: 100,
    bytes: Number.POSITIVE_INFINITY,
    distinct: Number.POSITIVE_INFINITY,
    code: Number.POSITIVE_INFINITY,
  })
  counter.count(someRows(60))
  assert.equal(counter.count(someRows(60)), 40)
})

test('bytes are cut at the last whole row that fits, however unequal the rows', () => {
  const sizes = [10, 500, 10, 10, 2_000, 10]
  for (const [limit, keep] of [
    [9, 0],
    [10, 1],
    [509, 1],
    [510, 2],
    [530, 4],
    [2_529, 4],
    [2_530, 5],
    [2_539, 5],
  ] as const) {
    assert.equal(
      new Counter({
        rows: Number.POSITIVE_INFINITY,
        bytes: limit,
        distinct: Number.POSITIVE_INFINITY,
        code: Number.POSITIVE_INFINITY,
      }).count(rows(sizes)),
      keep,
      `${limit} bytes`,
    )
  }
  assert.equal(
    new Counter({
      rows: Number.POSITIVE_INFINITY,
      bytes: 2_540,
      distinct: Number.POSITIVE_INFINITY,
      code: Number.POSITIVE_INFINITY,
    }).count(rows(sizes)),
    undefined,
  )
})

test('of rows and bytes the first to be met counts', () => {
  assert.equal(
    new Counter({ rows: 3, bytes: 1_000, distinct: Number.POSITIVE_INFINITY, code: Number.POSITIVE_INFINITY }).count(
      rows([10, 10, 10, 10]),
    ),
    3,
  )
  assert.equal(
    new Counter({ rows: 3, bytes: 15, distinct: Number.POSITIVE_INFINITY, code: Number.POSITIVE_INFINITY }).count(
      rows([10, 10, 10, 10]),
    ),
    1,
  )
})

test('extended, as much again may pass', () => {
  const counter = new Counter({
    rows: 100,
    bytes: Number.POSITIVE_INFINITY,
    distinct: Number.POSITIVE_INFINITY,
    code: Number.POSITIVE_INFINITY,
  })
  assert.equal(counter.count(someRows(150)), 100)
  counter.extend()
  assert.equal(counter.over, false)
  assert.equal(counter.count(someRows(100)), undefined)
  assert.equal(counter.count(someRows(1)), 0)
})

const NONE = Number.POSITIVE_INFINITY

test('different values are counted as they are masked, and one too many cuts what comes next', () => {
  const counter = new Counter({ rows: NONE, bytes: NONE, distinct: 2, code: Number.POSITIVE_INFINITY })
  for (const value of [1n, 2n, 1n, 2n]) counter.seen(value)
  assert.equal(counter.count(someRows(5)), undefined, 'twice the same is once')
  counter.seen(3n)
  assert.equal(counter.count(someRows(5)), 0)
  counter.extend()
  assert.equal(counter.count(someRows(5)), undefined, 'approved: as many again')
})

test('an identity has one budget over all its sessions, which comes back as the window moves on', () => {
  let now = 1_000_000_000_000
  const budgets = new OwnBudgets(() => now)
  const windowMs = 3_600_000
  const counter = () =>
    new Counter(
      { rows: 100, bytes: NONE, distinct: NONE, code: Number.POSITIVE_INFINITY },
      budgets.passed({ rule: 'r', subject: 'agent-7', windowMs, limit: { rows: 100, bytes: NONE } }),
    )
  const [first, second] = [counter(), counter()]
  assert.equal(first.count(someRows(60)), undefined)
  assert.equal(second.count(someRows(60)), 40, 'cut where the two together reach it')
  assert.equal(first.count(someRows(1)), 0)
  now += windowMs / 2
  assert.equal(counter().count(someRows(1)), 0, 'half an hour is not enough')
  now += windowMs
  assert.equal(counter().count(someRows(100)), undefined)
})

test('bytes of source code are counted message by message, and the one too many stays back whole', () => {
  const counter = new Counter({ rows: NONE, bytes: NONE, distinct: NONE, code: 2_000 })
  const code = new TrialMessage(
    'server',
    'stdout',
    Buffer.from("import { a } from 'b'\n  const x = a(1);\n  return x;\n".repeat(30)),
    1,
    {},
  )
  assert.equal(counter.count(code), undefined)
  assert.equal(counter.count(someRows(1_000)), undefined)
  assert.equal(counter.count(code), 0)
  assert.equal(counter.over, true)
  counter.extend()
  assert.equal(counter.count(code), undefined)
})

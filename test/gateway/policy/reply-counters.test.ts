import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Judge } from '../../../gateway/policy/judge.ts'
import { ReservedBudgets } from '../../../gateway/policy/reserved-budgets.ts'
import type { Verdict } from '../../../schemas/verdict.ts'
import { agent, asking, policyOf, production, rows, someRows } from '../../support/policy.ts'

function judgeOf(rules: string): Judge {
  return policyOf(rules, 'defaults: { approval: { groups: [dba] } }').judge(agent, production)
}

function keep(verdict: Verdict): number | undefined {
  return 'keep' in verdict ? verdict.keep : undefined
}

const PER_STATEMENT = '  - { id: r, threshold: { rows: 100, per: statement }, action: block }'

test('each statement has a budget of its own', () => {
  const judge = judgeOf(PER_STATEMENT)
  judge.judge(asking('SELECT a FROM t', 1))
  judge.judge(asking('SELECT b FROM t', 2))
  assert.equal(judge.judge(someRows(80, 1)).act, 'allow')
  assert.equal(judge.judge(someRows(80, 2)).act, 'allow')
  const verdict = judge.judge(someRows(80, 2))
  assert.deepEqual([verdict.act, verdict.rules, keep(verdict)], ['block', ['r'], 20])
  assert.equal(keep(judge.judge(someRows(5, 2))), 0, 'what follows of a cut result stays cut')
  assert.equal(judge.judge(someRows(80, 3)).act, 'allow')
})

test('a session has one budget over all its statements', () => {
  const judge = judgeOf('  - { id: s, threshold: { bytes: 1000, per: session }, action: block }')
  assert.equal(judge.judge(rows([400], 1)).act, 'allow')
  assert.equal(judge.judge(rows([400], 2)).act, 'allow')
  assert.equal(keep(judge.judge(rows([150, 150], 3))), 1)
})

test('a threshold that asks something of the statement counts only such results', () => {
  const judge = judgeOf(
    '  - { id: o, on: postgres, match: { relations: orders }, threshold: { rows: 10, per: statement }, action: block }',
  )
  judge.judge(asking('SELECT * FROM items', 1))
  judge.judge(asking('SELECT * FROM orders', 2))
  assert.equal(judge.judge(someRows(50, 1)).act, 'allow')
  assert.equal(keep(judge.judge(someRows(50, 2))), 10)
  assert.equal(judge.judge(someRows(50, 9)).act, 'block', 'of a statement never seen nothing is known, so it counts')
})

test('a cursor is one statement however often it is fetched from', () => {
  const judge = judgeOf(PER_STATEMENT)
  judge.judge(asking('DECLARE c CURSOR FOR SELECT * FROM t', 1))
  for (let fetch = 2; fetch < 7; fetch++) {
    judge.judge(asking('FETCH 20 FROM c', fetch))
    assert.equal(judge.judge(someRows(20, fetch)).act, 'allow')
  }
  judge.judge(asking('FETCH 20 FROM c', 7))
  assert.equal(keep(judge.judge(someRows(20, 7))), 0)
})

test('a held threshold lets as much again pass once approved, and holds anew', () => {
  const judge = judgeOf('  - { id: h, threshold: { rows: 100, per: statement }, action: hold }')
  const crossing = judge.judge(someRows(150, 1))
  assert.deepEqual([crossing.act, keep(crossing)], ['hold', 100])
  assert.equal(judge.judge(someRows(10, 1)).act, 'hold', 'not approved: still held')
  assert.equal(judge.review(someRows(50, 1)).act, 'allow')
  assert.equal(judge.judge(someRows(100, 1)).act, 'allow')
  assert.equal(judge.judge(someRows(1, 1)).act, 'hold')
})

test('a block met meanwhile wins over the approval of a hold', () => {
  const judge = judgeOf(`  - { id: h, threshold: { rows: 100, per: statement }, action: hold }
  - { id: b, threshold: { rows: 120, per: session }, action: block }`)
  const verdict = judge.judge(someRows(150, 1))
  assert.deepEqual([verdict.act, verdict.rules, keep(verdict)], ['block', ['h', 'b'], 100])
  assert.equal(judge.review(someRows(50, 1)).act, 'block')
})

test('a threshold in shadow is noted once and cuts nothing', () => {
  const judge = judgeOf('  - { id: r, mode: shadow, threshold: { rows: 100, per: statement }, action: block }')
  assert.deepEqual(judge.judge(someRows(150, 1)), { act: 'allow', rules: ['shadow:r'] })
  assert.deepEqual(judge.judge(someRows(150, 1)), { act: 'allow', rules: [] })
})

test('what a client copies in is counted where a rule says so', () => {
  const judge = judgeOf(
    '  - { id: i, on: postgres, match: { kind: copy-data }, threshold: { rows: 10, per: session }, action: block }',
  )
  const copied = (count: number) => Object.assign(someRows(count), { from: 'client' as const, kind: 'copy-data' })
  assert.equal(judge.judge(someRows(1_000)).act, 'allow')
  assert.equal(judge.judge(copied(10)).act, 'allow')
  assert.equal(judge.judge(copied(1)).act, 'block')
})

test('facts of results are not asked for unless a threshold needs them', () => {
  const silent = () => Object.assign(someRows(5), { facts: () => assert.fail('asked for facts') })
  assert.equal(judgeOf('  - { id: x, on: postgres, match: { ddl: true }, action: block }').judge(silent()).act, 'allow')
  assert.equal(judgeOf('  - { id: s, threshold: { rows: 100, per: session }, action: block }').judge(silent()).act, 'allow')
})

test('a client that sends statements without end ahead of their results is stopped', () => {
  const judge = judgeOf(PER_STATEMENT)
  let refused = 0
  for (let statement = 1; statement <= 10_001 && refused === 0; statement++) {
    if (judge.judge(asking('SELECT 1', statement)).act === 'block') refused = statement
  }
  assert.equal(refused, 10_001)
  judge.judge(someRows(1, 10_000))
  assert.equal(judge.judge(asking('SELECT 1', 10_002)).act, 'allow', 'results have come in')
})

test('a budget in shadow keeps nobody waiting, and is told of once it is over', async () => {
  let asked = 0
  const bank = {
    reserve: () => {
      asked += 1
      return Promise.withResolvers<never>().promise
    },
    giveBack: async () => undefined,
  }
  const budgets = new ReservedBudgets(bank, (error) => assert.fail(String(error)))
  const judgeBy = (mode: string): Judge =>
    policyOf(
      `  - { id: b${mode}, ${mode === '' ? '' : `mode: ${mode}, `}threshold: { rows: 100, per: identity, window: 1h }, action: block }`,
    ).judge(agent, production, { budgets })
  assert.ok(judgeBy('').waits?.(someRows(1)) !== undefined, 'one in force waits')
  const judge = judgeBy('shadow')
  const before = asked
  for (let n = 1; n <= 3; n++) {
    const message = someRows(50, n)
    assert.equal(judge.waits?.(message), undefined)
    const verdict = judge.judge(message)
    assert.equal(verdict.act, 'allow')
    assert.deepEqual(verdict.rules, n === 3 ? ['shadow:bshadow'] : [])
  }
  assert.ok(asked > before)
})

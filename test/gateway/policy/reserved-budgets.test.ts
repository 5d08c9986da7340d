import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Message } from '../../../gateway/message.ts'
import { ReservedBudgets } from '../../../gateway/policy/reserved-budgets.ts'
import { Counter } from '../../../gateway/policy/threshold.ts'
import { TrialMessage } from '../../../gateway/policy/trial.ts'
import { BudgetBank } from '../../../recorder/desk/budget-bank.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'

const HOUR = 3_600_000
const NONE = Number.POSITIVE_INFINITY
const LIMITS = { rows: 1_000, bytes: NONE, distinct: NONE, code: NONE }

const fail = (error: unknown): void => assert.fail(String(error))

function someRows(units: number): Message {
  return Object.assign(new TrialMessage('server', 'rows', new Uint8Array(units * 10), 0, {}), { units })
}

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-budgets-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** As the gate does: waits for what has to be waited for, then counts. The rows that passed. */
async function pass(counter: Counter, units: number): Promise<number> {
  const message = someRows(units)
  for (let wait = counter.waits(message); wait !== undefined; wait = counter.waits(message)) await wait
  return counter.count(message) ?? units
}

const of = (subject: string) => ({ rule: 'r', subject, windowMs: HOUR, limit: { rows: LIMITS.rows, bytes: NONE } })

test('thirty-two sessions of three processes never get more than the budget, and nearly all of it', async () => {
  await using home = await temporary()
  const banks = Array.from({ length: 3 }, () => new BudgetBank(new FolderRecords(home.path)))
  const processes = banks.map((bank) => new ReservedBudgets(bank, fail))
  const pulls = Array.from({ length: 32 }, async (_, n) => {
    const counter = new Counter(LIMITS, processes[n % 3]?.passed(of('agent-7')))
    let passed = 0
    for (let rows = pass(counter, 7); ; rows = pass(counter, 7)) {
      const got = await rows
      passed += got
      if (got < 7) return passed
    }
  })
  const passed = (await Promise.all(pulls)).reduce((sum, each) => sum + each, 0)
  assert.ok(passed <= 1_000 && passed > 900, `${passed} rows of 1000`)
  for (const each of processes) await each[Symbol.asyncDispose]()
  await using again = new ReservedBudgets(banks[0] ?? assert.fail(), fail)
  assert.equal(await pass(new Counter(LIMITS, again.passed(of('agent-7'))), 1), 0, 'it is used up for everybody')
  assert.equal(await pass(new Counter(LIMITS, again.passed(of('agent-8'))), 1), 1)
})

test('what was not used goes back when a process ends, and when it is idle', async () => {
  await using home = await temporary()
  const bank = new BudgetBank(new FolderRecords(home.path))
  const one = new ReservedBudgets(bank, fail)
  assert.equal(await pass(new Counter(LIMITS, one.passed(of('a'))), 3), 3)
  await one[Symbol.asyncDispose]()
  assert.equal((await bank.reserve('3600000 r a', HOUR, { rows: 1_000, bytes: 0 }, LIMITS)).granted.rows, 997)
  await using two = new ReservedBudgets(bank, fail)
  assert.equal(await pass(new Counter(LIMITS, two.passed(of('b'))), 3), 3)
  for (let total = 0; total !== 3; ) total = (await bank.reserve('3600000 r b', HOUR, { rows: 0, bytes: 0 }, LIMITS)).total.rows
})

test('an approver lets as much again through, and others hear of it', async () => {
  await using home = await temporary()
  const bank = new BudgetBank(new FolderRecords(home.path))
  await using budgets = new ReservedBudgets(bank, fail)
  const counter = new Counter(LIMITS, budgets.passed(of('a')))
  assert.equal(await pass(counter, 990), 990)
  assert.equal(await pass(counter, 20), 10)
  assert.equal(counter.over, true)
  counter.extend()
  assert.equal(await pass(counter, 500), 500)
  const { total } = await bank.reserve('3600000 r a', HOUR, { rows: 0, bytes: 0 }, LIMITS)
  assert.ok(total.rows >= 1_510, `${total.rows}`)
  assert.equal(await pass(new Counter(LIMITS, budgets.passed(of('a'))), 1), 0, 'others of the same identity were not approved')
})

test('many who wait for a bank that is away wait for one question, and are refused together', async () => {
  let giveUps = 0
  const away = {
    reserve: async () => {
      throw new Error('away')
    },
    giveBack: async () => undefined,
  }
  await using budgets = new ReservedBudgets(away, () => void giveUps++, { patienceMs: 200, retryMs: 10 })
  const counters = Array.from({ length: 20 }, () => new Counter(LIMITS, budgets.passed(of('a'))))
  const messages = counters.map(() => someRows(1))
  const waits = counters.map((counter, n) => counter.waits(messages[n] ?? assert.fail()) ?? assert.fail())
  await Promise.all(waits)
  assert.equal(giveUps, 1)
  for (const [n, counter] of counters.entries()) {
    assert.equal(counter.waits(messages[n] ?? assert.fail()), undefined, 'known to be refused')
    assert.equal(counter.count(messages[n] ?? assert.fail()), 0)
  }
})

test('what passes without waiting is told to the bank in few questions, all of it', async () => {
  const told: number[] = []
  const opened = Promise.withResolvers<void>()
  const bank = {
    reserve: async (_key: string, _windowMs: number, want: { readonly rows: number; readonly bytes: number }) => {
      await opened.promise
      told.push(want.rows)
      return { granted: want, total: want, part: 1, endsInMs: HOUR }
    },
    giveBack: async () => undefined,
  }
  const budgets = new ReservedBudgets(bank, fail)
  const passed = budgets.passed(of('a'))
  for (let n = 0; n < 1_000; n++) passed.add(1, 10)
  assert.equal(passed.sum().rows, 1_000)
  opened.resolve()
  await budgets[Symbol.asyncDispose]()
  assert.deepEqual(told, [1, 999])
})

test('nothing passes while nobody can be asked, and it is said why', async () => {
  const errors: unknown[] = []
  const away = {
    reserve: async () => {
      throw new Error('away')
    },
    giveBack: async () => undefined,
  }
  await using budgets = new ReservedBudgets(away, (error) => void errors.push(error), { patienceMs: 300, retryMs: 10 })
  const counter = new Counter(LIMITS, budgets.passed(of('a')))
  assert.equal(await pass(counter, 1), 0)
  assert.equal(counter.unanswered, true)
  assert.ok(errors.length > 0)
})

import assert from 'node:assert/strict'
import { mkdtemp, readdir, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { BudgetFolder } from '../../gateway/budget-folder.ts'
import { Budgets } from '../../gateway/policy/budgets.ts'

const HOUR = 3_600_000
const KEY = Budgets.key('rule', 'agent-7', HOUR)

const fail = (error: unknown): void => {
  throw error
}

test('processes that share a folder share budgets, and those that have ended still count', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'budgets-'))
  const now = Date.now()
  await using first = await BudgetFolder.open(folder, fail)
  {
    await using second = await BudgetFolder.open(folder, fail)
    second.budgets.spend(KEY, HOUR, now, { rows: 7, bytes: 70 })
    await second.share()
    first.budgets.spend(KEY, HOUR, now, { rows: 1, bytes: 10 })
    await first.share()
    await second.share()
    assert.deepEqual(second.budgets.spent(KEY, HOUR, now), { rows: 8, bytes: 80 })
    second.budgets.spend(KEY, HOUR, now, { rows: 2, bytes: 20 })
  }
  await first.share()
  assert.deepEqual(first.budgets.spent(KEY, HOUR, now), { rows: 10, bytes: 100 })
})

test('what nobody touched for a day is removed; what is no list of spending is told of, and counting goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'budgets-'))
  const old = join(folder, '1-aa.json')
  await writeFile(old, '{"spending":{}}')
  await utimes(old, 1, 1)
  const errors: unknown[] = []
  await using shared = await BudgetFolder.open(folder, (error) => errors.push(error))
  assert.deepEqual(await readdir(folder), [])
  await writeFile(join(folder, '2-bb.json'), '{"spending":{"k":{"1":["x"]}}}')
  await shared.share()
  assert.match(String(errors[0]), /is no list of what was spent/)
  shared.budgets.spend(KEY, HOUR, Date.now(), { rows: 1, bytes: 1 })
  assert.equal(shared.budgets.spent(KEY, HOUR, Date.now()).rows, 1)
})

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Lead } from '../../../recorder/desk/lead.ts'
import type { Records } from '../../../recorder/desk/records.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'

const PACE = { renewMs: 20, stepDownMs: 400, deadMs: 1_500 }
const DEADLINE = { timeout: 60_000 }

/** Several processes, as far as a lease goes: each with records of its own on one folder. */
async function rig(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-lead-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const leading = new Set<string>()
  const told: string[] = []
  const open = (name: string, records: Records = new FolderRecords(folder)) => {
    const lead = new Lead(
      { records, role: 'tell', onError: () => undefined, onLead: (leads) => void told.push(`${name} ${leads}`), pace: PACE },
      async () => {
        leading.add(name)
        return { [Symbol.asyncDispose]: async () => void leading.delete(name) }
      },
    )
    return { records, lead, [Symbol.asyncDispose]: () => lead[Symbol.asyncDispose]().then(() => records[Symbol.dispose]()) }
  }
  const until = async (...names: string[]): Promise<void> => {
    while (leading.size !== names.length || !names.every((name) => leading.has(name))) await wait(10)
  }
  return { folder, leading, told, open, until }
}

test('one of several leads; one that goes in order is followed at once', DEADLINE, async (t) => {
  const { leading, told, open, until } = await rig(t)
  const first = open('a')
  await until('a')
  await using _second = open('b')
  await wait(PACE.renewMs * 5)
  assert.deepEqual([...leading], ['a'])
  const goneMs = performance.now()
  await first[Symbol.asyncDispose]()
  await until('b')
  assert.ok(performance.now() - goneMs < PACE.deadMs)
  assert.deepEqual(told, ['a true', 'a false', 'b true'])
})

test('one that cannot say that it is there steps down before another takes over', DEADLINE, async (t) => {
  const { folder, leading, open, until } = await rig(t)
  const own = new FolderRecords(folder)
  let away = false
  const cut: Records = Object.create(own, {
    swap: {
      value: (...args: Parameters<Records['swap']>) => (away ? Promise.reject(new Error('away')) : own.swap(...args)),
    },
    read: { value: (path: string) => (away ? Promise.reject(new Error('away')) : own.read(path)) },
    next: { value: (...args: Parameters<Records['next']>) => own.next(...args) },
    [Symbol.dispose]: { value: () => own[Symbol.dispose]() },
  })
  await using _first = open('a', cut)
  await until('a')
  await using _second = open('b')
  away = true
  await until()
  assert.equal(leading.size, 0, 'nobody, for a while')
  await until('b')
  away = false
  await wait(PACE.renewMs * 5)
  assert.deepEqual([...leading], ['b'], 'whoever comes back waits for its turn')
})

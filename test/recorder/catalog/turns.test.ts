import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turns } from '../../../recorder/catalog/turns.ts'

interface Job {
  ask(): Promise<string>
  end(): void
}

/** Work that ends when it is told to. */
function job(name: string, begun: string[]): Job {
  const { promise, resolve } = Promise.withResolvers<string>()
  return {
    ask: () => {
      begun.push(name)
      return promise
    },
    end: () => resolve(name),
  }
}
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('one search of a person runs, and who has waited the longest for a turn is next', async () => {
  const turns = new Turns(2)
  const begun: string[] = []
  const names = ['ann 1', 'ann 2', 'ann 3', 'bob 1', 'cem 1']
  const jobs = names.map((name) => job(name, begun))
  const done = jobs.map(({ ask }, at) => turns.run({ person: names[at]?.slice(0, 3) ?? '' }, ask))
  await soon()
  assert.deepEqual(begun, ['ann 1', 'bob 1'])
  jobs[0]?.end()
  await soon()
  // Ann has had a turn, Cem none.
  assert.deepEqual(begun, ['ann 1', 'bob 1', 'cem 1'])
  jobs[4]?.end()
  await soon()
  assert.deepEqual(begun, ['ann 1', 'bob 1', 'cem 1', 'ann 2'])
  for (const { end } of jobs) end()
  assert.deepEqual(await Promise.all(done), names)
})

test('a person has few waiting, others may go on asking; what failed gives its turn back', async () => {
  const turns = new Turns(1)
  const first = job('first', [])
  const running = turns.run({ person: 'ann' }, first.ask)
  const waiting = Array.from({ length: 4 }, () => turns.run({ person: 'ann' }, () => Promise.reject(new Error('no'))))
  const ended = Promise.allSettled(waiting)
  await assert.rejects(
    turns.run({ person: 'ann' }, async () => 0),
    { code: 'API_LIMITED' },
  )
  const other = turns.run({ person: 'bob' }, async () => 'bob')
  first.end()
  await running
  for (const { status } of await ended) assert.equal(status, 'rejected')
  assert.equal(await other, 'bob')
  assert.equal(await turns.run({ person: 'ann' }, async () => 'again'), 'again')
})

test('what nobody waits for any more is not begun', async () => {
  const turns = new Turns(1)
  const begun: string[] = []
  const first = job('first', begun)
  const leaves = new AbortController()
  const running = turns.run({ person: 'ann' }, first.ask)
  const left = turns.run({ person: 'bob', gone: leaves.signal }, job('left', begun).ask)
  const next = turns.run({ person: 'cem' }, async () => begun.push('next'))
  leaves.abort()
  await assert.rejects(left, { code: 'API_LIMITED' })
  await assert.rejects(turns.run({ person: 'bob', gone: leaves.signal }, job('late', begun).ask), { code: 'API_LIMITED' })
  first.end()
  await Promise.all([running, next])
  assert.deepEqual(begun, ['first', 'next'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Slots } from '../../../recorder/azure/slots.ts'

test('so many at once and no more, in the order of the calls; one that fails makes room as well', async () => {
  const slots = new Slots(3, Number.POSITIVE_INFINITY)
  const [begun, ends]: [number[], PromiseWithResolvers<void>[]] = [[], []]
  const calls = Array.from({ length: 8 }, (_, n) =>
    slots.run(() => {
      begun.push(n)
      const end = Promise.withResolvers<void>()
      ends.push(end)
      return end.promise
    }),
  )
  const settled = Promise.allSettled(calls)
  for (let n = 0; n < 8; n += 1) {
    assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6, 7].slice(0, n + 3))
    if (n % 2 === 0) ends[n]?.resolve()
    else ends[n]?.reject(new Error('no'))
    await calls[n]?.catch(() => undefined)
    await new Promise(setImmediate)
  }
  const outcomes = (await settled).map(({ status }) => status === 'fulfilled')
  assert.deepEqual(outcomes, [true, false, true, false, true, false, true, false])
})

test('whoever waited for too long does not ask any more, and keeps nobody waiting', async () => {
  const slots = new Slots(1, 0)
  const slow = Promise.withResolvers<string>()
  const asked: number[] = []
  const first = slots.run(() => slow.promise)
  const others = [1, 2, 3].map((n) => slots.run(async () => void asked.push(n)))
  slow.resolve('done')
  for (const other of others) await assert.rejects(other, { code: 'AZURE_FAILED', message: /for others to be answered/ })
  assert.deepEqual([await first, asked], ['done', []])
  assert.equal(await slots.run(async () => 'and again'), 'and again')
})

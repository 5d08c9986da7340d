import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ForwardedCancels } from '../../gateway/forwarded-cancels.ts'

const KEY = Buffer.from('0102030405060708', 'hex')

test('an address that asks for many leaves room for the others, and what is dropped is told', async () => {
  const asked: string[] = []
  const dropped: string[] = []
  const answered = Promise.withResolvers<boolean>()
  const cancels = new ForwardedCancels(
    (key) => {
      asked.push(key)
      return answered.promise
    },
    (client) => void dropped.push(client),
  )
  const flood = Array.from({ length: 40 }, (_, n) => cancels.forward(KEY, `[2001:db8::7]:${50_000 + n}`))
  const real = cancels.forward(Buffer.from('ff00', 'hex'), '198.51.100.1:50000')
  assert.equal(asked.at(-1), 'ff00')
  assert.equal(asked.length + dropped.length, 41)
  assert.ok(dropped.length > 0 && dropped.every((client) => client.startsWith('[2001:db8::7]:')))
  answered.resolve(true)
  await Promise.all([...flood, real])
  const before = asked.length
  await cancels.forward(KEY, '[2001:db8::7]:60000')
  assert.equal(asked.length, before + 1, 'those that were answered count no more')
})

test('many addresses have a limit together, and a question that fails counts no more', async () => {
  const answered = Promise.withResolvers<boolean>()
  let asked = 0
  let dropped = 0
  const cancels = new ForwardedCancels(
    () => {
      asked += 1
      return answered.promise
    },
    () => {
      dropped += 1
    },
  )
  const all = Array.from({ length: 1_000 }, (_, n) => cancels.forward(KEY, `10.0.${n >> 8}.${n & 255}:1`))
  assert.ok(dropped > 0 && asked + dropped === 1_000, `${asked} asked, ${dropped} dropped`)
  const settled = Promise.allSettled(all)
  answered.reject(new Error('away'))
  await settled
  const before = dropped
  await assert.rejects(cancels.forward(KEY, '10.9.9.9:1'), /away/)
  assert.equal(dropped, before)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cancels } from '../../gateway/sessions-cancel.ts'

const CLIENT = '203.0.113.7:50000'

test('a key cancels its own session and no other, until it is disposed of', async () => {
  const cancels = new Cancels(3)
  const cancelled: string[] = []
  const one = cancels.cancellable(8, () => cancelled.push('one'))
  const two = cancels.cancellable(36, () => cancelled.push('two'))
  assert.equal(one.key.length, 8)
  assert.equal(two.key.length, 36)
  assert.equal(one.key[0], 3, 'the first byte names the process')
  await cancels.cancel(two.key, CLIENT)
  await cancels.cancel(one.key, CLIENT)
  assert.deepEqual(cancelled, ['two', 'one'])
  one[Symbol.dispose]()
  await cancels.cancel(one.key, CLIENT)
  assert.deepEqual(cancelled, ['two', 'one'])
})

test('a key that is not quite right cancels nothing', () => {
  const cancels = new Cancels(0)
  const cancellable = cancels.cancellable(8, () => assert.fail('cancelled'))
  const almost = Uint8Array.from(cancellable.key)
  almost[7] = (almost[7] ?? 0) ^ 1
  assert.equal(cancels.deliver(almost), false)
  assert.equal(cancels.deliver(cancellable.key.subarray(0, 7)), false)
  assert.equal(cancels.deliver(Buffer.concat([cancellable.key, Buffer.of(0)])), false)
  assert.equal(cancels.deliver(new Uint8Array()), false)
})

test('a key of another worker is forwarded, whole; its own are not', async () => {
  const forwarded: (readonly [Uint8Array, string])[] = []
  const one = new Cancels(1, async (key, client) => void forwarded.push([key, client]))
  const two = new Cancels(2)
  const { key } = two.cancellable(36, () => undefined)
  await one.cancel(key, CLIENT)
  await one.cancel(one.cancellable(8, () => undefined).key, CLIENT)
  assert.deepEqual(forwarded, [[key, CLIENT]])
})

test('the process id that clients print is never negative and never the same for two open sessions', () => {
  const cancels = new Cancels(127)
  const heads = Array.from({ length: 1_000 }, () => Buffer.from(cancels.cancellable(8, () => undefined).key).readInt32BE())
  assert.equal(new Set(heads).size, heads.length)
  assert.ok(heads.every((head) => head > 0))
})

test('a key without room for a secret is refused', () => {
  assert.throws(() => new Cancels(0).cancellable(7, () => undefined), RangeError)
  assert.throws(() => new Cancels(128), RangeError)
})

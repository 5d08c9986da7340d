import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leftOutOf, SMALL_SIZE } from '../../../recorder/bundle/small-pack.ts'
import { MemoryStore } from '../../support/memory-store.ts'

test('a recording stays out of a small pack for its own size, never for what somebody put beside it', async () => {
  const store = new MemoryStore()
  const large = Buffer.alloc(SMALL_SIZE)
  for (const id of ['a', 'b']) await store.put(`tapes/${id}/0000.tape`, Buffer.alloc(1_000))
  for (const name of ['notes', 'deeper/0000.tape']) await store.put(`tapes/a/${name}`, large)
  await store.put('tapes/b/0001.tape', large)
  assert.deepEqual(await leftOutOf(store, ['a', 'b'], { used: 0, files: 0 }, undefined), ['b'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { appendSurely } from '../../../recorder/tape/outbox.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const KEY = 'tapes/one/0000.tape'
const OURS = { key: KEY, position: 4, bytes: Buffer.from('ours') }

/** A store in which the append was done, late, before it is asked for. */
async function late(bytes: string, readable: boolean): Promise<MemoryStore> {
  const store = new MemoryStore()
  await store.append(KEY, 0, Buffer.from(`head${bytes}`))
  if (!readable) store.get = () => Promise.reject(new ApplianceError('STORE_FAILED', 'the test lets no one read'))
  return store
}

test('a conflict with our own bytes, done late, is success; with a part of them the rest is added', async () => {
  for (const have of ['ours', 'ou', '']) {
    const store = await late(have, true)
    await appendSurely(store, OURS, 1_000)
    assert.equal(store.objects.get(KEY)?.toString(), 'headours')
  }
})

test('a conflict with other bytes is somebody else’s', async () => {
  await assert.rejects(appendSurely(await late('them', true), OURS, 1_000), { code: 'STORE_CONFLICT' })
  await assert.rejects(appendSurely(await late('ours and more', true), OURS, 1_000), { code: 'STORE_CONFLICT' })
})

test('a conflict that cannot be looked into is not taken for somebody else’s', async () => {
  await assert.rejects(appendSurely(await late('ours', false), OURS, 20), { code: 'STORE_FAILED' })
})

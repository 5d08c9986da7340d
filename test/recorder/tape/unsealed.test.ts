import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import { openTape } from '../../../recorder/tape/reader.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

function failed(error: unknown): boolean {
  return error instanceof ApplianceError && error.code === 'RECORDER_FAILED'
}

test('a session given up while the store was away is sealed once it is back, and the ledger was told', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const told: LedgerEntry[] = []
  const ledger = {
    append: async (one: LedgerEntry) => void told.push(one),
    lastSession: () => 0,
    close: async () => undefined,
  }
  const room = await folder.room({
    store,
    ledger,
    limits: { patienceMs: 30, budgetSize: 1000, sharedSize: 0, chunkAgeMs: 10, retrySealMs: 10 },
  })
  const { info, recorder } = await room.open(START)
  await recorder.append([entry()])
  store.fault = () => 'not-done'
  await assert.rejects(async () => {
    for (;;) await recorder.append([entry({ body: Buffer.alloc(600) })])
  }, failed)
  await assert.rejects(recorder.seal('recording.failed'), failed)
  assert.equal((await openTape(store, info.id)).state, 'open')
  assert.deepEqual(
    told.map(({ type }) => type),
    ['session.open', 'recording.failed'],
  )
  assert.ok(told[1]?.type === 'recording.failed' && told[1].session === info.id)
  store.fault = () => undefined
  while (told.length < 3) await new Promise(setImmediate)
  assert.equal(told[2]?.type, 'session.close')
  const result = await verifyTape(store, info.id, { gatewayKeys: [folder.signer] })
  assert.deepEqual([result.verdict, result.state], ['VALID', 'sealed'], JSON.stringify(result.problems))
})

test('a store that never answers is one that fails: the session ends after patience', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { patienceMs: 40, chunkAgeMs: 10 } })
  const { recorder } = await room.open({ ...START, durability: 'blob' })
  await recorder.append([entry()])
  const { promise, resolve } = Promise.withResolvers<void>()
  store.gate = promise
  await assert.rejects(recorder.append([entry()]), failed)
  resolve()
  await recorder.seal('recording.failed')
})

test('the bytes kept for the end of tapes are kept again before the next session', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { patienceMs: 30, chunkAgeMs: 10 } })
  const reserve = join(folder.path, 'spool', 'gw1', 'reserve')
  const { recorder } = await room.open({ ...START, durability: 'blob' })
  store.fault = () => 'not-done'
  await assert.rejects(recorder.append([entry()]), failed)
  const sealing = recorder.seal('recording.failed')
  while (existsSync(reserve)) await new Promise(setImmediate)
  store.fault = () => undefined
  await sealing
  await room.open(START)
  assert.ok(existsSync(reserve))
})

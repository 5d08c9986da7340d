import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '../../../recorder/store/store.ts'
import { openTape, type TapeFrame } from '../../../recorder/tape/reader.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

async function framesOf(store: Store, id: string): Promise<TapeFrame[]> {
  const frames: TapeFrame[] = []
  for await (const frame of (await openTape(store, id)).frames()) frames.push(frame)
  return frames
}

function failed(error: unknown): boolean {
  return error instanceof ApplianceError && error.code === 'RECORDER_FAILED'
}

test('at durability blob nothing is released before the store has it; what waits together shares a chunk', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { chunkAgeMs: 60_000 } })
  const { info, recorder } = await room.open({ ...START, durability: 'blob' })
  const released: number[] = []
  const append = async (index: number): Promise<void> => {
    await recorder.append([entry({ facts: { index } })])
    released.push(index)
    const stored = await framesOf(store, info.id)
    assert.ok(
      stored.some(({ facts }) => facts['index'] === index),
      `${index} was released and is not in the store`,
    )
  }
  await append(0)
  const { promise, resolve: open } = Promise.withResolvers<void>()
  store.gate = promise
  const appends = Array.from({ length: 40 }, (_, index) => append(index + 1))
  for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate)
  assert.deepEqual(released, [0])
  open()
  await Promise.all(appends)
  assert.deepEqual(
    released,
    Array.from({ length: 41 }, (_, index) => index),
  )
  const seal = await recorder.seal('client.left')
  assert.ok(seal.chunkCount <= 4, `${seal.chunkCount} chunks`)
  const result = await verifyTape(store, info.id, { gatewayKeys: [folder.signer] })
  assert.equal(result.verdict, 'VALID', JSON.stringify(result.problems))
  assert.equal(result.durability, 'blob')
  assert.match(result.lossWindow ?? '', /loss of the machine: nothing/)
})

test('at durability blob large and small appends of both directions all come through, in order', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room({ limits: { chunkAgeMs: 60_000 } })
  const { info, recorder } = await room.open({ ...START, durability: 'blob' })
  const order: number[] = []
  const sizes = [10, 300_000, 5, 0, 6_500_000, 7, 40_000, 3]
  await Promise.all(
    sizes.map(async (size, index) => {
      await recorder.append([entry({ facts: { index }, body: Buffer.alloc(size) })], { durable: index % 3 === 0 })
      order.push(index)
    }),
  )
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7])
  await recorder.seal('client.left')
  assert.equal((await verifyTape(folder.store, info.id, { gatewayKeys: [folder.signer] })).verdict, 'VALID')
})

test('at durability blob a store that fails for longer than patience rejects what waits, and nothing was released', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { patienceMs: 50 } })
  const { info, recorder } = await room.open({ ...START, durability: 'blob' })
  await recorder.append([entry()])
  store.fault = () => 'not-done'
  await Promise.all([assert.rejects(recorder.append([entry()]), failed), assert.rejects(recorder.append([entry()]), failed)])
  assert.equal((await framesOf(store, info.id)).length, 1)
  store.fault = () => undefined
  await recorder.seal('recording.failed')
  assert.equal((await framesOf(store, info.id)).length, 3)
})

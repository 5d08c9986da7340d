import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Store } from '../../../recorder/store/store.ts'
import { openTape, type TapeFrame } from '../../../recorder/tape/reader.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Entry } from '../../../schemas/frame.ts'
import { CHUNK_RAW_SIZE, MAX_CHUNK_RAW_SIZE, MAX_FRAME_BODY, MAX_FRAME_SIZE } from '../../../schemas/tape.ts'
import { type Fault, FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

async function framesOf(store: Store, id: string, fromSeq?: number, toSeq?: number): Promise<TapeFrame[]> {
  const frames: TapeFrame[] = []
  const range = { ...(fromSeq === undefined ? {} : { fromSeq }), ...(toSeq === undefined ? {} : { toSeq }) }
  for await (const frame of (await openTape(store, id)).frames(range)) frames.push(frame)
  return frames
}

function failed(error: unknown): boolean {
  return error instanceof ApplianceError && error.code === 'RECORDER_FAILED'
}

const anyFact = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.string()),
)
const anyEntry: fc.Arbitrary<Entry> = fc.record({
  dir: fc.constantFrom('in', 'out', 'note'),
  channel: fc.nat(),
  kind: fc.string(),
  facts: fc.dictionary(fc.string(), anyFact, { noNullPrototype: true, maxKeys: 20 }),
  body: fc.option(fc.uint8Array({ maxLength: 400 })),
  masks: fc.option(
    fc.record({
      labels: fc.array(fc.tuple(fc.string(), fc.string())),
      spans: fc.constantFrom(new Uint8Array(0), new Uint8Array(32).fill(3)),
    }),
  ),
  verdict: fc.option(
    fc.record(
      {
        act: fc.constantFrom('allow', 'mask', 'block', 'hold'),
        rules: fc.array(fc.string()),
        policy: fc.string(),
        approval: fc.string(),
      },
      { requiredKeys: ['act', 'rules', 'policy'], noNullPrototype: true },
    ),
  ),
})

test('whatever is appended is read back as it was, numbered without gaps, and verifies', async () => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const room = await folder.room({ store })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(anyEntry, { maxLength: 5 }), { maxLength: 12 }), async (batches) => {
      const { info, recorder } = await room.open(START)
      for (const batch of batches) await recorder.append(batch.map((one) => entry(one)))
      const seal = await recorder.seal('client.left')
      const frames = await framesOf(store, info.id)
      const entries = batches.flat()
      assert.equal(frames.length, entries.length)
      for (const [seq, frame] of frames.entries()) {
        const { atUs, recovered, seq: number, ...rest } = frame
        assert.equal(number, seq)
        assert.equal(recovered, false)
        assert.ok(atUs >= (frames[seq - 1]?.atUs ?? 0))
        const plain = (value: Entry): unknown => ({
          ...value,
          // -0 and a null prototype are the same fact; a Buffer and a Uint8Array the same bytes.
          facts: { ...value.facts },
          body: value.body && Buffer.from(value.body).toString('hex'),
          masks: value.masks && { labels: value.masks.labels, spans: Buffer.from(value.masks.spans).toString('hex') },
        })
        assert.deepEqual(plain(rest), plain(entries[seq] ?? entry()))
      }
      const result = await verifyTape(store, info.id, { gatewayKeys: [folder.signer] })
      assert.equal(result.verdict, 'VALID', JSON.stringify(result.problems))
      assert.equal(result.root, seal.root)
      assert.equal(seal.frameCount, entries.length)
    }),
    { numRuns: 40 },
  )
})

test('a body larger than a frame is continued over frames, its mask spans with it; nothing is trimmed', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  const body = Buffer.alloc(2 * MAX_FRAME_BODY + 10, 'x')
  const span = (start: number, size: number): Buffer => {
    const bytes = Buffer.alloc(16, 9)
    bytes.writeUInt32BE(start)
    bytes.writeUIntBE(size, 4, 3)
    return bytes
  }
  const spans = Buffer.concat([span(5, 3), span(MAX_FRAME_BODY - 2, 6), span(2 * MAX_FRAME_BODY + 1, 4)])
  await recorder.append([
    entry({ dir: 'out', facts: { rows: 7 }, body, masks: { labels: [['email', 'r']], spans } }),
    entry({ kind: 'after' }),
  ])
  await recorder.seal('client.left')
  const frames = await framesOf(folder.store, info.id)
  assert.deepEqual(
    frames.map(({ facts }) => facts['part']),
    ['first', 'middle', 'last', undefined],
  )
  assert.ok(Buffer.concat(frames.map((frame) => frame.body ?? Buffer.alloc(0))).equals(body))
  const cut = frames.slice(0, 3).map(({ masks }) => {
    const all = Buffer.from(masks?.spans ?? [])
    return Array.from({ length: all.length / 16 }, (_, i) => [all.readUInt32BE(i * 16), all.readUIntBE(i * 16 + 4, 3)])
  })
  assert.deepEqual(cut, [
    [
      [5, 3],
      [MAX_FRAME_BODY - 2, 2],
    ],
    [[0, 4]],
    [[1, 4]],
  ])
  const tape = await openTape(folder.store, info.id)
  assert.equal(tape.summary?.totals.rows, 7)
  assert.equal(tape.summary?.totals.verdicts.allow, 2)
  assert.equal((await verifyTape(folder.store, info.id, { gatewayKeys: [folder.signer] })).verdict, 'VALID')
})

test('a session goes over as many segments as it needs, and reads and verifies as one', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room({ limits: { segmentBlocks: 3 } })
  const { info, recorder } = await room.open(START)
  for (let index = 0; index < 20; index += 1) await recorder.append([entry({ facts: { index } })], { durable: true })
  await recorder.seal('client.left')
  const keys: string[] = []
  for await (const key of folder.store.list(`tapes/${info.id}/`)) keys.push(key)
  assert.ok(keys.length > 6, keys.join())
  const result = await verifyTape(folder.store, info.id, { gatewayKeys: [folder.signer] })
  assert.equal(result.verdict, 'VALID', JSON.stringify(result.problems))
  assert.deepEqual(
    (await framesOf(folder.store, info.id, 7, 15)).map(({ seq }) => seq),
    [7, 8, 9, 10, 11, 12, 13, 14],
  )
  const store = new MemoryStore()
  for (const key of keys) if (!key.endsWith('0002.tape')) store.objects.set(key, Buffer.from(await folder.store.get(key)))
  assert.equal((await verifyTape(store, info.id, { gatewayKeys: [folder.signer] })).verdict, 'INVALID')
})

test('a session in bulk has larger chunks, none larger than a reader takes', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  const body = Buffer.alloc(60_000, 'row ')
  for (let index = 0; index < 80; index++) await recorder.append([entry({ dir: 'out', body })])
  await recorder.append([entry({ dir: 'out', body: Buffer.alloc(MAX_FRAME_BODY + 1, 'x') })])
  // Behind as much as a chunk in bulk may hold, a frame as large as frames get.
  for (let index = 0; index < 34; index++) await recorder.append([entry({ dir: 'out', body })])
  const facts = { text: 'x'.repeat(MAX_FRAME_SIZE - MAX_FRAME_BODY - 1000) }
  await recorder.append([entry({ dir: 'out', facts, body: Buffer.alloc(MAX_FRAME_BODY, 'x') })])
  await recorder.seal('client.left')
  const result = await verifyTape(folder.store, info.id, { gatewayKeys: [folder.signer] })
  assert.equal(result.verdict, 'VALID', JSON.stringify(result.problems))
  const tape = await openTape(folder.store, info.id)
  const sizes = tape.segments.flatMap(({ chunks }) => chunks.map((row) => row[7]))
  assert.ok(
    sizes.some((size) => size > 2 * CHUNK_RAW_SIZE),
    String(sizes),
  )
  assert.ok(
    sizes.every((size) => size <= MAX_CHUNK_RAW_SIZE),
    String(sizes),
  )
})

test('an append is in the spool’s file before it resolves', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { recorder } = await room.open(START)
  const marker = 'spooled before released'
  await recorder.append([entry({ body: Buffer.from('first') })])
  await recorder.append([entry({ body: Buffer.from(marker) })])
  const spool = join(folder.path, 'spool', 'gw1')
  const files = await Promise.all((await readdir(spool)).map((name) => readFile(join(spool, name))))
  assert.ok(files.some((bytes) => bytes.includes(marker)))
})

test('appends made without waiting resolve in their order, large and small, durable and not', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  const order: number[] = []
  const sizes = [10, 300_000, 5, 0, 1_500_000, 7, 40_000, 3]
  await Promise.all(
    sizes.map(async (size, index) => {
      await recorder.append([entry({ facts: { index }, body: Buffer.alloc(size) })], { durable: index % 3 === 0 })
      order.push(index)
    }),
  )
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7])
  await recorder.seal('client.left')
  const indexes = (await framesOf(folder.store, info.id)).flatMap(({ facts }) =>
    facts['index'] === undefined ? [] : [facts['index']],
  )
  assert.deepEqual(indexes, [0, 1, 2, 3, 4, 5, 6, 7])
})

for (const fault of ['not-done', 'done', 'half-done'] as const satisfies readonly Fault[]) {
  test(`a store whose writes now and then fail (${fault}) gets every byte once`, async () => {
    await using folder = await recordingFolder()
    const store = new FaultyStore(new MemoryStore())
    const room = await folder.room({ store })
    let writes = 0
    store.fault = () => {
      writes += 1
      return writes % 2 === 0 ? fault : undefined
    }
    const { info, recorder } = await room.open(START)
    for (let index = 0; index < 12; index += 1) await recorder.append([entry({ facts: { index } })], { durable: true })
    await recorder.seal('client.left')
    assert.ok(store.faults >= 2, `${store.faults} faults`)
    const result = await verifyTape(store, info.id, { gatewayKeys: [folder.signer] })
    assert.equal(result.verdict, 'VALID', JSON.stringify(result.problems))
    assert.equal(result.frames, 12)
  })
}

test('large bodies share a chunk as long as it fits its buffer', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  const say = (size: number): Promise<void> => recorder.append([entry({ dir: 'out', body: Buffer.alloc(size, 'row ') })])
  for (let index = 0; index < 5; index++) await say(MAX_FRAME_BODY)
  for (let index = 0; index < 4; index++) await say(900_000)
  await recorder.seal('client.left')
  assert.equal((await verifyTape(folder.store, info.id, { gatewayKeys: [folder.signer] })).verdict, 'VALID')
  const tape = await openTape(folder.store, info.id)
  const counts = tape.segments.flatMap(({ chunks }) => chunks.map((row) => row[4]))
  // Of either size two fit, and a third would not.
  assert.ok(
    counts.some((count) => count === 2),
    String(counts),
  )
  assert.ok(
    counts.every((count) => count <= 2),
    String(counts),
  )
})

test('while the store does not take it, no more than the budget is released', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { budgetSize: 1 << 20, sharedSize: 0, budgetMs: 60_000, walSize: 8 << 20 } })
  const { info, recorder } = await room.open(START)
  const { promise, resolve: open } = Promise.withResolvers<void>()
  store.gate = promise
  let released = 0
  const appends = Array.from({ length: 30 }, async () => {
    await recorder.append([entry({ body: Buffer.alloc(100_000) })])
    released += 1
  })
  try {
    while (released < 10) await new Promise(setImmediate)
    // Ample turns for whatever else does not wait for the store.
    for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate)
    assert.ok(released <= 12, `${released} released`)
  } finally {
    open()
  }
  await Promise.all(appends)
  await recorder.seal('client.left')
  assert.equal((await framesOf(store, info.id)).length, 30)
})

test('a session may have more than its budget there while all together have less than what they share', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const limits = { budgetSize: 300_000, sharedSize: 1 << 20, budgetMs: 60_000, walSize: 8 << 20, patienceMs: 200 }
  const room = await folder.room({ store, limits })
  const [one, two, three] = [await room.open(START), await room.open(START), await room.open(START)]
  const { promise, resolve: open } = Promise.withResolvers<void>()
  store.gate = promise
  const counts = [0, 0, 0]
  const say = ({ recorder }: typeof one, index: number): Promise<unknown> =>
    Promise.allSettled(
      Array.from({ length: 30 }, async () => {
        await recorder.append([entry({ body: Buffer.alloc(100_000) })])
        counts[index] = (counts[index] ?? 0) + 1
      }),
    )
  const releasedBy = async (index: number, least: number): Promise<number> => {
    while ((counts[index] ?? 0) < least) await new Promise(setImmediate)
    for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate)
    return counts[index] ?? 0
  }
  const first = say(one, 0)
  const alone = await releasedBy(0, 11)
  assert.ok(alone <= 13, `${alone} of the first`)
  const second = say(two, 1)
  const beside = await releasedBy(1, 3)
  assert.ok(beside <= 4, `${beside} of the second`)
  // The store is away for longer than patience: what they have there is no concern of a third.
  await Promise.all([first, second])
  const third = say(three, 2)
  const after = await releasedBy(2, 11)
  assert.ok(after <= 13, `${after} of the third`)
  open()
  await third
})

test('a store that fails for longer than patience ends the session for good; the last words still reach it when it is back', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { patienceMs: 50, budgetSize: 1000, sharedSize: 0, chunkAgeMs: 10 } })
  const { info, recorder } = await room.open(START)
  await recorder.append([entry()])
  store.fault = () => 'not-done'
  await assert.rejects(async () => {
    for (;;) await recorder.append([entry({ body: Buffer.alloc(600) })])
  }, failed)
  await assert.rejects(recorder.append([entry()]), failed)
  store.fault = () => undefined
  const seal = await recorder.seal('recording.failed', [entry({ dir: 'note', kind: 'recording.failed' })])
  assert.equal((await recorder.seal('again')).reason, 'recording.failed')
  const frames = await framesOf(store, info.id)
  assert.equal(frames.length, seal.frameCount)
  assert.equal(frames.at(-1)?.kind, 'recording.failed')
  assert.equal((await verifyTape(store, info.id, { gatewayKeys: [folder.signer] })).verdict, 'VALID')
})

test('two sessions share a room without seeing each other', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const [one, two] = [await room.open(START), await room.open({ ...START, durability: 'disk' })]
  assert.deepEqual([one.info.number, two.info.number], [1, 2])
  assert.notEqual(one.info.id, two.info.id)
  await Promise.all(
    Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? one : two).recorder.append([entry({ facts: { index } })])),
  )
  await one.recorder.seal('client.left')
  await two.recorder.append([entry()])
  await two.recorder.seal('client.left')
  assert.deepEqual(
    [(await framesOf(folder.store, one.info.id)).length, (await framesOf(folder.store, two.info.id)).length],
    [25, 26],
  )
})

test('closing the room seals what is open and leaves nothing in the spool', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  await recorder.append([entry()])
  await room.close()
  assert.equal((await openTape(folder.store, info.id)).summary?.reason, 'gateway.stop')
  assert.deepEqual(await readdir(join(folder.path, 'spool')), [])
  await assert.rejects(room.open(START), failed)
})

test('a name that a live process has is refused', async () => {
  await using folder = await recordingFolder()
  await folder.room()
  await assert.rejects(folder.room(), (error) => error instanceof ApplianceError && error.code === 'CONFIG_INVALID')
})

test('appends that one sync serves wait for the same promise, and those of a later one resolve behind them', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { recorder } = await room.open({ ...START, durability: 'disk' })
  await recorder.append([entry()])
  const [first, second] = [recorder.append([entry()]), recorder.append([entry()])]
  assert.equal(first, second)
  const told: string[] = []
  const later = first.then(() => told.push('first')).then(() => recorder.append([entry()]))
  const behind = recorder.append([entry()], { durable: true }).then(() => told.push('durable'))
  await Promise.all([later, behind])
  assert.deepEqual(told, ['first', 'durable'])
  assert.equal((await recorder.seal('closed')).frameCount, 5)
})

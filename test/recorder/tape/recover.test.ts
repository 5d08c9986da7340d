import assert from 'node:assert/strict'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import { openTape } from '../../../recorder/tape/reader.ts'
import { type RecoveryReport, recoverSpools } from '../../../recorder/tape/recover.ts'
import { readBegin, readSpoolRecord, spoolSeed } from '../../../recorder/tape/spool-record.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import { type Fault, FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { CHUNK_MAGIC } from '../../support/stored-chunks.ts'

const FRAMES = 9

/** A session that died: its spool with all its frames, its tape with all but the last ones. */
let folder: RecordingFolder
let id: string
let tape: MemoryStore
let spool: string
let letStore = (): void => undefined

before(async () => {
  folder = await recordingFolder()
  tape = new MemoryStore()
  const store = new FaultyStore(tape)
  const room = await folder.room({ store, gateway: 'gw-dead' })
  const { info, recorder } = await room.open(START)
  id = info.id
  for (let index = 0; index < FRAMES - 3; index += 1) {
    await recorder.append([entry({ facts: { index }, body: Buffer.alloc(30, index) })], { durable: index % 2 === 0 })
  }
  // Let the store have what was closed, then nothing more.
  while ((await openTape(store, id)).frameCount < FRAMES - 4) await new Promise(setImmediate)
  const { promise, resolve } = Promise.withResolvers<void>()
  store.gate = promise
  letStore = resolve
  for (let index = FRAMES - 3; index < FRAMES; index += 1)
    await recorder.append([entry({ facts: { index }, body: Buffer.alloc(30, index) })])
  spool = join(folder.path, 'died')
  await cp(join(folder.path, 'spool', 'gw-dead'), spool, { recursive: true })
  await rm(join(spool, 'lock'))
})
after(async () => {
  letStore()
  await folder[Symbol.asyncDispose]()
})

const entries: LedgerEntry[] = []

async function recover(store: MemoryStore | FaultyStore): Promise<RecoveryReport> {
  const root = join(folder.path, 'spools')
  await rm(root, { recursive: true, force: true })
  await cp(spool, join(root, 'gw-dead'), { recursive: true })
  return again(store)
}

function again(store: MemoryStore | FaultyStore): Promise<RecoveryReport> {
  const ledger = {
    append: async (one: LedgerEntry) => void entries.push(one),
    lastSession: () => 0,
    close: async () => undefined,
  }
  return recoverSpools({
    root: join(folder.path, 'spools'),
    gateway: 'gw2',
    store,
    signer: folder.signer,
    ledger,
    codec: 'zstd',
    patienceMs: 100,
  })
}

async function allThere(store: MemoryStore | FaultyStore): Promise<void> {
  const indexes: unknown[] = []
  for await (const frame of (await openTape(store, id)).frames()) {
    assert.ok(frame.body?.every((byte) => byte === frame.seq))
    indexes.push(frame.facts['index'])
  }
  assert.deepEqual(
    indexes,
    Array.from({ length: FRAMES }, (_, index) => index),
  )
  const result = await verifyTape(store, id, { gatewayKeys: [folder.signer] })
  assert.equal(result.verdict, 'VALID-INCOMPLETE', JSON.stringify(result.problems))
  assert.equal(result.state, 'recovered')
  assert.equal(result.frames, FRAMES)
}

test('a tape that stopped at any byte behind its header is completed from the spool, and its bytes stay as they are', async () => {
  const key = tapeKeys.segment(id, 0)
  const bytes = tape.objects.get(key) ?? Buffer.alloc(0)
  const headerEnd = bytes.indexOf(CHUNK_MAGIC)
  for (let size = headerEnd; size <= bytes.length; size += size < headerEnd + 40 ? 1 : 13) {
    const store = tape.copy()
    store.objects.set(key, bytes.subarray(0, size))
    const report = await recover(store)
    assert.deepEqual(report.problems, [], `cut at ${size}`)
    await allThere(store)
    assert.ok(store.objects.get(key)?.equals(bytes.subarray(0, size)))
  }
})

test('the ledger is told before the store is: where the tape ended, how much came, who signed', async () => {
  entries.length = 0
  const store = tape.copy()
  await recover(store)
  assert.equal(entries.length, 1)
  assert.equal(entries[0]?.type, 'session.recover')
  assert.equal(Number(entries[0]?.['frames']) + Number(entries[0]?.['recovered']), FRAMES)
  assert.match(String(entries[0]?.['head']), /^[0-9a-f]{64}$/)
})

for (const fault of ['not-done', 'done'] as const satisfies readonly Fault[]) {
  test(`a recovery that breaks off (${fault}) is done by the next one`, async () => {
    const inner = tape.copy()
    for (let failing = 1; failing <= 2; failing += 1) {
      const store = new FaultyStore(inner.copy())
      let writes = 0
      store.fault = () => {
        writes += 1
        return writes === failing ? fault : undefined
      }
      assert.equal((await recover(store)).problems.length, 1)
      assert.deepEqual((await again(store)).problems, [])
      await allThere(store)
      assert.deepEqual(await readdir(join(folder.path, 'spools')), [])
    }
  })
}

test('one flipped bit in any byte of what a recovery brought, or of its index, is found', async () => {
  const store = tape.copy()
  await recover(store)
  const key = tapeKeys.recovered(id)
  const bytes = store.objects.get(key) ?? Buffer.alloc(0)
  for (let at = 0; at < bytes.length; at += 3) {
    const copy = store.copy()
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    copy.objects.set(key, flipped)
    assert.equal((await verifyTape(copy, id, { gatewayKeys: [folder.signer] })).verdict, 'INVALID', `byte ${at}`)
  }
})

test('a recovered tape whose recorded part is cut later is INVALID, and the frames that are missing are named', async () => {
  const store = tape.copy()
  await recover(store)
  const key = tapeKeys.segment(id, 0)
  const bytes = store.objects.get(key) ?? Buffer.alloc(0)
  store.objects.set(key, bytes.subarray(0, bytes.lastIndexOf(CHUNK_MAGIC)))
  const result = await verifyTape(store, id, { gatewayKeys: [folder.signer] })
  assert.equal(result.verdict, 'INVALID')
  assert.ok(result.problems.some(({ part, frames }) => part === 'recovery' && frames !== undefined))
})

test('a spool that lacks frames between the tape and its own first is kept, and said', async () => {
  const store = tape.copy()
  const wal = (await readdir(spool)).find((name) => name.endsWith('.wal')) ?? ''
  const path = join(spool, wal)
  const bytes = await readFile(path)
  try {
    // The tape loses its last chunk, the spool the beginning of that chunk's frame: no crash does that.
    const key = tapeKeys.segment(id, 0)
    const whole = store.objects.get(key) ?? Buffer.alloc(0)
    store.objects.set(key, whole.subarray(0, whole.indexOf(CHUNK_MAGIC)))
    const begin = readBegin(bytes)
    assert.ok(begin !== undefined)
    const seed = spoolSeed(begin.mark)
    const enrol = readSpoolRecord(bytes, begin.end, seed)
    const first = readSpoolRecord(bytes, enrol?.end ?? 0, seed)
    await writeFile(path, Buffer.concat([bytes.subarray(0, enrol?.end), bytes.subarray(first?.end)]))
    const report = await recover(store)
    assert.match(report.problems[0]?.message ?? '', /lacks frames/)
    assert.equal((await readdir(join(folder.path, 'spools'))).length, 1)
  } finally {
    await writeFile(path, bytes)
  }
})

test('the index beside a tape tells of its frames at their own times, over all segments', async () => {
  await using made = await recordingFolder()
  const store = new MemoryStore()
  const room = await made.room({ store, gateway: 'gone', limits: { segmentBlocks: 2, chunkAgeMs: 60_000 } })
  const { info, recorder } = await room.open({ ...START, durability: 'disk' })
  for (const pauseMs of [0, 30, 1, 1, 20]) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    for (let index = 0; index < 7; index += 1) await recorder.append([entry()])
    await recorder.append([entry()], { durable: true })
  }
  while ((await openTape(store, info.id)).frameCount < 40) await new Promise(setImmediate)
  const root = join(made.path, 'after')
  await cp(join(made.path, 'spool', 'gone'), join(root, 'gone'), { recursive: true })
  await rm(join(root, 'gone', 'lock'))
  const ledger = { append: async () => undefined, lastSession: () => 0, close: async () => undefined }
  const report = await recoverSpools({ root, gateway: 'gw2', store, signer: made.signer, ledger, codec: 'zstd', patienceMs: 100 })
  assert.deepEqual(report.problems, [])
  assert.ok(store.objects.has(tapeKeys.index(info.id, 2)))
  const result = await verifyTape(store, info.id, { gatewayKeys: [made.signer] })
  assert.equal(result.verdict, 'VALID-INCOMPLETE', JSON.stringify(result.problems))
})

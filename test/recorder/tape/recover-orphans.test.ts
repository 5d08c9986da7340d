import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LedgerEntry } from '../../../recorder/ledger/ledger.ts'
import type { Store } from '../../../recorder/store/store.ts'
import { openTape } from '../../../recorder/tape/reader.ts'
import { recoverOrphans } from '../../../recorder/tape/recover-orphans.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { CHUNK_MAGIC } from '../../support/stored-chunks.ts'

function ledgerOf(told: LedgerEntry[]) {
  return { append: async (one: LedgerEntry) => void told.push(one), lastSession: () => 0, close: async () => undefined }
}

/** As gateway `by` on a machine of its own: only the store is shared. */
function recover(folder: RecordingFolder, store: Store, by: string, told: LedgerEntry[] = [], stale = true) {
  return recoverOrphans({
    gateway: by,
    store,
    signer: folder.signer,
    ledger: ledgerOf(told),
    codec: 'zstd',
    isStale: (gateway) => stale && gateway !== by,
    patienceMs: 100,
  })
}

function failed(error: unknown): boolean {
  return error instanceof ApplianceError && error.code === 'RECORDER_FAILED'
}

async function verdictOf(folder: RecordingFolder, store: Store, id: string): Promise<string> {
  const { verdict, state, frames, problems } = await verifyTape(store, id, { gatewayKeys: [folder.signer] })
  return `${verdict} ${state} ${frames} ${problems.filter((one) => one.verdict === 'INVALID').map(({ what }) => what)}`.trim()
}

test('tapes of a gateway that is gone, spool and all, are ended as they stand, by one of several that try at once', async () => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const gone = await folder.room({ store, gateway: 'gone' })
  const open = await Promise.all([1, 2, 3].map(() => gone.open({ ...START, durability: 'blob' })))
  for (const { recorder } of open) await recorder.append([entry(), entry()])
  const sealed = await gone.open(START)
  await sealed.recorder.seal('client.left')
  const told: LedgerEntry[] = []
  const reports = await Promise.all(['gw1', 'gw2', 'gw3'].map((by) => recover(folder, store, by, told)))
  assert.deepEqual(
    reports.flatMap(({ problems }) => problems),
    [],
  )
  const ended = reports.flatMap(({ sessions }) => sessions)
  assert.deepEqual(ended.map(({ id }) => id).sort(), open.map(({ info }) => info.id).sort())
  assert.equal(told.filter(({ type }) => type === 'session.recover').length, 3)
  for (const { info } of open) assert.equal(await verdictOf(folder, store, info.id), 'VALID-INCOMPLETE recovered 2')
  assert.equal(await verdictOf(folder, store, sealed.info.id), 'VALID sealed 0')
  assert.deepEqual((await recover(folder, store, 'gw1')).sessions, [])
})

test('a gateway of which something was heard keeps its tapes, and nobody ends their own', async () => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const room = await folder.room({ store, gateway: 'gw1' })
  const { info, recorder } = await room.open(START)
  assert.deepEqual((await recover(folder, store, 'gw2', [], false)).sessions, [])
  assert.deepEqual((await recover(folder, store, 'gw1')).sessions, [])
  await recorder.append([entry()])
  await recorder.seal('client.left')
  assert.equal(await verdictOf(folder, store, info.id), 'VALID sealed 1')
})

test('a gateway taken for dead that lives after all ends those sessions, tells the ledger, and releases nothing it could not record', async (t) => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const told: LedgerEntry[] = []
  const room = await folder.room({ store, gateway: 'gw-asleep', ledger: ledgerOf(told) })
  const { info, recorder } = await room.open(START)
  await recorder.append([entry()])
  await recorder.append([entry()])
  while ((await openTape(store, info.id)).frameCount < 2) await new Promise(setImmediate)
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 })
  assert.equal((await recover(folder, store, 'gw2')).sessions.length, 1)
  await assert.rejects(recorder.append([entry()]), failed)
  await assert.rejects(recorder.append([entry()]), failed)
  await assert.rejects(recorder.seal('recording.failed'), failed)
  t.mock.timers.reset()
  assert.equal(await verdictOf(folder, store, info.id), 'VALID-INCOMPLETE recovered 2')
  const failure = told.find((one) => one.type === 'recording.failed')
  assert.match(String(failure?.what), /another gateway has ended the tape/)
})

test('a gateway that slept and was not taken for dead goes on at its own level once the store has answered', async (t) => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { chunkAgeMs: 60_000 } })
  const { info, recorder } = await room.open(START)
  await recorder.append([entry()])
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 30_000 })
  await recorder.append([entry()])
  assert.equal((await openTape(store, info.id)).frameCount, 2)
  await recorder.append([entry()])
  assert.equal((await openTape(store, info.id)).frameCount, 2)
  t.mock.timers.reset()
})

test('whoever is quicker than the fence keeps the tape', async () => {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, gateway: 'slow' })
  const { info, recorder } = await room.open({ ...START, durability: 'blob' })
  await recorder.append([entry()])
  const outcome = await recoverOrphans({
    gateway: 'gw2',
    store: {
      append: async (key, position, bytes) => {
        await recorder.append([entry()])
        return store.append(key, position, bytes)
      },
      put: (key, bytes) => store.put(key, bytes),
      get: (key, range) => store.get(key, range),
      list: (prefix) => store.list(prefix),
      size: (key) => store.size(key),
    },
    signer: folder.signer,
    ledger: ledgerOf([]),
    codec: 'zstd',
    isStale: () => true,
    patienceMs: 100,
  })
  assert.deepEqual(outcome, { sessions: [], problems: [] })
  await recorder.append([entry()])
  await recorder.seal('client.left')
  assert.equal(await verdictOf(folder, store, info.id), 'VALID sealed 3')
})

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step)
}

test('a tape cut at any byte behind its header, in any segment, is ended with what is whole', async () => {
  await using folder = await recordingFolder()
  const store = new MemoryStore()
  const room = await folder.room({ store, gateway: 'gone', limits: { segmentBlocks: 2 } })
  const { info, recorder } = await room.open({ ...START, durability: 'blob' })
  for (let index = 0; index < 5; index += 1) await recorder.append([entry({ facts: { index } })])
  const segments = [...store.objects.keys()].filter((key) => key.endsWith('.tape')).sort()
  assert.equal(segments.length, 3)
  let most = 0
  for (const [number, key] of segments.entries()) {
    const bytes = store.objects.get(key) ?? Buffer.alloc(0)
    const from = number === 0 ? bytes.indexOf(CHUNK_MAGIC) : 1
    for (const size of [...range(from, from + 24, 1), ...range(from + 24, bytes.length, 17), bytes.length]) {
      const cut = store.copy()
      cut.objects.set(key, bytes.subarray(0, size))
      for (const later of segments.slice(number + 1)) cut.objects.delete(later)
      const report = await recover(folder, cut, 'gw2')
      const at = `segment ${number} cut at ${size}`
      assert.deepEqual(report.problems, [], at)
      const { frames = -1 } = report.sessions[0] ?? {}
      most = Math.max(most, frames)
      assert.equal(await verdictOf(folder, cut, info.id), `VALID-INCOMPLETE recovered ${frames}`, at)
      assert.ok(cut.objects.has(tapeKeys.recovered(info.id)))
      assert.equal((await openTape(cut, info.id)).frameCount, frames, at)
    }
  }
  assert.equal(most, 5)
})

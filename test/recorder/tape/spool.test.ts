import assert from 'node:assert/strict'
import { writevSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { RECORDER_LIMITS } from '../../../recorder/tape/limits.ts'
import { openTape, type TapeFrame } from '../../../recorder/tape/reader.ts'
import { Spool, type WriteNow } from '../../../recorder/tape/spool.ts'
import { SpoolFile } from '../../../recorder/tape/spool-file.ts'
import { readSpool, readTail } from '../../../recorder/tape/spool-reader.ts'
import { readBegin } from '../../../recorder/tape/spool-record.ts'
import { recordsOf } from '../../../recorder/tape/spool-scan.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START, TEST_LIMITS } from '../../support/recording.ts'

function failed(error: unknown): boolean {
  return error instanceof ApplianceError && error.code === 'RECORDER_FAILED'
}

function noSpace(): never {
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
}

/** What a session of ten frames leaves in the spool while the store takes nothing. */
async function spooled(): Promise<{ readonly id: string; readonly bytes: Buffer }> {
  await using folder = await recordingFolder()
  const store = new FaultyStore(new MemoryStore())
  const room = await folder.room({ store, limits: { budgetMs: 600_000 } })
  const { info, recorder } = await room.open(START)
  const { promise, resolve } = Promise.withResolvers<void>()
  store.gate = promise
  for (let index = 0; index < 10; index += 1) await recorder.append([entry({ facts: { index }, body: Buffer.alloc(20, index) })])
  const bytes = await readFile(join(folder.path, 'spool', 'gw1', '00000001.wal'))
  resolve()
  return { id: info.id, bytes }
}

test('a spool cut, or overwritten with garbage, at any byte still gives every frame before that byte; what no crash leaves is told', async () => {
  await using folder = await recordingFolder()
  const { id, bytes } = await spooled()
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1
  let before = 0
  for (let size = 0; size <= end; size += 1) {
    const path = join(folder.path, '00000001.wal')
    // Zeros that were there before are what a crash leaves.
    const rest = Buffer.alloc(2_000, size % 2 === 0 ? 0 : 0xa5)
    await writeFile(path, Buffer.concat([bytes.subarray(0, size), rest]))
    const { sessions, problems } = await readSpool(folder.path, 'gw1')
    const [session] = sessions
    assert.equal(problems.length, size % 2, `cut at ${size}: ${problems[0]?.message}`)
    const tail = session === undefined ? { frames: [] } : await readTail(session, 0)
    assert.equal(session?.id ?? id, id)
    for (const [seq, { frame }] of tail.frames.entries()) assert.deepEqual([frame.seq, frame.facts['index']], [seq, seq])
    assert.ok(tail.frames.length >= before, `cut at ${size}`)
    before = tail.frames.length
  }
  assert.equal(before, 10)
})

test('a flipped bit in any byte of a spool is told, and what is whole before and behind it is read', async () => {
  await using folder = await recordingFolder()
  const { bytes } = await spooled()
  const path = join(folder.path, '00000001.wal')
  const begin = readBegin(bytes)
  assert.ok(begin !== undefined)
  let last = begin.end
  for (const record of recordsOf(bytes, begin.file, begin.mark, begin.end)) {
    assert.ok(record.kind !== 'damage')
    if (record.end < bytes.findLastIndex((byte) => byte !== 0)) last = record.end
  }
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1
  for (let at = 0; at < end; at += 3) {
    // Of the last record a larger size cannot be told from a write that was cut.
    if (at >= last + 4 && at < last + 8) continue
    const flipped = Buffer.from(bytes.subarray(0, end + 1_000))
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    await writeFile(path, flipped)
    const { sessions, problems } = await readSpool(folder.path, 'gw1')
    assert.equal(problems.length, 1, `byte ${at}`)
    assert.equal(problems[0]?.file, '00000001.wal')
    for (const session of sessions) {
      const { frames } = await readTail(session, 0)
      for (const [seq, { frame }] of frames.entries()) assert.deepEqual([frame.seq, frame.facts['index']], [seq, seq])
    }
  }
})

test('when the disk is full the session ends, and its last words stand in the bytes reserved for them', async () => {
  await using folder = await recordingFolder()
  const createFile: typeof SpoolFile.create = (path, size) =>
    path.endsWith('00000001.wal') ? SpoolFile.create(path, size) : noSpace()
  const room = await folder.room({ spool: { createFile }, limits: { patienceMs: 1_000 } })
  const { info, recorder } = await room.open(START)
  let accepted = 0
  await assert.rejects(async () => {
    for (;;) {
      await recorder.append([entry({ body: Buffer.alloc(10_000) })])
      accepted += 1
    }
  }, failed)
  await recorder.seal('recording.failed', [entry({ dir: 'note', kind: 'recording.failed' })])
  const frames: TapeFrame[] = []
  for await (const frame of (await openTape(folder.store, info.id)).frames()) frames.push(frame)
  assert.ok(accepted > 50)
  assert.equal(frames.length, accepted + 1)
  assert.equal(frames.at(-1)?.kind, 'recording.failed')
  const spool = await readdir(join(folder.path, 'spool', 'gw1'))
  const wal = await readFile(join(folder.path, 'spool', 'gw1', spool.find((name) => name.endsWith('.wal')) ?? ''))
  assert.ok(wal.includes('recording.failed'))
})

test('a spool write that fails in the middle ends the session; what was half written is on no tape', async () => {
  await using folder = await recordingFolder()
  let fail = false
  const write: WriteNow = (fd, buffers, position) => {
    if (!fail) return writevSync(fd, buffers, position)
    const all = Buffer.concat(buffers)
    writevSync(fd, [all.subarray(0, all.length >> 1)], position)
    return noSpace()
  }
  const room = await folder.room({ spool: { write } })
  const { info, recorder } = await room.open(START)
  await recorder.append([entry({ kind: 'kept' })])
  fail = true
  await assert.rejects(recorder.append([entry({ kind: 'refused' })]), failed)
  await assert.rejects(recorder.append([entry({ kind: 'refused' })]), failed)
  fail = false
  await recorder.seal('recording.failed', [entry({ kind: 'last' })])
  const kinds: string[] = []
  for await (const frame of (await openTape(folder.store, info.id)).frames()) kinds.push(frame.kind)
  assert.deepEqual(kinds, ['kept', 'last'])
  assert.equal((await verifyTape(folder.store, info.id, { gatewayKeys: [folder.signer] })).verdict, 'VALID')
})

test('one session’s failure leaves the others untouched', async () => {
  await using folder = await recordingFolder()
  let fail = false
  const write: WriteNow = (fd, buffers, position) => (fail ? noSpace() : writevSync(fd, buffers, position))
  const room = await folder.room({ spool: { write } })
  const [one, two] = [await room.open(START), await room.open(START)]
  await Promise.all([one.recorder.append([entry()]), two.recorder.append([entry()])])
  fail = true
  await assert.rejects(one.recorder.append([entry()]), failed)
  fail = false
  await two.recorder.append([entry()])
  assert.equal((await two.recorder.seal('client.left')).frameCount, 2)
})

test('files whose frames are in the store are used again: the spool does not grow with what goes through it', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { recorder } = await room.open(START)
  for (let index = 0; index < 200; index += 1) await recorder.append([entry({ body: Buffer.alloc(60_000) })])
  await recorder.seal('client.left')
  const files = (await readdir(join(folder.path, 'spool', 'gw1'))).filter((name) => name.endsWith('.wal'))
  assert.ok(files.length <= 8, `${files.length} files of 1 MiB for 12 MB`)
})

test('one sync serves all that wait for it', async () => {
  await using folder = await recordingFolder()
  let syncs = 0
  const spool = await Spool.open(folder.path, {
    gateway: 'gw1',
    limits: { ...RECORDER_LIMITS, ...TEST_LIMITS },
    createFile: async (path, size) => {
      const file = await SpoolFile.create(path, size)
      const sync = file.sync.bind(file)
      file.sync = () => {
        syncs += 1
        return sync()
      }
      return file
    },
  })
  const slot = spool.enrol('s')
  assert.ok(slot !== undefined)
  await Promise.all(
    Array.from({ length: 50 }, () => {
      spool.frames(slot, Buffer.alloc(10), true)
      return spool.sync()
    }),
  )
  assert.equal(syncs, 1)
  await spool.close()
})

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sha256 } from '../../../recorder/tape/merkle.ts'
import { pack } from '../../../recorder/tape/msgpack.ts'
import { openTape } from '../../../recorder/tape/reader.ts'
import { encodeRecord } from '../../../recorder/tape/record.ts'
import type { GatewaySigner } from '../../../recorder/tape/signer.ts'
import { openObject } from '../../../recorder/tape/tools.ts'
import { verifyTape } from '../../../recorder/tape/verify.ts'
import { FOOTER_SIZE, RECORD_HEAD_SIZE, TAPE_MAGIC, tapeKeys } from '../../../schemas/tape.ts'
import { decodeStatement } from '../../../schemas/tape-statement.ts'
import type { TapeVerification } from '../../../schemas/verification.ts'
import { scanSegment } from '../../../schemas/verify/scan.ts'
import { type ForgedTape, forgeChunk, forgeTape, ID, makeKey } from '../../support/forge.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'

let folder: RecordingFolder
let signer: GatewaySigner
let forged: ForgedTape

before(async () => {
  folder = await recordingFolder()
  signer = folder.signer
  forged = await forgeTape(signer, [['a', 'b'], ['c'], ['d', 'e', 'f']])
})
after(() => folder[Symbol.asyncDispose]())

/** Three chunks as the recorder writes them, of which one is large enough to be compressed. */
async function recorded(): Promise<{ readonly id: string; readonly store: MemoryStore }> {
  const store = new MemoryStore()
  count += 1
  const room = await folder.room({ gateway: `gw1-${count}`, store })
  const { info, recorder } = await room.open(START)
  await recorder.append([entry({ facts: { statements: 1 }, body: Buffer.from('select 1') })])
  const masks = { labels: [['email', 'label:pii.email']] as const, spans: Buffer.alloc(16, 1) }
  const verdict = { act: 'mask', rules: ['label:pii.email'], policy: 'abcabcabcabc' } as const
  await recorder.append(
    [entry({ dir: 'out', kind: 'rows', facts: { rows: 2 }, body: Buffer.from('abc'.repeat(200)), masks, verdict })],
    { durable: true },
  )
  await recorder.append([entry({ verdict: { act: 'block', rules: ['no-drop'], policy: 'abcabcabcabc' } })])
  await recorder.seal('client.left')
  await room.close()
  return { id: info.id, store }
}
let count = 0

function verify(store: MemoryStore, id = ID): Promise<TapeVerification> {
  return verifyTape(store, id, { gatewayKeys: [signer] })
}

test('a sealed tape as it was written is VALID, whoever wrote it from the format', async () => {
  const { store, id } = await recorded()
  const own = await verify(store, id)
  assert.equal(own.verdict, 'VALID', JSON.stringify(own.problems))
  assert.equal(own.frames, 3)
  const foreign = await verify(forged.store)
  assert.deepEqual(
    foreign.problems.map(({ part }) => part),
    ['footer'],
  )
  assert.equal(foreign.frames, 6)
})

test('one flipped bit in any byte of any object of a tape is INVALID', async () => {
  const { store, id } = await recorded()
  const parts = new Set<string>()
  for (const [key, bytes] of store.objects) {
    for (let at = 0; at < bytes.length; at += 1) {
      const copy = store.copy()
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
      copy.objects.set(key, flipped)
      const result = await verify(copy, id)
      assert.equal(result.verdict, 'INVALID', `byte ${at} of ${key}`)
      for (const { part } of result.problems) parts.add(part)
    }
  }
  const expected = [
    'magic',
    'record',
    'header',
    'certificate',
    'signature',
    'frames',
    'marks',
    'checksum',
    'seal',
    'index',
    'footer',
    'salt',
  ]
  for (const part of expected) assert.ok(parts.has(part), `no flip was found in the ${part}`)
})

test('a changed frame is named, and all frames around it are still read', async () => {
  const key = tapeKeys.segment(ID, 0)
  const bytes = Buffer.from(forged.store.objects.get(key) ?? '')
  const at = bytes.indexOf(Buffer.from([0xc4, 1, 'e'.charCodeAt(0)]))
  bytes[at + 2] = 'E'.charCodeAt(0)
  const store = forged.store.copy()
  store.objects.set(key, bytes)
  const result = await verify(store)
  assert.equal(result.verdict, 'INVALID')
  assert.deepEqual(
    result.problems.filter(({ verdict }) => verdict === 'INVALID').map(({ part, frame, chunk }) => ({ part, frame, chunk })),
    [{ part: 'frames', frame: 4, chunk: 2 }],
  )
  assert.equal(result.frames, 3)
  assert.equal(result.lastGood?.frame, 2)
})

test('where a chunk cannot be decompressed its frames are named as a range', async () => {
  const { store, id } = await recorded()
  const key = tapeKeys.segment(id, 0)
  const bytes = Buffer.from(store.objects.get(key) ?? '')
  // The zstd magic number.
  const at = bytes.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]))
  assert.ok(at > 0)
  bytes[at] = 0
  store.objects.set(key, bytes)
  const result = await verify(store, id)
  assert.deepEqual(result.problems[0]?.frames, [1, 1])
  assert.equal(result.frames, 2)
})

describe('chunks in another order, twice, or not at all', () => {
  for (const [name, order] of [
    ['reordered', [1, 0, 2]],
    ['duplicated', [0, 1, 1, 2]],
    ['removed from the middle', [0, 2]],
    ['removed from the beginning', [1, 2]],
  ] as const) {
    test(`${name}: INVALID`, async () => {
      const records = order.map((n) => forged.chunks[n]?.record ?? Buffer.alloc(0))
      const result = await verify(forged.write([...records, forged.sealRecord]))
      assert.equal(result.verdict, 'INVALID')
      assert.equal(result.problems[0]?.verdict, 'INVALID')
    })
  }

  test('a removed chunk is told with the frames that are missing', async () => {
    const result = await verify(
      forged.write([forged.chunks[0]?.record ?? Buffer.alloc(0), forged.chunks[2]?.record ?? Buffer.alloc(0), forged.sealRecord]),
    )
    assert.ok(
      result.problems.some(({ frames }) => frames?.[0] === 2 && frames[1] === 2),
      JSON.stringify(result.problems),
    )
  })

  test('a removed last chunk under the old seal: INVALID', async () => {
    const result = await verify(forged.write([...forged.chunks.slice(0, 2).map(({ record }) => record), forged.sealRecord]))
    assert.equal(result.verdict, 'INVALID')
  })
})

test('frames that changed places, or stand twice, within a chunk: INVALID', async () => {
  const key = makeKey()
  const [first] = forged.chunks
  assert.ok(first !== undefined)
  const [swapped, doubled] = [
    ['b', 'a'],
    ['a', 'a'],
  ].map((texts) => {
    const prev = Buffer.alloc(32)
    return forgeChunk({ n: 0, firstSeq: 0, texts, prev, key, next: key }).record
  })
  // The signed header of the true chunk, the frames of another.
  for (const other of [swapped, doubled]) {
    const rawSize = 2 * (4 + 11)
    const spliced = Buffer.concat([
      first.record.subarray(RECORD_HEAD_SIZE, -32 - rawSize),
      other?.subarray(-32 - rawSize, -32) ?? Buffer.alloc(0),
    ])
    const result = await verify(
      forged.write([encodeRecord('chunk', [spliced]), ...forged.chunks.slice(1).map(({ record }) => record), forged.sealRecord]),
    )
    assert.equal(result.verdict, 'INVALID')
    assert.equal(result.problems[0]?.part, 'frames')
  }
})

test('a tape cut anywhere is never VALID, and what is whole before the cut is read', async () => {
  const { store, id } = await recorded()
  const key = tapeKeys.segment(id, 0)
  const bytes = store.objects.get(key) ?? Buffer.alloc(0)
  let frames = 0
  for (let size = 0; size < bytes.length; size += 1) {
    const copy = store.copy()
    copy.objects.set(key, bytes.subarray(0, size))
    const result = await verify(copy, id)
    assert.ok(
      ['VALID-INCOMPLETE', 'UNVERIFIABLE'].includes(result.verdict),
      `${size} bytes: ${result.verdict} ${JSON.stringify(result.problems)}`,
    )
    assert.ok(result.frames >= frames)
    frames = result.frames
  }
  assert.equal(frames, 3)
})

test('an old chunk signed anew with a newer key of the same tape: INVALID', async () => {
  const [k0, k1, k2] = forged.keys
  assert.ok(k0 !== undefined && k1 !== undefined && k2 !== undefined)
  const { statement } = decodeStatement(forged.headerRecord.subarray(RECORD_HEAD_SIZE, -32))
  const changed = forgeChunk({ n: 0, firstSeq: 0, texts: ['a', 'X'], prev: sha256(statement), key: k2, next: k1 })
  const result = await verify(
    forged.write([changed.record, ...forged.chunks.slice(1).map(({ record }) => record), forged.sealRecord]),
  )
  assert.equal(result.verdict, 'INVALID')
  assert.equal(result.problems[0]?.part, 'signature')
})

test('a tail cut and sealed anew by somebody without the tape’s own key: INVALID', async () => {
  const other = await forgeTape(signer, [['a', 'b']])
  const result = await verify(forged.write([forged.chunks[0]?.record ?? Buffer.alloc(0), other.sealRecord]))
  assert.equal(result.verdict, 'INVALID')
})

test('a tape without any certificate, or by a key nobody trusts, is UNVERIFIABLE', async () => {
  const { statement } = decodeStatement(forged.headerRecord.subarray(RECORD_HEAD_SIZE, -32))
  const bare = encodeRecord('header', [pack([Buffer.from(statement)])])
  const store = forged.store.copy()
  store.objects.set(
    tapeKeys.segment(ID, 0),
    Buffer.concat([TAPE_MAGIC, bare, ...forged.chunks.map(({ record }) => record), forged.sealRecord]),
  )
  assert.equal((await verify(store)).verdict, 'UNVERIFIABLE')
  assert.equal((await verifyTape(forged.store, ID, { gatewayKeys: [] })).verdict, 'UNVERIFIABLE')
  await using other = await recordingFolder()
  assert.equal((await verifyTape(forged.store, ID, { gatewayKeys: [other.signer] })).verdict, 'UNVERIFIABLE')
})

test('a tape without a seal says so', async () => {
  const result = await verify(forged.write(forged.chunks.map(({ record }) => record)))
  assert.equal(result.verdict, 'VALID-INCOMPLETE')
  assert.equal(result.state, 'open')
  assert.equal(result.frames, 6)
})

test('an index and footer that claim an end without a seal: INVALID', async () => {
  const { store, id } = await recorded()
  const key = tapeKeys.segment(id, 0)
  const bytes = store.objects.get(key) ?? Buffer.alloc(0)
  const kept: Buffer[] = []
  for await (const piece of scanSegment(await openObject(store, key))) {
    if (piece.kind === 'magic') kept.push(bytes.subarray(0, 8))
    else if (piece.kind === 'record' && piece.type !== 'seal') kept.push(bytes.subarray(piece.offset, piece.offset + piece.size))
    else if (piece.kind === 'footer') kept.push(bytes.subarray(piece.offset, piece.offset + FOOTER_SIZE))
  }
  store.objects.set(key, Buffer.concat(kept))
  assert.equal((await verify(store, id)).verdict, 'INVALID')
})

test('another session’s tape under this one’s name: INVALID', async () => {
  const store = new MemoryStore()
  for (const [key, bytes] of forged.store.objects) store.objects.set(key.replace(ID, 'other'), bytes)
  assert.equal((await verify(store, 'other')).verdict, 'INVALID')
})

test('bytes behind the end: INVALID', async () => {
  const { store, id } = await recorded()
  const key = tapeKeys.segment(id, 0)
  store.objects.set(key, Buffer.concat([store.objects.get(key) ?? Buffer.alloc(0), Buffer.from('more')]))
  assert.equal((await verify(store, id)).verdict, 'INVALID')
})

test('without its salt key a tape is UNVERIFIABLE, and its frames can still be read', async () => {
  const { store, id } = await recorded()
  store.objects.delete(tapeKeys.salt(id))
  assert.equal((await verify(store, id)).verdict, 'UNVERIFIABLE')
  let frames = 0
  for await (const _ of (await openTape(store, id)).frames()) frames += 1
  assert.equal(frames, 3)
})

test('a damaged record head costs one chunk: reading goes on at the next', async () => {
  const key = tapeKeys.segment(ID, 0)
  const bytes = Buffer.from(forged.store.objects.get(key) ?? '')
  const at = bytes.indexOf(forged.chunks[1]?.record ?? '')
  bytes.fill(0, at, at + RECORD_HEAD_SIZE)
  const store = forged.store.copy()
  store.objects.set(key, bytes)
  const result = await verify(store)
  assert.equal(result.verdict, 'INVALID')
  assert.equal(result.frames, 5)
  assert.equal(result.unattested, 3)
  assert.ok(result.problems.some(({ frames }) => frames?.[0] === 2 && frames[1] === 2))
})

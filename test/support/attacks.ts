import { crc32, gzipSync } from 'node:zlib'
import { sha256 } from '../../recorder/tape/merkle.ts'
import { pack } from '../../recorder/tape/msgpack.ts'
import { encodeRecord } from '../../recorder/tape/record.ts'
import type { GatewaySigner } from '../../recorder/tape/signer.ts'
import { RECORD_HEAD_SIZE, TAPE_MAGIC, tapeKeys } from '../../schemas/tape.ts'
import { decodeStatement } from '../../schemas/tape-statement.ts'
import type { Problem, VerifyVerdict } from '../../schemas/verification.ts'
import { type ForgedTape, forgeChunk, ID, makeKey } from './forge.ts'
import type { MemoryStore } from './memory-store.ts'
import { CHUNK_MAGIC } from './stored-chunks.ts'

/** What the first problem of the worst verdict must say. */
type Named = Partial<Pick<Problem, 'part' | 'chunk' | 'frame' | 'frames' | 'object'>>

/** One row of the matrix: a tape somebody has been at, and what every verifier must say of it. */
export interface Attack {
  readonly name: string
  readonly objects: ReadonlyMap<string, Uint8Array>
  readonly verdict: VerifyVerdict
  readonly named?: Named
}

/** The tapes the attacks begin with. */
export interface Tapes {
  readonly signer: GatewaySigner
  /** Three chunks of 2, 1 and 3 frames, stored uncompressed; every key known. */
  readonly forged: ForgedTape
  /** As the recorder writes them: gzip, three segments. */
  readonly recorded: MemoryStore
  readonly id: string
}

const FIRST = tapeKeys.segment(ID, 0)
const none = Buffer.alloc(0)

/** Attacks on frames, chunks and keys, by somebody who mends every checksum. */
export function attacksOnChunks({ forged }: Tapes): Attack[] {
  const [c0 = none, c1 = none, c2 = none] = forged.chunks.map(({ record }) => record)
  const seal = forged.sealRecord
  const row = (name: string, records: readonly Uint8Array[], verdict: VerifyVerdict, named?: Named): Attack => ({
    name,
    objects: forged.write(records).objects,
    verdict,
    ...(named === undefined ? {} : { named }),
  })
  const payload = (record: Buffer): Buffer => record.subarray(RECORD_HEAD_SIZE, -32)
  const changed = Buffer.from(payload(c2))
  changed[changed.indexOf(Buffer.from([0xc4, 1, 0x65])) + 2] = 0x45
  const { statement } = decodeStatement(payload(forged.headerRecord))
  const [k0 = makeKey(), k1 = makeKey(), k2 = makeKey()] = forged.keys
  const spliced = (texts: readonly string[]): Uint8Array => {
    const other = payload(forgeChunk({ n: 0, firstSeq: 0, texts, prev: none, key: k0, next: k1 }).record)
    const rawSize = 2 * (4 + 11)
    return encodeRecord('chunk', [payload(c0).subarray(0, -rawSize), other.subarray(-rawSize)])
  }
  const resigned = forgeChunk({ n: 0, firstSeq: 0, texts: ['a', 'X'], prev: sha256(statement), key: k2, next: k1 })
  const backdated = forgeChunk({
    n: 1,
    firstSeq: 2,
    texts: ['c'],
    prev: forged.chunks[0]?.head ?? none,
    key: k1,
    next: k2,
    firstUs: 0,
  })
  return [
    row('nothing, but no index and footer', [c0, c1, c2, seal], 'VALID-INCOMPLETE', { part: 'footer' }),
    row('a byte of a frame, its record’s check mended', [c0, c1, encodeRecord('chunk', [changed]), seal], 'INVALID', {
      part: 'frames',
      chunk: 2,
      frame: 4,
    }),
    row('frames that changed places', [spliced(['b', 'a']), c1, c2, seal], 'INVALID', { part: 'frames', chunk: 0, frame: 0 }),
    row('a frame twice', [spliced(['a', 'a']), c1, c2, seal], 'INVALID', { part: 'frames', chunk: 0, frame: 1 }),
    row('chunks that changed places', [c1, c0, c2, seal], 'INVALID', { chunk: 1, frames: [0, 1] }),
    row('a chunk twice', [c0, c1, c1, c2, seal], 'INVALID', { chunk: 1 }),
    row('a chunk removed from the middle', [c0, c2, seal], 'INVALID', { chunk: 2, frames: [2, 2] }),
    row('a chunk removed from the beginning', [c1, c2, seal], 'INVALID', { chunk: 1, frames: [0, 1] }),
    row('the last chunk removed under the old seal', [c0, c1, seal], 'INVALID', { part: 'seal' }),
    row('the tail cut', [c0, c1], 'VALID-INCOMPLETE', { part: 'end' }),
    row('the tail cut inside a chunk', [c0, c1, c2.subarray(0, -7)], 'VALID-INCOMPLETE', { part: 'end' }),
    row('no seal, presented as good', [c0, c1, c2], 'VALID-INCOMPLETE', { part: 'end' }),
    row('an old chunk signed anew with a newer key', [resigned.record, c1, c2, seal], 'INVALID', { part: 'signature', chunk: 0 }),
    row('a chunk dated before the one in front of it', [c0, backdated.record, c2, seal], 'INVALID', { part: 'order', chunk: 1 }),
    row('bytes behind the seal', [c0, c1, c2, seal, Buffer.from('more')], 'INVALID', { part: 'record' }),
    row('a record of a type nobody knows', [c0, retyped(c1, 0x5a), c2, seal], 'INVALID', { part: 'record' }),
    row('nothing but the header', [], 'VALID-INCOMPLETE', { part: 'end' }),
    {
      name: 'another session’s tape under this one’s name',
      objects: new Map(
        [...forged.store.objects].map(([key, bytes]) => [key.replace(ID, '20261120T120000Z-gw1-00000002'), bytes]),
      ),
      verdict: 'INVALID',
      named: { part: 'header' },
    },
    {
      name: 'no certificate',
      objects: new Map([
        ...forged.store.objects,
        [FIRST, Buffer.concat([TAPE_MAGIC, encodeRecord('header', [pack([Buffer.from(statement)])]), c0, c1, c2, seal])],
      ]),
      verdict: 'UNVERIFIABLE',
      named: { part: 'certificate' },
    },
  ]
}

/** Compressed bytes stand outside the signature: what decompresses to the same must still be one member. */
function withMember(segment: Buffer): Buffer {
  const at = segment.indexOf(CHUNK_MAGIC)
  const end = at + RECORD_HEAD_SIZE + segment.readUInt32BE(at + 4)
  const longer = encodeRecord('chunk', [segment.subarray(at + RECORD_HEAD_SIZE, end), gzipSync(none)])
  return Buffer.concat([segment.subarray(0, at), longer, segment.subarray(end + 32)])
}

function retyped(record: Buffer, type: number): Buffer {
  const bytes = encodeRecord('chunk', [record.subarray(RECORD_HEAD_SIZE, -32)])
  return mended(bytes, (copy) => copy.writeUInt8(type, 3))
}

/** The bytes of a record, changed, with CRC and check mended. */
export function mended(record: Uint8Array, change: (copy: Buffer) => unknown): Buffer {
  const copy = Buffer.from(record)
  change(copy)
  copy.writeUInt32BE(crc32(copy.subarray(0, 8)), 8)
  copy.set(sha256(copy.subarray(0, -32)), copy.length - 32)
  return copy
}

/** Attacks on stored objects, by somebody who has a copy of the store and no key. */
export function attacksOnObjects({ recorded, id }: Tapes): Attack[] {
  const [s0, s1, s2] = [tapeKeys.segment(id, 0), tapeKeys.segment(id, 1), tapeKeys.segment(id, 2)]
  const bytesOf = (key: string): Buffer => recorded.objects.get(key) ?? none
  const row = (
    name: string,
    change: Readonly<Record<string, Uint8Array | null>>,
    verdict: VerifyVerdict,
    named?: Named,
  ): Attack => {
    const objects = new Map<string, Uint8Array>(recorded.objects)
    for (const [key, bytes] of Object.entries(change)) {
      if (bytes === null) objects.delete(key)
      else objects.set(key, bytes)
    }
    return { name, objects, verdict, ...(named === undefined ? {} : { named }) }
  }
  const flip = (key: string, at: number): Buffer => {
    const copy = Buffer.from(bytesOf(key))
    const place = at < 0 ? copy.length + at : at
    copy[place] = (copy[place] ?? 0) ^ 1
    return copy
  }
  const newer = (key: string): Buffer => {
    const copy = Buffer.from(bytesOf(key))
    copy[5] = 0x32
    return copy
  }
  const chunkAt = (key: string): number => bytesOf(key).indexOf(CHUNK_MAGIC)
  const lastChunk = bytesOf(s0).lastIndexOf(CHUNK_MAGIC)
  const behind = bytesOf(s0).readUInt32BE(lastChunk + 4) + RECORD_HEAD_SIZE + 32 + lastChunk
  const zip = bytesOf(s0).indexOf(Buffer.from([0x1f, 0x8b, 8]))
  return [
    row('nothing at all', {}, 'VALID'),
    row('an empty gzip member behind a chunk’s', { [s0]: withMember(bytesOf(s0)) }, 'INVALID', { part: 'frames', chunk: 0 }),
    row('a bit flipped in a compressed chunk', { [s0]: flip(s0, zip + 40) }, 'INVALID', { part: 'frames', chunk: 0 }),
    row('a bit flipped in the magic', { [s0]: flip(s0, 1) }, 'INVALID', { part: 'magic' }),
    row('a bit flipped in the index', { [s1]: flip(s1, -100) }, 'INVALID', { part: 'index' }),
    row('a bit flipped in the footer', { [s2]: flip(s2, -40) }, 'INVALID', { part: 'footer' }),
    row('the salt key missing', { [tapeKeys.salt(id)]: null }, 'UNVERIFIABLE', { part: 'salt' }),
    row('another salt key', { [tapeKeys.salt(id)]: Buffer.alloc(32, 9) }, 'INVALID', { part: 'salt' }),
    row('a segment missing from the middle', { [s1]: null }, 'INVALID', { part: 'segment', object: s1 }),
    row('the first segment missing', { [s0]: null }, 'INVALID', { part: 'segment', object: s0 }),
    row('the last segment missing', { [s2]: null }, 'VALID-INCOMPLETE', { part: 'end' }),
    row('a first segment of 0 bytes', { [s0]: none }, 'INVALID', { object: s0 }),
    row('a middle segment of 0 bytes', { [s1]: none }, 'INVALID', { object: s1 }),
    row('a last segment of 0 bytes', { [s2]: none }, 'VALID-INCOMPLETE', { object: s2 }),
    row('segments that changed places', { [s1]: bytesOf(s2), [s2]: bytesOf(s1) }, 'INVALID', { object: s1 }),
    row(
      'the first segment’s header in front of a later one’s',
      { [s2]: Buffer.concat([bytesOf(s0).subarray(0, chunkAt(s0)), bytesOf(s2).subarray(TAPE_MAGIC.length)]) },
      'INVALID',
      { part: 'header', object: s2 },
    ),
    row(
      'the last chunk of a segment cut out of it',
      { [s0]: Buffer.concat([bytesOf(s0).subarray(0, lastChunk), bytesOf(s0).subarray(behind)]) },
      'INVALID',
      { part: 'index', object: s0 },
    ),
    row('a format of the future', { [s0]: newer(s0), [s1]: newer(s1), [s2]: newer(s2) }, 'UNVERIFIABLE', {
      part: 'magic',
      object: s0,
    }),
    row('bytes behind the end', { [s2]: Buffer.concat([bytesOf(s2), Buffer.from('more')]) }, 'INVALID', { object: s2 }),
    row('a foreign file beside the segments', { [`tapes/${id}/notes.txt`]: Buffer.from('hello') }, 'VALID'),
    row('a foreign file beside the sessions', { 'tapes/README': Buffer.from('hello') }, 'VALID'),
  ]
}

/** A crash, at any byte: what is whole is kept, and nothing is called tampering. */
export function crashes({ recorded, id }: Tapes, step: number): Attack[] {
  const last = tapeKeys.segment(id, 2)
  const bytes = recorded.objects.get(last) ?? none
  return Array.from({ length: Math.ceil(bytes.length / step) }, (_, index) => {
    const objects = new Map<string, Uint8Array>(recorded.objects)
    objects.set(last, bytes.subarray(0, index * step))
    return { name: `a crash at byte ${index * step} of the last segment`, objects, verdict: 'VALID-INCOMPLETE' }
  })
}

/** One bit flipped, at every so many bytes of every object. */
export function flips({ recorded }: Tapes, step: number): Attack[] {
  const rows: Attack[] = []
  for (const [key, bytes] of recorded.objects) {
    for (let at = step >> 1; at < bytes.length; at += step) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at)
      const objects = new Map<string, Uint8Array>([...recorded.objects, [key, flipped]])
      rows.push({ name: `bit ${at % 8} of byte ${at} of ${key}`, objects, verdict: 'INVALID', named: { object: key } })
    }
  }
  return rows
}

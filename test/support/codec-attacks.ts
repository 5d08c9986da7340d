import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { encodeRecord } from '../../recorder/tape/record.ts'
import { CODECS, MARK_SIZE, RECORD_HEAD_SIZE, SIGNATURE_SIZE } from '../../schemas/tape.ts'
import type { Attack, Tapes } from './attacks.ts'

const EMPTY = zstdCompressSync(Buffer.alloc(0))
const MAGIC = Buffer.from('28b52ffd', 'hex')
const SKIPPABLE = Buffer.from('502a4d180400000061626364', 'hex')
/** Frame descriptors: a content size of four bytes; one segment, of one; one segment, of one, and a dictionary. */
const [SIZE_OF_FOUR, SINGLE, SINGLE_DICTIONARY] = [0x80, 0x20, 0x21]
const windowOf = (log: number): number => (log - 10) << 3

/** Stored bytes of a zstd chunk, which no signature covers: changed by somebody who needs no key for it. */
export function attacksOnCodec({ forged }: Tapes): Attack[] {
  const [record, ...others] = [...forged.chunks.map((chunk) => chunk.record), forged.sealRecord]
  const payload = record?.subarray(RECORD_HEAD_SIZE, -32) ?? Buffer.alloc(0)
  const codecAt = 4 + payload.readUInt32BE(0) + SIGNATURE_SIZE
  const storedAt = codecAt + 1 + 2 * MARK_SIZE
  const raw = payload.subarray(storedAt)
  const row = (name: string, stored: Buffer, good = false): Attack => {
    const parts = [payload.subarray(0, codecAt), Buffer.of(CODECS.zstd), payload.subarray(codecAt + 1, storedAt), stored]
    return {
      name: `zstd: ${name}`,
      objects: forged.write([encodeRecord('chunk', parts), ...others]).objects,
      verdict: good ? 'VALID-INCOMPLETE' : 'INVALID',
      named: good ? { part: 'footer' } : { part: 'frames', chunk: 0 },
    }
  }
  const frame = zstdCompressSync(raw)
  const withParam = (param: number, value: number): Buffer => zstdCompressSync(raw, { params: { [param]: value } })
  const flagged = (bit: number): Buffer => Buffer.concat([MAGIC, Buffer.of((frame[4] ?? 0) | bit), frame.subarray(5)])
  /** A frame that is its head and these blocks. */
  const of = (head: readonly number[], ...blocks: readonly Buffer[]): Buffer =>
    Buffer.concat([MAGIC, Buffer.from(head), ...blocks])
  const block = (bytes: Buffer, last = true): Buffer => Buffer.concat([blockHead(bytes.length, 0, last), bytes])
  const windowed = (log: number): Buffer => of([SIZE_OF_FOUR, windowOf(log), raw.length, 0, 0, 0], block(raw))
  return [
    row('one plain frame', frame, true),
    row('a window of 8 MiB', windowed(23), true),
    row('an empty last block', of([SINGLE, raw.length], block(raw, false), block(Buffer.alloc(0))), true),
    row('a window of 16 MiB', windowed(24)),
    row('a window of 2^41', windowed(41)),
    row('gzip', gzipSync(raw)),
    row('a skippable frame before it', Buffer.concat([SKIPPABLE, frame])),
    row('a skippable frame behind it', Buffer.concat([frame, SKIPPABLE])),
    row('a frame of nothing before it', Buffer.concat([EMPTY, frame])),
    row('a frame of nothing behind it', Buffer.concat([frame, EMPTY])),
    row('two frames', Buffer.concat([zstdCompressSync(raw.subarray(0, 9)), zstdCompressSync(raw.subarray(9))])),
    row('bytes behind it', Buffer.concat([frame, Buffer.of(0)])),
    row('cut', frame.subarray(0, -1)),
    row('no bytes', Buffer.alloc(0)),
    row('a checksum', withParam(constants.ZSTD_c_checksumFlag, 1)),
    row('no size of its content', withParam(constants.ZSTD_c_contentSizeFlag, 0)),
    row('another size of its content', of([SINGLE, raw.length + 1], block(raw))),
    row('the reserved bit', flagged(0x08)),
    row('the unused bit', flagged(0x10)),
    row('a dictionary', of([SINGLE_DICTIONARY, 5, raw.length], block(raw))),
    row('dictionary 0, which is none', of([SINGLE_DICTIONARY, 0, raw.length], block(raw))),
    row('no last block', of([SINGLE, raw.length], block(raw, false))),
    row('a byte in a run of none', of([SINGLE, raw.length], blockHead(0, 1, false), Buffer.of(7), block(raw))),
    row('a compressed block of nothing', of([SINGLE, raw.length], blockHead(2, 2, false), Buffer.of(0, 0), block(raw))),
  ]
}

function blockHead(size: number, type: number, last: boolean): Buffer {
  const head = Buffer.alloc(3)
  head.writeUIntLE((size << 3) | (type << 1) | (last ? 1 : 0), 0, 3)
  return head
}

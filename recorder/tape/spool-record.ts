import { crc32 } from 'node:zlib'

/**
 * A record of a spool file: u32 CRC-32 of all that follows, u32 payload size, u32 file number, u32 slot, u8 kind,
 * u8 whether the payload begins a frame, u16 0, payload. The file number keeps records of a file's former life out.
 */
export const SPOOL_HEAD_SIZE = 20
/**
 * One write holds up the loop for no longer than this many bytes take: 13 us at the median for a quarter as many, 34 ms seen beside a
 * sync. A full read from a socket (128 KiB) with all of it masked, its spans and what a frame has beside its body, so that a bulk
 * result is a write per read.
 */
export const SPOOL_PIECE_SIZE = 264 << 10

/** `enrol`: payload is the session's id; the slot is its from here on. `frames`: part of its stream of frames. `dismiss`: all of it is in the store. */
export const SPOOL_KINDS = { enrol: 1, frames: 2, dismiss: 3 } as const
export type SpoolKind = keyof typeof SPOOL_KINDS

export interface SpoolRecord {
  readonly file: number
  readonly slot: number
  readonly kind: SpoolKind
  readonly beginsFrame: boolean
  readonly payload: Uint8Array
  /** Where the next record begins. */
  readonly end: number
}

/** Of CRC-32 as zlib has it (polynomial 0xedb88320), by byte. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

export function writeSpoolHead(
  head: Buffer,
  file: number,
  slot: number,
  kind: SpoolKind,
  beginsFrame: boolean,
  payload: Uint8Array,
): void {
  head.writeUInt32BE(payload.length, 4)
  head.writeUInt32BE(file, 8)
  head.writeUInt32BE(slot, 12)
  head.writeUInt32BE((SPOOL_KINDS[kind] << 24) | (beginsFrame ? 1 << 16 : 0), 16)
  // The few bytes of the head by hand: a view of them and a call out of JavaScript would cost more.
  let crc = -1
  for (let at = 4; at < SPOOL_HEAD_SIZE; at += 1) crc = (CRC_TABLE[(crc ^ (head[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8)
  head.writeUInt32BE(crc32(payload, ~crc >>> 0), 0)
}

/** The record at `at`; undefined where there is none: the end, or where a crash cut the writing. */
export function readSpoolRecord(bytes: Buffer, at: number): SpoolRecord | undefined {
  if (at + SPOOL_HEAD_SIZE > bytes.length) return undefined
  const size = bytes.readUInt32BE(at + 4)
  const from = at + SPOOL_HEAD_SIZE
  if (size > SPOOL_PIECE_SIZE || from + size > bytes.length) return undefined
  if (bytes.readUInt32BE(at) !== crc32(bytes.subarray(at + 4, from + size))) return undefined
  const code = bytes[at + 16]
  const kind = (['enrol', 'frames', 'dismiss'] as const).find((name) => SPOOL_KINDS[name] === code)
  if (kind === undefined) return undefined
  return {
    file: bytes.readUInt32BE(at + 8),
    slot: bytes.readUInt32BE(at + 12),
    kind,
    beginsFrame: bytes[at + 17] === 1,
    payload: bytes.subarray(from, from + size),
    end: from + size,
  }
}

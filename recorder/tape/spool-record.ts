import { crc32 } from 'node:zlib'

/**
 * A record of a spool file: u32 CRC-32 of all that follows, u32 payload size, u32 file number, u32 slot, u8 kind,
 * u8 whether the payload begins a frame, u16 0, payload. The file number keeps records of a file's former life out. The CRC of all but the
 * first goes on from that of the spool's id (`spoolSeed`): a record of another spool passes for none of this one, and nor does what a
 * client puts into its traffic.
 */
export const SPOOL_HEAD_SIZE = 20
/** Stands in front of what it is of. */
export const CRC_SIZE = 4
/**
 * One write holds up the loop for no longer than this many bytes take: 13 us at the median for a quarter as many, 34 ms seen beside a
 * sync. A full read from a socket (128 KiB) with all of it masked, its spans and what a frame has beside its body, so that a bulk
 * result is a write per read.
 */
export const SPOOL_PIECE_SIZE = 264 << 10

/** `begin`: the first record of a file's life; payload is a `SpoolMark`. `enrol`: payload is the session's id; the slot is its from here on. `frames`: part of its stream of frames. `dismiss`: all of it is in the store. */
export const SPOOL_KINDS = { enrol: 1, frames: 2, dismiss: 3, begin: 4 } as const
export type SpoolKind = keyof typeof SPOOL_KINDS

/** Of the files' form: whoever knows another leaves them alone. */
const SPOOL_FORMAT = 'sallyport spool 2'

/** Whose a file is. */
export interface SpoolMark {
  readonly gateway: string
  /** Random, one for each process: what was written by one stands in no file of another. */
  readonly spool: string
  /** It had a life before: what stands behind its end may be of that. */
  readonly reused: boolean
}

export interface SpoolRecord {
  readonly file: number
  readonly slot: number
  readonly kind: SpoolKind
  readonly beginsFrame: boolean
  readonly payload: Uint8Array
  /** Where the next record begins. */
  readonly end: number
}

/** All of a head but its CRC. */
export function writeSpoolHead(
  head: Buffer,
  file: number,
  slot: number,
  kind: SpoolKind,
  beginsFrame: boolean,
  payloadSize: number,
): void {
  head.writeUInt32BE(payloadSize, 4)
  head.writeUInt32BE(file, 8)
  head.writeUInt32BE(slot, 12)
  head.writeUInt32BE((SPOOL_KINDS[kind] << 24) | (beginsFrame ? 1 << 16 : 0), 16)
}

/** The record at `at`; undefined where there is none: the end, or where a crash cut the writing. */
export function readSpoolRecord(bytes: Buffer, at: number, seed: number): SpoolRecord | undefined {
  if (at + SPOOL_HEAD_SIZE > bytes.length) return undefined
  const size = bytes.readUInt32BE(at + 4)
  const from = at + SPOOL_HEAD_SIZE
  if (size > SPOOL_PIECE_SIZE || from + size > bytes.length) return undefined
  if (bytes.readUInt32BE(at) !== crc32(bytes.subarray(at + 4, from + size), seed)) return undefined
  const code = bytes[at + 16]
  const kind = (['enrol', 'frames', 'dismiss', 'begin'] as const).find((name) => SPOOL_KINDS[name] === code)
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

/** What the CRCs of a spool's records begin with. */
export function spoolSeed({ spool }: SpoolMark): number {
  return crc32(spool)
}

/** The first record of a file's life. */
export function beginRecord(file: number, mark: SpoolMark): Buffer {
  const payload = Buffer.from(JSON.stringify({ format: SPOOL_FORMAT, ...mark }))
  const head = Buffer.alloc(SPOOL_HEAD_SIZE)
  writeSpoolHead(head, file, 0, 'begin', false, payload.length)
  const record = Buffer.concat([head, payload])
  record.writeUInt32BE(crc32(record.subarray(CRC_SIZE)), 0)
  return record
}

/** What a file begins with; undefined where that is no record of this format. */
export function readBegin(bytes: Buffer): { readonly file: number; readonly mark: SpoolMark; readonly end: number } | undefined {
  const record = readSpoolRecord(bytes, 0, 0)
  if (record?.kind !== 'begin') return undefined
  const { format, gateway, spool, reused } = parsed(record.payload)
  if (format !== SPOOL_FORMAT || typeof gateway !== 'string' || typeof spool !== 'string' || typeof reused !== 'boolean')
    return undefined
  return { file: record.file, mark: { gateway, spool, reused }, end: record.end }
}

function parsed(payload: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'))
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    // A CRC over it was right: another format.
    return {}
  }
}

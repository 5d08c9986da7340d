import type { Dir } from './frame.ts'
import type { SessionInfo } from './session.ts'
import type { Act } from './verdict.ts'

// The bytes of a tape, version 1; told in prose in docs/tape-format.md, which is what other implementations follow.

export const TAPE_VERSION = 1
/** A later version is a number up to this; what is larger is no version. */
export const MAX_VERSION = 2 ** 32 - 1
/** `\x89TAPE1\r\n`: not text, and broken by whatever rewrites line ends. */
export const TAPE_MAGIC = Uint8Array.of(0x89, 0x54, 0x41, 0x50, 0x45, 0x31, 0x0d, 0x0a)
/** `\x89TAPEND\n` */
export const FOOTER_MAGIC = Uint8Array.of(0x89, 0x54, 0x41, 0x50, 0x45, 0x4e, 0x44, 0x0a)
export const FOOTER_SIZE = 64

/** Every record: `\x89TR`, u8 type, u32 payload size, u32 CRC-32 of these 8 bytes; the payload; SHA-256 of all before it. */
export const RECORD_MARK = Uint8Array.of(0x89, 0x54, 0x52)
export const RECORD_HEAD_SIZE = 12
export const RECORD_CHECK_SIZE = 32
export const RECORD_TYPES = { header: 0x48, recovery: 0x52, chunk: 0x43, seal: 0x53, index: 0x49 } as const
export type RecordType = keyof typeof RECORD_TYPES

/**
 * Behind this nothing of a segment is read: they end at 256 MiB and the record that crosses it, so that a file of any size costs
 * no more than this does.
 */
export const MAX_SEGMENT_SIZE = 320 << 20

export const CODECS = { store: 0, gzip: 1, zstd: 2 } as const
export type Codec = keyof typeof CODECS

export const HASH_SIZE = 32
export const KEY_SIZE = 32
export const SIGNATURE_SIZE = 64
export const SALT_SIZE = 16
/** Bytes of a leaf kept beside the frames, only to name the bad one when the chunk's root does not fit. */
export const MARK_SIZE = 2
/** Each frame in a chunk is preceded by its u32 size. */
export const FRAME_HEAD_SIZE = 4

/** A body is continued over frames beyond this, so that a chunk stays something a browser can hold. */
export const MAX_FRAME_BODY = 1 << 20
/** A body of 1 MiB may carry 3 MiB of mask spans; the rest is room for facts. */
export const MAX_FRAME_SIZE = 8 << 20
/** A chunk is closed by the frame that fills it. */
export const CHUNK_RAW_SIZE = 256 << 10
/**
 * In a session that is in bulk: each chunk has its own key, signature, compression, append and way to another thread and back, which
 * at hundreds of megabytes a second would cost more than the bytes. Half of what may be on its way to the store, so that one can be
 * filled while the last one is.
 */
export const BULK_CHUNK_SIZE = 2 << 20
/** A frame of any size, and 1 MiB before it. */
export const MAX_CHUNK_RAW_SIZE = (1 << 20) + MAX_FRAME_SIZE + FRAME_HEAD_SIZE
/** The largest payload a reader accepts: a stored chunk that does not compress, its header and its marks; an index of 40,000 chunks. */
export const MAX_RECORD_SIZE = 16 << 20

/** What is signed begins with one of these, so that no signature can be taken for another kind's. */
export const SIGNED = {
  header: 'sallyport tape v1 header\0',
  recovery: 'sallyport tape v1 recovery\0',
  chunk: 'sallyport tape v1 chunk\0',
  seal: 'sallyport tape v1 seal\0',
  entry: 'sallyport ledger v1 entry\0',
} as const

/** The fact that tells a continued body's place: `first`, `middle`, `last`. */
export const PART_FACT = 'part'
/** Facts the totals add up, where a protocol sets them: result rows in `out` frames, statements in `in` frames. */
export const ROWS_FACT = 'rows'
export const STATEMENTS_FACT = 'statements'

export const CHUNK_FLAGS = {
  /** Closed at once: it ends with a block, a hold, or something that had to be durable. */
  urgent: 1,
  /** Written at a recovery: attested by the recovering gateway, not by the one that recorded. */
  recovered: 2,
} as const

export const DIRS = ['in', 'out', 'note'] as const satisfies readonly Dir[]

/** The gateway's word for a statement: a signature over `SIGNED.* || statement`. */
export interface Certificate {
  readonly gateway: string
  /** `Ed25519` or `ES256`. */
  readonly algorithm: string
  /** First 16 hex digits of the SHA-256 of the public key (SPKI DER): which of a gateway's keys. */
  readonly keyId: string
  readonly signature: Uint8Array
}

/** The first segment's header. */
export interface TapeHeader {
  readonly v: typeof TAPE_VERSION
  readonly segment: 0
  readonly session: SessionInfo
  /** Public key of chunk 0, Ed25519 raw. */
  readonly epoch: Uint8Array
  /** SHA-256 of the session's salt key. */
  readonly salt: Uint8Array
  /** The recording process's monotonic clock at atUs 0, to relate tapes of one process. */
  readonly monotonicUs: number
  /** What a crash may cost at this durability level, in words. */
  readonly lossWindow: string
  /** Newest ledger checkpoint at the start; null while the ledger has none. */
  readonly checkpoint: Uint8Array | null
}

/** Header of every later segment. Each member must agree with the chain so far; the next chunk's `prev` signs it. */
export interface ContinuedHeader {
  readonly v: typeof TAPE_VERSION
  readonly segment: number
  readonly id: string
  readonly prev: Uint8Array
  readonly chunk: number
  readonly seq: number
}

/** What a recovering gateway states; header of `recovered-NNNN.tape`. */
export interface RecoveryStatement {
  readonly v: typeof TAPE_VERSION
  readonly id: string
  /** Who recovers, and whose spool it was. */
  readonly gateway: string
  readonly spool: string
  readonly recoveredAt: string
  /** The chain's head after the last good chunk (or header) of the tape, and where that is. */
  readonly head: Uint8Array
  readonly segment: number
  readonly offset: number
  readonly chunks: number
  /** Frames good on the tape; recovered frames follow at this number. */
  readonly frames: number
  readonly recovered: number
  /** Bytes in the spool behind the last whole frame: cut off while they were being written, never accepted; or damaged there, or behind such a place. */
  readonly discardedBytes: number
  readonly salt: Uint8Array
  readonly epoch: Uint8Array
}

export interface ChunkHeader {
  /** From 0, over all segments. */
  readonly n: number
  readonly firstSeq: number
  readonly count: number
  readonly firstUs: number
  readonly lastUs: number
  /** SHA-256 of the previous chunk's header and signature; of the segment header's statement for a segment's first. */
  readonly prev: Uint8Array
  /** RFC 6962 root over the frames' salted leaves. */
  readonly root: Uint8Array
  readonly rawSize: number
  readonly rows: number
  /** Of bodies. */
  readonly bytes: number
  readonly statements: number
  readonly flags: number
  /** Public key of the next chunk, or of the seal. */
  readonly nextKey: Uint8Array
}

/** A chunk as stored, its frames still packed. */
export interface StoredChunk {
  readonly header: ChunkHeader
  readonly headerBytes: Uint8Array
  readonly signature: Uint8Array
  readonly codec: Codec
  readonly marks: Uint8Array
  readonly stored: Uint8Array
}

export interface Totals {
  readonly frames: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly rows: number
  readonly statements: number
  /** Mask spans. */
  readonly masked: number
  /** By verdict; frames that are notes or continue a body are not counted. */
  readonly verdicts: Readonly<Record<Act, number>>
}

export interface SealStatement {
  readonly v: typeof TAPE_VERSION
  readonly id: string
  readonly reason: string
  readonly chunks: number
  /** RFC 6962 root over the chunk headers' bytes. */
  readonly root: Uint8Array
  readonly head: Uint8Array
  readonly atUs: number
  readonly endedAt: string
  readonly totals: Totals
}

/** One row per chunk of the segment. */
export type IndexRow = readonly [
  offset: number,
  size: number,
  n: number,
  firstSeq: number,
  count: number,
  firstUs: number,
  lastUs: number,
  rawSize: number,
  rows: number,
  bytes: number,
  statements: number,
  flags: number,
]

export interface SegmentIndex {
  readonly v: typeof TAPE_VERSION
  readonly segment: number
  readonly chunks: readonly IndexRow[]
  /** Frames of the session so far per bin of `binUs`; at most 1,024 bins. */
  readonly density: { readonly binUs: number; readonly counts: readonly number[] }
  /** In the last segment: the whole session. */
  readonly summary: Summary | null
}

export interface Summary {
  readonly reason: string
  readonly chunks: number
  readonly root: string
  readonly endedAt: string
  readonly durationUs: number
  readonly totals: Totals
}

export interface Footer {
  readonly indexAt: number
  readonly fileSize: number
  readonly segment: number
  readonly last: boolean
  /** SHA-256 over the first 32 bytes of the footer and the index record's check. */
  readonly check: Uint8Array
}

export const tapeKeys = {
  prefix: (id: string): string => `tapes/${id}/`,
  segment: (id: string, segment: number): string => `tapes/${id}/${four(segment)}.tape`,
  salt: (id: string): string => `tapes/${id}/salt`,
  index: (id: string, segment: number): string => `tapes/${id}/${four(segment)}.idx`,
  recovered: (id: string): string => `tapes/${id}/recovered-0000.tape`,
}

function four(number: number): string {
  return String(number).padStart(4, '0')
}

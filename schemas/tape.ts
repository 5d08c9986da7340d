import { ApplianceError } from './errors.ts'
import type { Dir, Facts, Frame, Masks } from './frame.ts'
import { type Unpacked, Unpacker, unpack } from './msgpack.ts'
import type { SessionInfo } from './session.ts'
import type { Act, VerdictNote } from './verdict.ts'

// The bytes of a tape, version 1; told in prose in docs/tape-format.md, which is what other implementations follow.

export const TAPE_VERSION = 1
/** `\x89TAPE1\r\n`: not text, and broken by whatever rewrites line ends. */
export const TAPE_MAGIC = Uint8Array.of(0x89, 0x54, 0x41, 0x50, 0x45, 0x31, 0x0d, 0x0a)
/** Where in it the version's digit stands. */
const VERSION_AT = 5
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
const SIGNATURE_SIZE = 64
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
 * In a session that is in bulk: each chunk has its own key, signature, compression and append, which at hundreds of megabytes
 * a second would cost more than the bytes. A quarter of what may be on its way to the store.
 */
export const BULK_CHUNK_SIZE = 1 << 20
export const MAX_CHUNK_RAW_SIZE = BULK_CHUNK_SIZE + MAX_FRAME_SIZE + FRAME_HEAD_SIZE
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
const ACTS = ['allow', 'mask', 'block', 'hold'] as const satisfies readonly Act[]

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
  /** Bytes in the spool behind the last whole frame: cut off while they were being written, never accepted. */
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

export function decodeFrame(bytes: Uint8Array, from = 0, to = bytes.length): Frame {
  const value = new Unpacker(bytes, from, to).only()
  const [seq, atUs, dir, channel, kind, facts, body, masks, verdict, ...more] = array(value, 'frame')
  if (more.length > 0) throw malformed('frame has more than 9 members')
  return {
    seq: count(seq, 'frame seq'),
    atUs: count(atUs, 'frame atUs'),
    dir: DIRS[count(dir, 'frame dir')] ?? fail('frame dir'),
    channel: count(channel, 'frame channel'),
    kind: text(kind, 'frame kind'),
    facts: factsOf(facts),
    body: body === null ? null : binary(body, 'frame body'),
    masks: masks === null ? null : masksOf(masks),
    verdict: verdict === null ? null : verdictOf(verdict),
  }
}

/** The frames of an unpacked chunk, as [from, to) pairs in one array. Throws TAPE_MALFORMED where the sizes do not add up. */
export function frameBounds(raw: Uint8Array): number[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const bounds: number[] = []
  let at = 0
  while (at < raw.length) {
    if (raw.length - at < FRAME_HEAD_SIZE) throw malformed('a frame size is cut off')
    const size = view.getUint32(at)
    at += FRAME_HEAD_SIZE
    if (size === 0 || size > raw.length - at) throw malformed(`frame of ${size} bytes in a chunk with ${raw.length - at} left`)
    bounds.push(at, at + size)
    at += size
  }
  return bounds
}

export function decodeChunk(payload: Uint8Array): StoredChunk {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  if (payload.length < 4) throw malformed('chunk is cut off')
  const headerEnd = 4 + view.getUint32(0)
  const codecAt = headerEnd + SIGNATURE_SIZE
  if (codecAt + 1 > payload.length) throw malformed('chunk header is longer than the chunk')
  const headerBytes = payload.subarray(4, headerEnd)
  const header = decodeChunkHeader(headerBytes)
  const marksAt = codecAt + 1
  const storedAt = marksAt + header.count * MARK_SIZE
  if (storedAt > payload.length) throw malformed('chunk is shorter than its marks')
  return {
    header,
    headerBytes,
    signature: payload.subarray(headerEnd, codecAt),
    codec: codecOf(view.getUint8(codecAt)),
    marks: payload.subarray(marksAt, storedAt),
    stored: payload.subarray(storedAt),
  }
}

function codecOf(byte: number): Codec {
  for (const name of ['store', 'gzip', 'zstd'] as const) if (CODECS[name] === byte) return name
  throw malformed(`codec ${byte} is unknown`)
}

export function decodeChunkHeader(bytes: Uint8Array): ChunkHeader {
  const items = array(unpack(bytes), 'chunk header')
  if (items.length !== 13) throw malformed(`chunk header has ${items.length} members, not 13`)
  const [n, firstSeq, frames, firstUs, lastUs, prev, root, rawSize, rows, bodyBytes, statements, flags, nextKey] = items
  return {
    n: count(n, 'chunk n'),
    firstSeq: count(firstSeq, 'chunk first seq'),
    count: count(frames, 'chunk count'),
    firstUs: count(firstUs, 'chunk first time'),
    lastUs: count(lastUs, 'chunk last time'),
    prev: sized(prev, HASH_SIZE, 'chunk prev'),
    root: sized(root, HASH_SIZE, 'chunk root'),
    rawSize: count(rawSize, 'chunk raw size'),
    rows: count(rows, 'chunk rows'),
    bytes: count(bodyBytes, 'chunk bytes'),
    statements: count(statements, 'chunk statements'),
    flags: count(flags, 'chunk flags'),
    nextKey: sized(nextKey, KEY_SIZE, 'chunk next key'),
  }
}

/** A signed statement and its signature or certificate, as headers, recovery statements and seals are stored: `[bin, ...]`. */
export function decodeStatement(payload: Uint8Array): { readonly statement: Uint8Array; readonly rest: readonly Unpacked[] } {
  const [statement, ...rest] = array(unpack(payload), 'statement')
  return { statement: binary(statement, 'statement'), rest }
}

export function decodeCertificate(value: Unpacked | undefined): Certificate {
  const [gateway, algorithm, keyId, signature] = array(value, 'certificate')
  return {
    gateway: text(gateway, 'certificate gateway'),
    algorithm: text(algorithm, 'certificate algorithm'),
    keyId: text(keyId, 'certificate key id'),
    signature: binary(signature, 'certificate signature'),
  }
}

export function decodeHeader(statement: Uint8Array): TapeHeader | ContinuedHeader {
  const map = object(unpack(statement), 'header')
  version(map)
  const segment = count(map['segment'], 'header segment')
  if (segment > 0) {
    return {
      v: TAPE_VERSION,
      segment,
      id: text(map['id'], 'header id'),
      prev: sized(map['prev'], HASH_SIZE, 'header prev'),
      chunk: count(map['chunk'], 'header chunk'),
      seq: count(map['seq'], 'header seq'),
    }
  }
  const session = object(map['session'], 'header session')
  text(session['id'], 'session id')
  text(session['gateway'], 'session gateway')
  count(session['number'], 'session number')
  text(session['startedAt'], 'session start')
  text(session['durability'], 'session durability')
  object(session['identity'], 'session identity')
  object(session['target'], 'session target')
  return {
    v: TAPE_VERSION,
    segment: 0,
    // Written by us from a SessionInfo and signed; the members readers branch on are checked above.
    session: session as unknown as SessionInfo,
    epoch: sized(map['epoch'], KEY_SIZE, 'header epoch key'),
    salt: sized(map['salt'], HASH_SIZE, 'header salt commitment'),
    monotonicUs: count(map['monotonicUs'], 'header clock'),
    lossWindow: text(map['lossWindow'], 'header loss window'),
    checkpoint: map['checkpoint'] === null ? null : binary(map['checkpoint'], 'header checkpoint'),
  }
}

export function decodeRecovery(statement: Uint8Array): RecoveryStatement {
  const map = object(unpack(statement), 'recovery statement')
  version(map)
  return {
    v: TAPE_VERSION,
    id: text(map['id'], 'recovery id'),
    gateway: text(map['gateway'], 'recovery gateway'),
    spool: text(map['spool'], 'recovery spool'),
    recoveredAt: text(map['recoveredAt'], 'recovery time'),
    head: sized(map['head'], HASH_SIZE, 'recovery head'),
    segment: count(map['segment'], 'recovery segment'),
    offset: count(map['offset'], 'recovery offset'),
    chunks: count(map['chunks'], 'recovery chunks'),
    frames: count(map['frames'], 'recovery frames'),
    recovered: count(map['recovered'], 'recovered frames'),
    discardedBytes: count(map['discardedBytes'], 'recovery discarded bytes'),
    salt: sized(map['salt'], HASH_SIZE, 'recovery salt commitment'),
    epoch: sized(map['epoch'], KEY_SIZE, 'recovery key'),
  }
}

export function decodeSeal(statement: Uint8Array): SealStatement {
  const map = object(unpack(statement), 'seal')
  version(map)
  return {
    v: TAPE_VERSION,
    id: text(map['id'], 'seal id'),
    reason: text(map['reason'], 'seal reason'),
    chunks: count(map['chunks'], 'seal chunks'),
    root: sized(map['root'], HASH_SIZE, 'seal root'),
    head: sized(map['head'], HASH_SIZE, 'seal head'),
    atUs: count(map['atUs'], 'seal time'),
    endedAt: text(map['endedAt'], 'seal end'),
    totals: totalsOf(map['totals']),
  }
}

/** `bytes`: an index payload after its codec byte, unpacked. */
export function decodeIndex(bytes: Uint8Array): SegmentIndex {
  const map = object(unpack(bytes), 'index')
  version(map)
  const density = object(map['density'], 'index density')
  const summary = map['summary'] === null ? null : object(map['summary'], 'index summary')
  return {
    v: TAPE_VERSION,
    segment: count(map['segment'], 'index segment'),
    chunks: array(map['chunks'], 'index chunks').map(indexRow),
    density: {
      binUs: count(density['binUs'], 'index bin width'),
      counts: array(density['counts'], 'index bins').map((value) => count(value, 'index bin')),
    },
    summary:
      summary === null
        ? null
        : {
            reason: text(summary['reason'], 'summary reason'),
            chunks: count(summary['chunks'], 'summary chunks'),
            root: text(summary['root'], 'summary root'),
            endedAt: text(summary['endedAt'], 'summary end'),
            durationUs: count(summary['durationUs'], 'summary duration'),
            totals: totalsOf(summary['totals']),
          },
  }
}

/** The fixed members of a footer; whether `check` fits is for whoever can hash. Throws where it is no footer. */
export function decodeFooter(bytes: Uint8Array): Footer {
  if (bytes.length !== FOOTER_SIZE || !FOOTER_MAGIC.every((byte, index) => bytes[index] === byte)) throw malformed('no footer')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    indexAt: Number(view.getBigUint64(8)),
    fileSize: Number(view.getBigUint64(16)),
    segment: view.getUint32(24),
    last: view.getUint32(28) === 1,
    check: bytes.subarray(32, 64),
  }
}

function indexRow(value: Unpacked): IndexRow {
  const [a, b, c, d, e, f, g, h, i, j, k, l] = array(value, 'index row').map((item) => count(item, 'index row'))
  return [a ?? 0, b ?? 0, c ?? 0, d ?? 0, e ?? 0, f ?? 0, g ?? 0, h ?? 0, i ?? 0, j ?? 0, k ?? 0, l ?? 0]
}

function totalsOf(value: Unpacked | undefined): Totals {
  const map = object(value, 'totals')
  const verdicts = object(map['verdicts'], 'totals verdicts')
  return {
    frames: count(map['frames'], 'total frames'),
    bytesIn: count(map['bytesIn'], 'total bytes in'),
    bytesOut: count(map['bytesOut'], 'total bytes out'),
    rows: count(map['rows'], 'total rows'),
    statements: count(map['statements'], 'total statements'),
    masked: count(map['masked'], 'total masked'),
    verdicts: {
      allow: count(verdicts['allow'], 'total allow'),
      mask: count(verdicts['mask'], 'total mask'),
      block: count(verdicts['block'], 'total block'),
      hold: count(verdicts['hold'], 'total hold'),
    },
  }
}

function factsOf(value: Unpacked | undefined): Facts {
  const map = object(value, 'frame facts')
  for (const key in map) {
    const fact = map[key]
    if (fact instanceof Uint8Array) throw malformed(`fact ${key} is binary`)
    if (Array.isArray(fact)) {
      for (const item of fact) text(item, `fact ${key}`)
    } else if (typeof fact === 'object' && fact !== null) throw malformed(`fact ${key} is a map`)
  }
  // Every member is null, boolean, number, text or an array of text: checked above.
  return map as Facts
}

function masksOf(value: Unpacked | undefined): Masks {
  const [labels, spans] = array(value, 'frame masks')
  return {
    labels: array(labels, 'mask labels').map((label) => {
      const [entity, rule] = array(label, 'mask label')
      return [text(entity, 'mask entity'), text(rule, 'mask rule')] as const
    }),
    spans: binary(spans, 'mask spans'),
  }
}

function verdictOf(value: Unpacked | undefined): VerdictNote {
  const [act, rules, policy, approval] = array(value, 'frame verdict')
  const note = {
    act: ACTS.find((name) => name === act) ?? fail('verdict act'),
    rules: array(rules, 'verdict rules').map((rule) => text(rule, 'verdict rule')),
    policy: text(policy, 'verdict policy'),
  }
  return approval === null || approval === undefined ? note : { ...note, approval: text(approval, 'verdict approval') }
}

function version(map: { readonly [key: string]: Unpacked }): void {
  const newer = isNewer(map['v']) ? '; a newer program can read it' : ''
  if (map['v'] !== TAPE_VERSION) throw malformed(`tape version ${String(map['v'])} is not ${TAPE_VERSION}${newer}`)
}

function isNewer(value: Unpacked | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > TAPE_VERSION
}

/** The version of a segment with the magic of a later version than ours; undefined for every other beginning. */
export function newerMagic(magic: Uint8Array): number | undefined {
  const version = (magic[VERSION_AT] ?? 0) - 0x30
  const like = magic.length === TAPE_MAGIC.length && TAPE_MAGIC.every((byte, at) => at === VERSION_AT || magic[at] === byte)
  return like && version > TAPE_VERSION && version <= 9 ? version : undefined
}

/** The version a statement says it is written in, where that is later than ours; undefined for every other bytes. */
export function newerVersion(statement: Uint8Array): number | undefined {
  try {
    const version = object(unpack(statement), 'statement')['v']
    return isNewer(version) ? version : undefined
  } catch {
    return undefined
  }
}

function array(value: Unpacked | undefined, what: string): readonly Unpacked[] {
  return Array.isArray(value) ? value : fail(what)
}

function object(value: Unpacked | undefined, what: string): { readonly [key: string]: Unpacked } {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return fail(what)
  // What is left of Unpacked is the map; Array.isArray does not narrow readonly arrays.
  return value as { readonly [key: string]: Unpacked }
}

function text(value: Unpacked | undefined, what: string): string {
  return typeof value === 'string' ? value : fail(what)
}

function count(value: Unpacked | undefined, what: string): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : fail(what)
}

function binary(value: Unpacked | undefined, what: string): Uint8Array {
  return value instanceof Uint8Array ? value : fail(what)
}

function sized(value: Unpacked | undefined, size: number, what: string): Uint8Array {
  const bytes = binary(value, what)
  return bytes.length === size ? bytes : fail(what)
}

function fail(what: string): never {
  throw malformed(`${what} is missing or of the wrong type`)
}

function malformed(message: string): ApplianceError {
  return new ApplianceError('TAPE_MALFORMED', message)
}

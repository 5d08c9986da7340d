import { type Unpacked, unpack } from './msgpack.ts'
import {
  type ChunkHeader,
  CODECS,
  type Codec,
  FOOTER_MAGIC,
  FOOTER_SIZE,
  type Footer,
  HASH_SIZE,
  type IndexRow,
  KEY_SIZE,
  MARK_SIZE,
  type SegmentIndex,
  SIGNATURE_SIZE,
  type StoredChunk,
  TAPE_VERSION,
} from './tape.ts'
import { array, count, exact, malformed, sized, text, tuple, version } from './tape-members.ts'
import { TOTALS_MEMBERS, totalsOf, VERDICT_MEMBERS } from './tape-statement.ts'

const SUMMARY_MEMBERS = ['reason', 'chunks', 'root', 'endedAt', 'durationUs', 'totals']

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

/** `bytes`: an index payload after its codec byte, unpacked. */
export function decodeIndex(bytes: Uint8Array): SegmentIndex {
  const map = exact(unpack(bytes), ['v', 'segment', 'chunks', 'density', 'summary'], 'index')
  version(map)
  const density = exact(map['density'], ['binUs', 'counts'], 'index density')
  const summary = map['summary'] === null ? null : exact(map['summary'], SUMMARY_MEMBERS, 'index summary')
  if (summary !== null) exact(exact(summary['totals'], TOTALS_MEMBERS, 'totals')['verdicts'], VERDICT_MEMBERS, 'totals verdicts')
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
  const [a, b, c, d, e, f, g, h, i, j, k, l] = tuple(value, 12, 'index row').map((item) => count(item, 'index row'))
  return [a ?? 0, b ?? 0, c ?? 0, d ?? 0, e ?? 0, f ?? 0, g ?? 0, h ?? 0, i ?? 0, j ?? 0, k ?? 0, l ?? 0]
}

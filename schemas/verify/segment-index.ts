import { joinBytes, sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import {
  CODECS,
  FOOTER_SIZE,
  type IndexRow,
  type RecoveryStatement,
  type SegmentIndex,
  TAPE_MAGIC,
  type TapeHeader,
  tapeKeys,
} from '../tape.ts'
import { decodeChunk, decodeFooter, decodeIndex } from '../tape-chunk.ts'
import { decodeHeader, decodeRecovery, decodeStatement } from '../tape-statement.ts'
import { ObjectWindow, recordAt, scanSegment } from './scan.ts'
import type { ObjectSource, VerifyTools } from './tools.ts'

/** Most an index unpacks to: 40,000 chunks of 12 numbers, and the density. */
const MAX_INDEX_SIZE = 8 << 20

/** A header is some hundred bytes, with many claims and groups a few thousand. */
const HEADER_WINDOW = 16 << 10

/** Read at a segment's end at once: its footer, and with it the index of a hundred chunks, which would be another request. */
const TAIL_WINDOW = 16 << 10

/** Everything that must be known of a tape before its frames are asked for. Nothing of it is verified. */
export interface TapeIndex {
  readonly header: TapeHeader
  readonly segments: readonly SegmentIndex[]
  readonly recovered: { readonly statement: RecoveryStatement; readonly chunks: readonly IndexRow[] } | undefined
}

/** Rejects STORE_MISSING where there is no tape, TAPE_MALFORMED where not even its header can be read. */
export async function readTapeIndex(
  source: ObjectSource,
  tools: VerifyTools,
  id: string,
  signal?: AbortSignal,
): Promise<TapeIndex> {
  const first = await ObjectWindow.open(source, tools, tapeKeys.segment(id, 0), signal)
  // Together, as each may be a request. A segment without a stored index is read through only once there is a header.
  const [header, stored] = await Promise.all([
    readHeader(await ObjectWindow.open(source, tools, tapeKeys.segment(id, 0), signal, HEADER_WINDOW)),
    storedIndex(first, source, id, 0, signal),
  ])
  const segments = [stored ?? (await indexByScan(first, 0))]
  for (let number = 1; ; number += 1) {
    const object = await opened(source, tools, tapeKeys.segment(id, number), signal)
    if (object === undefined) break
    segments.push((await storedIndex(object, source, id, number, signal)) ?? (await indexByScan(object, number)))
  }
  return { header, segments, recovered: await readRecovered(source, tools, tapeKeys.recovered(id), signal) }
}

/** Segment 0's header; nothing of it is verified. Rejects TAPE_MALFORMED. */
export async function readHeader(object: ObjectWindow): Promise<TapeHeader> {
  const record = await recordAt(object, TAPE_MAGIC.length)
  if (record?.type !== 'header') throw new ApplianceError('TAPE_MALFORMED', 'the tape does not begin with a header')
  const header = decodeHeader(decodeStatement(record.payload).statement)
  if (header.segment !== 0 || !('session' in header))
    throw new ApplianceError('TAPE_MALFORMED', 'the first segment has a later one’s header')
  return header
}

/** From the footer, or from what a recovery put beside the segment; undefined where neither has one. */
async function storedIndex(
  object: ObjectWindow,
  source: ObjectSource,
  id: string,
  number: number,
  signal?: AbortSignal,
): Promise<SegmentIndex | undefined> {
  return (await indexFromFooter(object)) ?? (await indexFromSidecar(source, object.tools, id, number, signal))
}

async function opened(
  source: ObjectSource,
  tools: VerifyTools,
  key: string,
  signal?: AbortSignal,
): Promise<ObjectWindow | undefined> {
  try {
    return await ObjectWindow.open(source, tools, key, signal)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
}

/** Undefined where there is no whole index at the end. */
export async function indexFromFooter(object: ObjectWindow): Promise<SegmentIndex | undefined> {
  if (object.size < FOOTER_SIZE) return undefined
  try {
    await object.read(Math.max(0, object.size - TAIL_WINDOW), TAIL_WINDOW)
    const bytes = await object.read(object.size - FOOTER_SIZE, FOOTER_SIZE)
    const footer = decodeFooter(bytes)
    const record = await recordAt(object, footer.indexAt)
    if (record?.type !== 'index' || !record.intact) return undefined
    if (!sameBytes(footer.check, footerCheck(object.tools, bytes, record.check))) return undefined
    return await unpackIndex(object.tools, record.payload)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
    throw error
  }
}

/** What a recovery has put beside a segment without a footer. */
async function indexFromSidecar(
  source: ObjectSource,
  tools: VerifyTools,
  id: string,
  number: number,
  signal?: AbortSignal,
): Promise<SegmentIndex | undefined> {
  const object = await opened(source, tools, tapeKeys.index(id, number), signal)
  if (object === undefined) return undefined
  try {
    const record = await recordAt(object, 0)
    return record?.type === 'index' && record.intact ? await unpackIndex(tools, record.payload) : undefined
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
    throw error
  }
}

export async function unpackIndex(tools: VerifyTools, payload: Uint8Array): Promise<SegmentIndex> {
  if (payload[0] !== CODECS.gzip) throw new ApplianceError('TAPE_MALFORMED', `index codec ${payload[0]} is unknown`)
  return decodeIndex(await tools.gunzip(payload.subarray(1), MAX_INDEX_SIZE))
}

/** The rows of every chunk whose header can be read, from byte `from` of the segment on. */
export async function indexByScan(object: ObjectWindow, number: number, from = 0): Promise<SegmentIndex> {
  const chunks: IndexRow[] = []
  for await (const piece of scanSegment(object, from)) {
    if (piece.kind !== 'record' || piece.type !== 'chunk') continue
    try {
      const { header: one } = decodeChunk(piece.payload)
      chunks.push([
        piece.offset,
        piece.size,
        one.n,
        one.firstSeq,
        one.count,
        one.firstUs,
        one.lastUs,
        one.rawSize,
        one.rows,
        one.bytes,
        one.statements,
        one.flags,
      ])
    } catch (error) {
      if (!(error instanceof ApplianceError) || error.code !== 'TAPE_MALFORMED') throw error
    }
  }
  return { v: 1, segment: number, chunks, density: { binUs: 1, counts: [] }, summary: null }
}

async function readRecovered(
  source: ObjectSource,
  tools: VerifyTools,
  key: string,
  signal?: AbortSignal,
): Promise<TapeIndex['recovered']> {
  const object = await opened(source, tools, key, signal)
  if (object === undefined) return undefined
  const record = await recordAt(object, TAPE_MAGIC.length)
  if (record?.type !== 'recovery') return undefined
  return { statement: decodeRecovery(decodeStatement(record.payload).statement), chunks: (await indexByScan(object, 0)).chunks }
}

/** SHA-256 over the footer's first 32 bytes and the index record's check: binds the two together. */
export function footerCheck(tools: Pick<VerifyTools, 'sha256'>, footer: Uint8Array, indexCheck: Uint8Array): Uint8Array {
  return tools.sha256(joinBytes(footer.subarray(0, 32), indexCheck))
}

import { gunzipSync } from 'node:zlib'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Frame } from '../../schemas/frame.ts'
import {
  CODECS,
  decodeChunk,
  decodeFooter,
  decodeFrame,
  decodeHeader,
  decodeIndex,
  decodeRecovery,
  decodeStatement,
  FOOTER_SIZE,
  frameBounds,
  type IndexRow,
  type RecoveryStatement,
  type SegmentIndex,
  type StoredChunk,
  type Summary,
  TAPE_MAGIC,
  type TapeHeader,
  tapeKeys,
} from '../../schemas/tape.ts'
import type { Store } from '../store/store.ts'
import { decompress } from './codec.ts'
import { footerCheck } from './record.ts'
import { ObjectWindow, recordAt, scanSegment } from './scan.ts'

/** `sealed`: has its signed end. `recovered`: ended by a recovery. `open`: neither; being recorded, crashed and not recovered yet, or cut. */
export type TapeState = 'sealed' | 'recovered' | 'open'

export interface TapeFrame extends Frame {
  /** Attested by the recovering gateway only. */
  readonly recovered: boolean
}

export interface FrameRange {
  /** First number wanted; 0 where left out. */
  readonly fromSeq?: number
  /** First number not wanted. */
  readonly toSeq?: number
  /** Told of every part that cannot be read, which is then skipped. Without it the reading rejects TAPE_MALFORMED there. */
  readonly onDamage?: (error: ApplianceError) => void
}

export interface Tape {
  readonly id: string
  readonly header: TapeHeader
  readonly state: TapeState
  /** Of a sealed tape. */
  readonly summary: Summary | undefined
  readonly recovery: RecoveryStatement | undefined
  /** Frames that can be read now, recovered ones included. */
  readonly frameCount: number
  readonly segments: readonly SegmentIndex[]
  /** Frames in order, one chunk in memory at a time. Does not verify: that is `verifyTape`. */
  frames(range?: FrameRange, signal?: AbortSignal): AsyncGenerator<TapeFrame>
}

/** Opens a tape for reading, whole or not. Rejects STORE_MISSING where there is none, TAPE_MALFORMED where not even its header can be read. */
export async function openTape(store: Store, id: string, signal?: AbortSignal): Promise<Tape> {
  const first = await ObjectWindow.open(store, tapeKeys.segment(id, 0), signal)
  const header = await readHeader(first)
  const segments: SegmentIndex[] = []
  for (let number = 0; ; number += 1) {
    const index = await segmentIndex(store, id, number, signal)
    if (index === undefined) break
    segments.push(index)
  }
  const recoveredKey = tapeKeys.recovered(id)
  const recovered = await readRecovered(store, recoveredKey, signal)
  const summary = segments.at(-1)?.summary ?? undefined
  const lastRow = segments.findLast((segment) => segment.chunks.length > 0)?.chunks.at(-1)
  const onTape = lastRow === undefined ? 0 : lastRow[3] + lastRow[4]
  return {
    id,
    header,
    state: summary !== undefined ? 'sealed' : recovered !== undefined ? 'recovered' : 'open',
    summary,
    recovery: recovered?.statement,
    frameCount: onTape + (recovered?.statement.recovered ?? 0),
    segments,
    async *frames(range = {}, framesSignal) {
      for (const segment of segments)
        yield* chunkFrames(store, tapeKeys.segment(id, segment.segment), segment.chunks, false, range, framesSignal)
      if (recovered !== undefined) yield* chunkFrames(store, recoveredKey, recovered.chunks, true, range, framesSignal)
    },
  }
}

async function* chunkFrames(
  store: Store,
  key: string,
  rows: readonly IndexRow[],
  recovered: boolean,
  range: FrameRange,
  signal?: AbortSignal,
): AsyncGenerator<TapeFrame> {
  const { fromSeq = 0, toSeq = Number.POSITIVE_INFINITY, onDamage } = range
  const wanted = rows.filter(([, , , firstSeq, count]) => firstSeq < toSeq && firstSeq + count > fromSeq)
  if (wanted.length === 0) return
  const object = await ObjectWindow.open(store, key, signal)
  for (const [offset, , , firstSeq, count] of wanted) {
    let frames: Frame[]
    try {
      const record = await recordAt(object, offset)
      if (record === undefined || record.type !== 'chunk') throw new ApplianceError('TAPE_MALFORMED', 'no chunk stands here')
      frames = chunkToFrames(decodeChunk(record.payload))
    } catch (error) {
      if (!(error instanceof ApplianceError) || error.code !== 'TAPE_MALFORMED') throw error
      const damage = new ApplianceError(
        'TAPE_MALFORMED',
        `frames ${firstSeq}-${firstSeq + count - 1} in ${key} at ${offset}: ${error.message}`,
        { cause: error },
      )
      if (onDamage === undefined) throw damage
      onDamage(damage)
      continue
    }
    for (const frame of frames) if (frame.seq >= fromSeq && frame.seq < toSeq) yield { ...frame, recovered }
  }
}

export function chunkToFrames(chunk: StoredChunk): Frame[] {
  const raw = decompress(chunk.codec, chunk.stored, chunk.header.rawSize)
  const bounds = frameBounds(raw)
  const frames: Frame[] = []
  for (let index = 0; index < bounds.length; index += 2) frames.push(decodeFrame(raw, bounds[index], bounds[index + 1]))
  return frames
}

export async function readHeader(object: ObjectWindow): Promise<TapeHeader> {
  const record = await recordAt(object, TAPE_MAGIC.length)
  if (record?.type !== 'header') throw new ApplianceError('TAPE_MALFORMED', 'the tape does not begin with a header')
  const header = decodeHeader(decodeStatement(record.payload).statement)
  if (header.segment !== 0 || !('session' in header))
    throw new ApplianceError('TAPE_MALFORMED', 'the first segment has a later one’s header')
  return header
}

/** From the footer, from the sidecar, or by reading the segment through; undefined where there is no such segment. */
async function segmentIndex(store: Store, id: string, number: number, signal?: AbortSignal): Promise<SegmentIndex | undefined> {
  let object: ObjectWindow
  try {
    object = await ObjectWindow.open(store, tapeKeys.segment(id, number), signal)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
  return (
    (await indexFromFooter(object)) ?? (await indexFromSidecar(store, id, number, signal)) ?? (await indexByScan(object, number))
  )
}

/** Undefined where there is no whole index at the end. */
export async function indexFromFooter(object: ObjectWindow): Promise<SegmentIndex | undefined> {
  if (object.size < FOOTER_SIZE) return undefined
  try {
    const bytes = await object.read(object.size - FOOTER_SIZE, FOOTER_SIZE)
    const footer = decodeFooter(bytes)
    const record = await recordAt(object, footer.indexAt)
    if (record?.type !== 'index' || !record.intact || !Buffer.from(footer.check).equals(footerCheck(bytes, record.check)))
      return undefined
    return unpackIndex(record.payload)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
    throw error
  }
}

/** What a recovery has put beside a segment without a footer. */
async function indexFromSidecar(
  store: Store,
  id: string,
  number: number,
  signal?: AbortSignal,
): Promise<SegmentIndex | undefined> {
  try {
    const record = await recordAt(await ObjectWindow.open(store, tapeKeys.index(id, number), signal), 0)
    return record?.type === 'index' && record.intact ? unpackIndex(record.payload) : undefined
  } catch (error) {
    if (error instanceof ApplianceError && (error.code === 'STORE_MISSING' || error.code === 'TAPE_MALFORMED')) return undefined
    throw error
  }
}

/** Most an index unpacks to: 40,000 chunks of 12 numbers, and the density. */
const MAX_INDEX_SIZE = 8 << 20

export function unpackIndex(payload: Uint8Array): SegmentIndex {
  if (payload[0] !== CODECS.gzip) throw new ApplianceError('TAPE_MALFORMED', `index codec ${payload[0]} is unknown`)
  try {
    return decodeIndex(gunzipSync(payload.subarray(1), { maxOutputLength: MAX_INDEX_SIZE }))
  } catch (error) {
    if (error instanceof ApplianceError) throw error
    throw new ApplianceError('TAPE_MALFORMED', 'the index cannot be decompressed', { cause: error })
  }
}

/** The rows of every chunk whose header can be read. */
export async function indexByScan(object: ObjectWindow, number: number): Promise<SegmentIndex> {
  const chunks: IndexRow[] = []
  for await (const piece of scanSegment(object)) {
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
  store: Store,
  key: string,
  signal?: AbortSignal,
): Promise<{ statement: RecoveryStatement; chunks: readonly IndexRow[] } | undefined> {
  let object: ObjectWindow
  try {
    object = await ObjectWindow.open(store, key, signal)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
  const record = await recordAt(object, TAPE_MAGIC.length)
  if (record?.type !== 'recovery') return undefined
  return { statement: decodeRecovery(decodeStatement(record.payload).statement), chunks: (await indexByScan(object, 0)).chunks }
}

export interface SessionListing {
  readonly id: string
  /** Undefined where the header cannot be read. */
  readonly header: TapeHeader | undefined
  readonly state: TapeState
  readonly frameCount: number
  readonly summary: Summary | undefined
}

/** Every session with a tape in the store, in the order of their ids: by start. */
export async function* listSessions(store: Store, signal?: AbortSignal): AsyncGenerator<SessionListing> {
  for await (const key of store.list('tapes/', signal)) {
    const id = /^tapes\/([^/]+)\/0000\.tape$/.exec(key)?.[1]
    if (id === undefined) continue
    try {
      const { header, state, frameCount, summary } = await openTape(store, id, signal)
      yield { id, header, state, frameCount, summary }
    } catch (error) {
      if (!(error instanceof ApplianceError) || error.code !== 'TAPE_MALFORMED') throw error
      yield { id, header: undefined, state: 'open', frameCount: 0, summary: undefined }
    }
  }
}

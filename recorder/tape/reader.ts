import { ApplianceError } from '../../schemas/errors.ts'
import type { Frame } from '../../schemas/frame.ts'
import {
  type IndexRow,
  type RecoveryStatement,
  type SegmentIndex,
  type StoredChunk,
  type Summary,
  type TapeHeader,
  tapeKeys,
} from '../../schemas/tape.ts'
import { decodeChunk } from '../../schemas/tape-chunk.ts'
import { decodeFrame, frameBounds } from '../../schemas/tape-frame.ts'
import { recordAt } from '../../schemas/verify/scan.ts'
import { readTapeIndex } from '../../schemas/verify/segment-index.ts'
import type { Store } from '../store/store.ts'
import { decompress } from './codec.ts'
import { nodeTools, openObject } from './tools.ts'

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
  /** Result rows that were released, as the chunks say: also of a tape that no seal sums up. */
  readonly rowCount: number
  /** Statements, counted the same way. */
  readonly statementCount: number
  readonly segments: readonly SegmentIndex[]
  /** Frames in order, one chunk in memory at a time. Does not verify: that is `verifyTape`. */
  frames(range?: FrameRange, signal?: AbortSignal): AsyncGenerator<TapeFrame>
}

/** Opens a tape for reading, whole or not. Rejects STORE_MISSING where there is none, TAPE_MALFORMED where not even its header can be read. */
export async function openTape(store: Store, id: string, signal?: AbortSignal): Promise<Tape> {
  const { header, segments, recovered } = await readTapeIndex(store, nodeTools, id, signal)
  const summary = segments.at(-1)?.summary ?? undefined
  const lastRow = segments.findLast((segment) => segment.chunks.length > 0)?.chunks.at(-1)
  const onTape = lastRow === undefined ? 0 : lastRow[3] + lastRow[4]
  const parts = [...segments, ...(recovered === undefined ? [] : [recovered])]
  return {
    id,
    header,
    state: summary !== undefined ? 'sealed' : recovered !== undefined ? 'recovered' : 'open',
    summary,
    recovery: recovered?.statement,
    frameCount: onTape + (recovered?.statement.recovered ?? 0),
    rowCount: sumOf(parts, 8),
    statementCount: sumOf(parts, 10),
    segments,
    async *frames(range = {}, framesSignal) {
      for (const segment of segments)
        yield* chunkFrames(store, tapeKeys.segment(id, segment.segment), segment.chunks, false, range, framesSignal)
      if (recovered !== undefined) yield* chunkFrames(store, tapeKeys.recovered(id), recovered.chunks, true, range, framesSignal)
    },
  }
}

/** Of the chunks' rows: 8 is rows of results, 10 statements. */
function sumOf(parts: readonly { readonly chunks: readonly IndexRow[] }[], column: 8 | 10): number {
  return parts.reduce((sum, { chunks }) => chunks.reduce((more, row) => more + row[column], sum), 0)
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
  // One frame takes one request for its chunk, a whole tape as few as possible.
  const wantedSize = wanted.reduce((sum, [, size]) => sum + size, 0)
  const object = await openObject(store, key, signal, wantedSize)
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

export interface SessionListing {
  readonly id: string
  /** Undefined where the header cannot be read. */
  readonly header: TapeHeader | undefined
  readonly state: TapeState
  readonly frameCount: number
  readonly rowCount: number
  readonly summary: Summary | undefined
}

/** Every session with a tape in the store, in the order of their ids: by start. */
export async function* listSessions(store: Store, signal?: AbortSignal): AsyncGenerator<SessionListing> {
  for await (const key of store.list('tapes/', signal)) {
    const id = /^tapes\/([^/]+)\/0000\.tape$/.exec(key)?.[1]
    if (id === undefined) continue
    try {
      const { header, state, frameCount, rowCount, summary } = await openTape(store, id, signal)
      yield { id, header, state, frameCount, rowCount, summary }
    } catch (error) {
      if (!(error instanceof ApplianceError) || error.code !== 'TAPE_MALFORMED') throw error
      yield { id, header: undefined, state: 'open', frameCount: 0, rowCount: 0, summary: undefined }
    }
  }
}

import { CHUNK_FLAGS, type IndexRow, type SegmentIndex, tapeKeys } from '../../schemas/tape.ts'
import type { TapeIndex } from '../../schemas/verify/segment-index.ts'

/** One chunk, wherever it is stored. */
export interface ChunkPlace {
  readonly key: string
  readonly offset: number
  readonly size: number
  readonly n: number
  readonly firstSeq: number
  readonly count: number
  readonly firstUs: number
  readonly lastUs: number
  readonly rows: number
  readonly bytes: number
  /** Ends with a block, a hold, or something that had to be durable at once. */
  readonly urgent: boolean
  /** Attested only by the gateway that recovered it. */
  readonly recovered: boolean
}

export type TapeEnd =
  | { readonly kind: 'sealed'; readonly reason: string; readonly endedAt: string }
  | {
      readonly kind: 'recovered'
      readonly by: string
      readonly at: string
      readonly recovered: number
      readonly discardedBytes: number
    }
  | { readonly kind: 'open' }

/** What a page needs of a tape before any frame: structured-cloneable, as it comes from the worker. */
export interface TapeMap {
  readonly id: string
  /** In the order of their frames. */
  readonly chunks: readonly ChunkPlace[]
  readonly frameCount: number
  readonly durationUs: number
  readonly density: SegmentIndex['density']
  readonly end: TapeEnd
  /** Frames that should stand between two chunks and do not: their chunk is missing or cannot be read. */
  readonly gaps: readonly Gap[]
}

export interface Gap {
  readonly firstSeq: number
  readonly lastSeq: number
  readonly fromUs: number
  readonly toUs: number
}

export function tapeMapOf(id: string, { segments, recovered }: Omit<TapeIndex, 'header'>): TapeMap {
  const chunks = segments.flatMap((segment) =>
    segment.chunks.map((row) => placeOf(tapeKeys.segment(id, segment.segment), row, false)),
  )
  for (const row of recovered?.chunks ?? []) chunks.push(placeOf(tapeKeys.recovered(id), row, true))
  chunks.sort((a, b) => a.firstSeq - b.firstSeq)
  const last = chunks.at(-1)
  const summary = segments.at(-1)?.summary ?? null
  const told = segments.at(-1)?.density
  return {
    id,
    chunks,
    frameCount: last === undefined ? 0 : last.firstSeq + last.count,
    durationUs: Math.max(summary?.durationUs ?? 0, last?.lastUs ?? 0),
    // Only a finished segment's index tells of each frame; of others the chunks' own times are known.
    density: told !== undefined && told.counts.length > 0 && recovered === undefined ? told : densityOf(chunks),
    end:
      summary !== null
        ? { kind: 'sealed', reason: summary.reason, endedAt: summary.endedAt }
        : recovered !== undefined
          ? {
              kind: 'recovered',
              by: recovered.statement.gateway,
              at: recovered.statement.recoveredAt,
              recovered: recovered.statement.recovered,
              discardedBytes: recovered.statement.discardedBytes,
            }
          : { kind: 'open' },
    gaps: gapsOf(chunks),
  }
}

function placeOf(key: string, row: IndexRow, recovered: boolean): ChunkPlace {
  const [offset, size, n, firstSeq, count, firstUs, lastUs, , rows, bytes, , flags] = row
  const urgent = (flags & CHUNK_FLAGS.urgent) !== 0
  return { key, offset, size, n, firstSeq, count, firstUs, lastUs, rows, bytes, urgent, recovered }
}

function gapsOf(chunks: readonly ChunkPlace[]): Gap[] {
  const gaps: Gap[] = []
  let [seq, atUs] = [0, 0]
  for (const chunk of chunks) {
    if (chunk.firstSeq > seq) gaps.push({ firstSeq: seq, lastSeq: chunk.firstSeq - 1, fromUs: atUs, toUs: chunk.firstUs })
    seq = Math.max(seq, chunk.firstSeq + chunk.count)
    atUs = chunk.lastUs
  }
  return gaps
}

/** As many as the recorder keeps. */
const MAX_BINS = 1024

/** Frames over time as chunks tell of them: evenly over each chunk's time. */
function densityOf(chunks: readonly ChunkPlace[]): SegmentIndex['density'] {
  const endUs = chunks.at(-1)?.lastUs ?? 0
  if (endUs === 0) return { binUs: 1, counts: [] }
  const binUs = Math.max(1, Math.ceil((endUs + 1) / MAX_BINS))
  const counts = new Array<number>(Math.floor(endUs / binUs) + 1).fill(0)
  for (const { firstUs, lastUs, count } of chunks) {
    const [from, to] = [Math.floor(firstUs / binUs), Math.floor(lastUs / binUs)]
    for (let bin = from; bin <= to; bin += 1) counts[bin] = (counts[bin] ?? 0) + count / (to - from + 1)
  }
  return { binUs, counts }
}

/** Index into `chunks` of the one that has the frame; -1 where none does. */
export function chunkOfFrame({ chunks }: Pick<TapeMap, 'chunks'>, seq: number): number {
  const index = lastAtMost(chunks, (chunk) => chunk.firstSeq, seq)
  const chunk = chunks[index]
  return chunk !== undefined && seq < chunk.firstSeq + chunk.count ? index : -1
}

/** Index of the last chunk that begins at or before `atUs`; 0 where none does. */
export function chunkAtTime({ chunks }: Pick<TapeMap, 'chunks'>, atUs: number): number {
  return Math.max(
    0,
    lastAtMost(chunks, (chunk) => chunk.firstUs, atUs),
  )
}

/** Index of the last item whose value is at most `limit`, in a list that rises by it; -1 where none is. */
export function lastAtMost<T>(items: readonly T[], keyOf: (item: T) => number, limit: number): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const item = items[middle]
    if (item !== undefined && keyOf(item) <= limit) low = middle + 1
    else high = middle
  }
  return low - 1
}

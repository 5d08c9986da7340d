import { ApplianceError } from '../../schemas/errors.ts'
import { type IndexRow, type SealStatement, type SegmentIndex, type TapeHeader, tapeKeys } from '../../schemas/tape.ts'
import { decodeChunk } from '../../schemas/tape-chunk.ts'
import { decodeHeader, decodeSeal, decodeStatement } from '../../schemas/tape-statement.ts'
import { type ObjectWindow, scanSegment } from '../../schemas/verify/scan.ts'
import { indexByScan, indexFromFooter } from '../../schemas/verify/segment-index.ts'
import type { Store } from '../store/store.ts'
import { sha256 } from './merkle.ts'
import { openObject } from './tools.ts'

/** How far a tape goes, as far as its bytes are whole. */
export interface TapeEnd {
  readonly header: TapeHeader
  readonly segment: number
  /** Behind the last whole record of the last segment. */
  readonly offset: number
  readonly head: Uint8Array
  readonly chunks: number
  readonly frames: number
  readonly seal: SealStatement | undefined
  /** Whether the last segment has its index and footer. */
  readonly indexed: boolean
  readonly rows: readonly IndexRow[]
  /** Where a recorder that lives would write next. */
  readonly next: { readonly segment: number; readonly position: number }
}

type End = Pick<TapeEnd, 'offset' | 'head' | 'chunks' | 'frames' | 'seal'>

/** Looks at the last segment of a tape; undefined where there is no tape, or not even a whole header. Does not verify. */
export async function findTapeEnd(store: Store, id: string): Promise<TapeEnd | undefined> {
  const last = await lastSegment(store, id)
  if (last === undefined) return undefined
  const first = last.number === 0 ? last.object : await openObject(store, tapeKeys.segment(id, 0))
  const header = await headerOf(first)
  if (header === undefined) return undefined
  let end: End = { offset: 0, head: new Uint8Array(0), chunks: 0, frames: 0, seal: undefined }
  for await (const piece of scanSegment(last.object)) {
    if (piece.kind === 'magic') continue
    // Behind the first thing that is not whole nothing counts: the order of the writes says it came later.
    if (piece.kind !== 'record' || !piece.intact) break
    const offset = piece.offset + piece.size
    if (piece.type === 'header') {
      const { statement } = decodeStatement(piece.payload)
      const own = decodeHeader(statement)
      const begin = 'chunk' in own ? { chunks: own.chunk, frames: own.seq } : { chunks: 0, frames: 0 }
      end = { ...end, ...begin, offset, head: sha256(statement) }
    } else if (piece.type === 'chunk') {
      const { header: chunk, headerBytes, signature } = decodeChunk(piece.payload)
      end = {
        ...end,
        offset,
        head: sha256(Buffer.concat([headerBytes, signature])),
        chunks: chunk.n + 1,
        frames: chunk.firstSeq + chunk.count,
      }
    } else if (piece.type === 'seal') end = { ...end, offset, seal: decodeSeal(decodeStatement(piece.payload).statement) }
  }
  if (end.offset === 0) {
    // A segment cut in its header: the one before it is the last that counts.
    if (last.number === 0) return undefined
    const next = { segment: last.number, position: last.object.size }
    return { ...(await endBefore(store, id, last.number, header)), indexed: true, next }
  }
  const index: SegmentIndex | undefined = await indexFromFooter(last.object)
  const rows = (index ?? (await indexByScan(last.object, last.number))).chunks
  const indexed = index !== undefined
  const next = indexed ? { segment: last.number + 1, position: 0 } : { segment: last.number, position: last.object.size }
  return { header, segment: last.number, ...end, indexed, rows, next }
}

async function endBefore(
  store: Store,
  id: string,
  segment: number,
  header: TapeHeader,
): Promise<Omit<TapeEnd, 'indexed' | 'next'>> {
  const object = await openObject(store, tapeKeys.segment(id, segment - 1))
  let end: End = { offset: 0, head: new Uint8Array(0), chunks: 0, frames: 0, seal: undefined }
  for await (const piece of scanSegment(object)) {
    if (piece.kind !== 'record' || piece.type !== 'chunk') continue
    const { header: chunk, headerBytes, signature } = decodeChunk(piece.payload)
    const head = sha256(Buffer.concat([headerBytes, signature]))
    end = { offset: piece.offset + piece.size, head, chunks: chunk.n + 1, frames: chunk.firstSeq + chunk.count, seal: undefined }
  }
  return { header, segment: segment - 1, ...end, rows: [] }
}

async function headerOf(object: ObjectWindow): Promise<TapeHeader | undefined> {
  for await (const piece of scanSegment(object)) {
    if (piece.kind === 'magic') continue
    if (piece.kind !== 'record' || piece.type !== 'header' || !piece.intact) return undefined
    const header = decodeHeader(decodeStatement(piece.payload).statement)
    return 'session' in header ? header : undefined
  }
  return undefined
}

async function lastSegment(
  store: Store,
  id: string,
): Promise<{ readonly number: number; readonly object: ObjectWindow } | undefined> {
  let last: { readonly number: number; readonly object: ObjectWindow } | undefined
  for (let number = 0; ; number += 1) {
    try {
      last = { number, object: await openObject(store, tapeKeys.segment(id, number)) }
    } catch (error) {
      if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return last
      throw error
    }
  }
}

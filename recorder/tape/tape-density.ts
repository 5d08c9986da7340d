import { tapeKeys } from '../../schemas/tape.ts'
import { decodeChunk } from '../../schemas/tape-chunk.ts'
import { Density } from '../../schemas/verify/density.ts'
import { recordAt } from '../../schemas/verify/scan.ts'
import { indexFromFooter } from '../../schemas/verify/segment-index.ts'
import type { Store } from '../store/store.ts'
import { chunkToFrames } from './reader.ts'
import type { TapeEnd } from './tape-end.ts'
import { openObject } from './tools.ts'

/**
 * When the frames of a tape without an end were recorded, up to `end`: exactly as its recorder would have told in the index, which verifiers
 * compare. Reads the last segment through, a chunk at a time; the ones before have their own index.
 */
export async function densityUpTo(store: Store, end: TapeEnd): Promise<Density> {
  const { id } = end.header.session
  const density = new Density()
  if (end.segment > 0) {
    const before = await indexFromFooter(await openObject(store, tapeKeys.segment(id, end.segment - 1)))
    // Bins are halves of each other's, so that their beginnings fall into the same ones.
    for (const [bin, count] of before?.density.counts.entries() ?? [])
      density.add(Array.from({ length: count }, () => bin * (before?.density.binUs ?? 0)))
  }
  const object = await openObject(store, tapeKeys.segment(id, end.segment))
  for (const [offset] of end.rows) {
    if (offset >= end.offset) break
    const record = await recordAt(object, offset)
    if (record === undefined) break
    density.add(chunkToFrames(decodeChunk(record.payload)).map(({ atUs }) => atUs))
  }
  return density
}

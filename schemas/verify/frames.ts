import { sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { CHUNK_FLAGS, HASH_SIZE, MARK_SIZE, type StoredChunk } from '../tape.ts'
import { decodeFrame, frameBounds } from '../tape-frame.ts'
import type { Problem } from '../verification.ts'
import type { LeafHasher, VerifyTools } from './tools.ts'
import { Tally } from './totals.ts'

export interface CheckedFrames {
  readonly problems: readonly Omit<Problem, 'object' | 'offset' | 'chunk'>[]
  /** Frames that are what the signed root says. */
  readonly good: number
  readonly tally: Tally
  readonly times: readonly number[]
}

/** Checks a chunk's frames against its header, which is taken as it is. Never throws on what the bytes hold. */
export async function checkFrames(
  chunk: StoredChunk,
  leaves: LeafHasher,
  recovered: boolean,
  tools: VerifyTools,
): Promise<CheckedFrames> {
  const { header } = chunk
  const range = header.count === 0 ? {} : { frames: [header.firstSeq, header.firstSeq + header.count - 1] as const }
  const tally = new Tally()
  const times: number[] = []
  const bad = (
    part: Problem['part'],
    what: string,
    where: { frame?: number; frames?: readonly [number, number] },
  ): CheckedFrames => ({
    problems: [{ verdict: 'INVALID', part, what, ...where }],
    good: 0,
    tally,
    times,
  })
  let raw: Uint8Array
  let bounds: number[]
  try {
    raw = await tools.decompress(chunk.codec, chunk.stored, header.rawSize)
    bounds = frameBounds(raw)
  } catch (error) {
    return bad('frames', told(error), range)
  }
  const count = bounds.length / 2
  if (count !== header.count) return bad('frames', `the chunk has ${count} frames, its header says ${header.count}`, range)
  const hashes = new Uint8Array(Math.max(1, count) * HASH_SIZE)
  let firstUnlike = -1
  for (let index = 0; index < count; index += 1) {
    const at = index * HASH_SIZE
    leaves.write(header.firstSeq + index, raw, bounds[index * 2] ?? 0, bounds[index * 2 + 1] ?? 0, hashes, at)
    const mark = index * MARK_SIZE
    const like = chunk.marks[mark] === hashes[at] && chunk.marks[mark + 1] === hashes[at + 1]
    if (!like && firstUnlike < 0) firstUnlike = index
  }
  if (!sameBytes(tools.merkleRoot(hashes, count), header.root)) {
    if (firstUnlike < 0) return bad('frames', 'the frames are not the ones that were signed', range)
    return bad('frames', 'the frame is not the one that was signed', { frame: header.firstSeq + firstUnlike })
  }
  const problems: Omit<Problem, 'object' | 'offset' | 'chunk'>[] = []
  if (firstUnlike >= 0)
    problems.push({
      verdict: 'INVALID',
      part: 'marks',
      what: 'the marks beside the frames were changed; the frames are unchanged',
    })
  let lastUs = header.firstUs
  for (let index = 0; index < count; index += 1) {
    const seq = header.firstSeq + index
    try {
      const frame = decodeFrame(raw, bounds[index * 2], bounds[index * 2 + 1])
      if (frame.seq !== seq) return bad('frames', `frame ${seq} says it is ${frame.seq}`, { frame: seq })
      if (frame.atUs < lastUs || frame.atUs > header.lastUs)
        return bad('frames', `frame ${seq} is out of its chunk's time`, { frame: seq })
      lastUs = frame.atUs
      times.push(frame.atUs)
      tally.add(frame, frame.facts, frame.body?.length ?? 0, frame.masks?.spans.length ?? 0)
    } catch (error) {
      return bad('frames', told(error), { frame: seq })
    }
  }
  if (tally.rows !== header.rows || tally.bodies !== header.bytes || tally.statements !== header.statements) {
    problems.push({ verdict: 'INVALID', part: 'chunk-header', what: 'the header’s sums are not those of its frames', ...range })
  }
  if (((header.flags & CHUNK_FLAGS.recovered) !== 0) !== recovered) {
    problems.push({
      verdict: 'INVALID',
      part: 'chunk-header',
      what: 'a recovered chunk and a recorded one changed places',
      ...range,
    })
  }
  return { problems, good: count, tally, times }
}

export function told(error: unknown): string {
  if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return error.message
  throw error
}

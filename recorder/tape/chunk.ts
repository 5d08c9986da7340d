import { setImmediate as nextTurn } from 'node:timers/promises'
import { isMainThread } from 'node:worker_threads'
import type { Entry, Facts } from '../../schemas/frame.ts'
import { CHUNK_FLAGS, CODECS, type Codec, FRAME_HEAD_SIZE, HASH_SIZE, type IndexRow, MARK_SIZE } from '../../schemas/tape.ts'
import { decodeFrame, frameBounds } from '../../schemas/tape-frame.ts'
import { Tally } from '../../schemas/verify/totals.ts'
import { compress } from './codec.ts'
import { FrameEncoder } from './frame-encoder.ts'
import { EpochKey } from './keys.ts'
import { type Leaves, merkleRoot, sha256 } from './merkle.ts'
import { pack } from './msgpack.ts'
import { encodeRecord } from './record.ts'

/** Hashed before the loop gets its turn: about 0.2 ms of small frames, or one large frame or two. */
const FRAMES_PER_TURN = 128
const BYTES_PER_TURN = 64 << 10

/** What `OpenChunk.mark` returns, to go back to when the frames after it could not be spooled. */
interface ChunkMark {
  readonly size: number
  readonly frames: number
}

/** What a chunk is made of. */
export interface ChunkSource {
  readonly firstSeq: number
  /** Frames, each behind its u32 size. */
  readonly raw: Uint8Array
  /** Where each ends in `raw`. */
  readonly ends: ArrayLike<number>
  /** Of the frames: the first and the last count. */
  readonly times: readonly number[]
  readonly tally: Pick<Tally, 'rows' | 'bodies' | 'statements'>
  readonly urgent: boolean
}

/** Frames about to become a chunk. */
export interface FrameBatch extends ChunkSource {
  readonly ends: readonly number[]
  readonly tally: Tally
}

/** Frames of one session on their way into a chunk. */
export class OpenChunk implements FrameBatch {
  readonly firstSeq: number
  /** performance.now() of the first frame. */
  readonly bornMs: number
  readonly encoder: FrameEncoder
  /** Ends of the frames in the encoder's bytes. */
  readonly ends: number[] = []
  readonly times: number[] = []
  tally = new Tally()
  urgent = false

  constructor(firstSeq: number, bornMs: number, sizeHint: number) {
    this.firstSeq = firstSeq
    this.bornMs = bornMs
    this.encoder = new FrameEncoder(sizeHint)
  }

  get size(): number {
    return this.encoder.size
  }

  get raw(): Uint8Array {
    return this.encoder.slice(0, this.encoder.size)
  }

  get nextSeq(): number {
    return this.firstSeq + this.ends.length
  }

  add(atUs: number, entry: Entry, facts: Facts, body: Uint8Array | null, spans: Uint8Array | null): void {
    this.encoder.write(this.nextSeq, atUs, entry, facts, body, spans)
    this.ends.push(this.encoder.size)
    this.times.push(atUs)
    this.tally.add(entry, facts, body?.length ?? 0, spans?.length ?? 0)
    const { verdict } = entry
    if (verdict !== null && (verdict.act === 'block' || verdict.act === 'hold')) this.urgent = true
  }

  mark(): ChunkMark {
    return { size: this.encoder.size, frames: this.ends.length }
  }

  /** Forgets the frames added since. */
  reset(mark: ChunkMark): void {
    this.encoder.truncate(mark.size)
    this.ends.length = mark.frames
    this.times.length = mark.frames
    // Added up anew, which is rare; keeping the sums for every append would not be.
    this.tally = new Tally()
    const bounds = frameBounds(this.raw)
    for (let index = 0; index < bounds.length; index += 2) {
      const frame = decodeFrame(this.raw, bounds[index], bounds[index + 1])
      this.tally.add(frame, frame.facts, frame.body?.length ?? 0, frame.masks?.spans.length ?? 0)
    }
  }
}

/** The running end of a session's chain: what the next signed thing refers to, and the key that signs it. */
export interface Chain {
  /** Next chunk's number. */
  n: number
  head: Uint8Array
  key: EpochKey
}

/** A chunk ready for the store. `row` lacks only its offset. */
export interface MadeChunk {
  readonly record: Uint8Array
  readonly header: Uint8Array
  readonly row: readonly [n: number, ...rest: number[]]
}

/** Hashes, signs and compresses; moves the chain on. Gives the event loop its turn in between; the chunk is not touched by others meanwhile. */
export async function makeChunk(
  chunk: ChunkSource,
  chain: Chain,
  leaves: Leaves,
  codec: Codec,
  flags: number,
): Promise<MadeChunk> {
  const { raw } = chunk
  const count = chunk.ends.length
  const [nextKey, packed, hashes] = await Promise.all([EpochKey.make(), compress(raw, codec), hashFrames(chunk, raw, leaves)])
  const marks = Buffer.allocUnsafe(count * MARK_SIZE)
  for (let index = 0; index < count; index += 1)
    hashes.copy(marks, index * MARK_SIZE, index * HASH_SIZE, index * HASH_SIZE + MARK_SIZE)
  const { tally } = chunk
  const firstUs = chunk.times[0] ?? 0
  const lastUs = chunk.times.at(-1) ?? 0
  const allFlags = flags | (chunk.urgent ? CHUNK_FLAGS.urgent : 0)
  const { n } = chain
  const header = pack([
    n,
    chunk.firstSeq,
    count,
    firstUs,
    lastUs,
    chain.head,
    merkleRoot(hashes, count),
    raw.length,
    tally.rows,
    tally.bodies,
    tally.statements,
    allFlags,
    nextKey.publicKey,
  ])
  const signature = chain.key.sign('chunk', header)
  chain.n += 1
  chain.head = sha256(Buffer.concat([header, signature]))
  chain.key = nextKey
  const headerSize = Buffer.alloc(4)
  headerSize.writeUInt32BE(header.length)
  const record = encodeRecord('chunk', [headerSize, header, signature, Buffer.of(CODECS[packed.codec]), marks, packed.stored])
  return {
    record,
    header,
    row: [n, chunk.firstSeq, count, firstUs, lastUs, raw.length, tally.rows, tally.bodies, tally.statements, allFlags],
  }
}

async function hashFrames(chunk: ChunkSource, raw: Uint8Array, leaves: Leaves): Promise<Buffer> {
  const count = chunk.ends.length
  const hashes = Buffer.allocUnsafe(Math.max(count, 1) * HASH_SIZE)
  let from = 0
  let turnFrom = 0
  for (let index = 0; index < count; index += 1) {
    const to = chunk.ends[index] ?? 0
    leaves.write(chunk.firstSeq + index, raw, from + FRAME_HEAD_SIZE, to, hashes, index * HASH_SIZE)
    from = to
    if (isMainThread && (index % FRAMES_PER_TURN === FRAMES_PER_TURN - 1 || to - turnFrom >= BYTES_PER_TURN)) {
      turnFrom = to
      await nextTurn()
    }
  }
  return hashes
}

export function indexRow(made: MadeChunk, offset: number): IndexRow {
  const [n, firstSeq = 0, count = 0, firstUs = 0, lastUs = 0, rawSize = 0, rows = 0, bytes = 0, statements = 0, flags = 0] =
    made.row
  return [offset, made.record.length, n, firstSeq, count, firstUs, lastUs, rawSize, rows, bytes, statements, flags]
}

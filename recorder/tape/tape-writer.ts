import type { ApplianceError } from '../../schemas/errors.ts'
import { type Summary, TAPE_VERSION } from '../../schemas/tape.ts'
import { Density } from '../../schemas/verify/density.ts'
import { MerkleStack } from '../../schemas/verify/merkle.ts'
import { Tally } from '../../schemas/verify/totals.ts'
import type { Seal } from '../recorder.ts'
import { sideThread } from '../side-thread.ts'
import { type MadeChunk, makeChunk, type OpenChunk } from './chunk.ts'
import { EpochKey } from './keys.ts'
import { Leaves, sha256 } from './merkle.ts'
import { pack } from './msgpack.ts'
import { isTakenOver, Outbox, recorderFailed } from './outbox.ts'
import { encodeRecord } from './record.ts'
import { makeSeal } from './seal.ts'
import { Segment } from './segment.ts'
import type { SessionParts } from './session-parts.ts'
import type { SpoolClaim } from './spool-slot.ts'

type Parts = Pick<
  SessionParts,
  | 'info'
  | 'spool'
  | 'slot'
  | 'store'
  | 'limits'
  | 'codec'
  | 'saltKey'
  | 'chain'
  | 'segment'
  | 'onLastTry'
  | 'onUnsealed'
  | 'onStored'
>

/** A chunk of this many bytes is made beside the event loop: what goes there and comes back costs as much as hashing half of it. */
const BESIDE_SIZE = 16 << 10

/**
 * What becomes of one session's chunks once they are closed, behind the release path: they are hashed, signed, compressed and brought to the
 * store, segment by segment and in order; in the end the tape is sealed.
 */
export class TapeWriter {
  readonly #parts: Parts
  readonly #onFailure: (error: ApplianceError) => ApplianceError
  readonly #leaves: Leaves
  readonly #outbox: Outbox
  readonly #density = new Density()
  readonly #tree = new MerkleStack(sha256)
  readonly #tally = new Tally()
  #segment: Segment
  #making: Promise<void> = Promise.resolve()
  /** Why a chunk was not made: the chain cannot go on over it. */
  #unmade: ApplianceError | undefined

  /** `onFailure`: the tape does not get any further; answers with what the session is told. */
  constructor(parts: Parts, onFailure: (error: ApplianceError) => ApplianceError) {
    this.#parts = parts
    this.#onFailure = onFailure
    this.#segment = parts.segment
    this.#leaves = new Leaves(parts.saltKey)
    this.#outbox = new Outbox(parts.store, parts.limits.patienceMs, onFailure)
  }

  /** A closed chunk, and the spool's bytes that are free once the store has it; then `stored` is called. */
  add(chunk: OpenChunk, claim: SpoolClaim, stored: () => void): void {
    this.#making = this.#making.then(() => this.#make(chunk, claim, stored))
  }

  /**
   * Ends the tape behind all that was added. Resolves when the store has it and `onSealed` is done; rejects where the end could not be
   * stored now: it is brought later, by `onUnsealed` or a recovery.
   */
  async seal(reason: string, atUs: number, onSealed: (seal: Seal, summary: Summary) => Promise<void>): Promise<Seal> {
    const { chain, spool, slot, info } = this.#parts
    await this.#making
    if (this.#unmade !== undefined) throw this.#unmade
    const totals = this.#tally.totals()
    const said = { id: info.id, reason, atUs, endedAt: new Date().toISOString(), totals }
    const { record, summary } = makeSeal(chain, this.#tree, said)
    this.#outbox.add(this.#segment.add(record), nothing)
    this.#outbox.add(await this.#segment.end(this.#density.result(), summary), nothing)
    const seal: Seal = { reason, frameCount: totals.frames, chunkCount: chain.n, root: summary.root }
    const bring = async (): Promise<void> => {
      await this.#outbox.flushed()
      await onSealed(seal, summary)
      spool.dismiss(slot)
    }
    const again = async (): Promise<void> => {
      this.#outbox.retry()
      await bring()
    }
    try {
      await bring()
    } catch (error) {
      if (isTakenOver(error)) throw error
      // One more try, with the bytes kept for it. If it fails too it is tried until the store is back, or recovery brings it.
      await this.#parts.onLastTry()
      await again().catch((failure: unknown) => {
        this.#parts.onUnsealed(again)
        throw failure
      })
    }
    return seal
  }

  async #make(chunk: OpenChunk, claim: SpoolClaim, stored: () => void): Promise<void> {
    if (this.#unmade !== undefined) return
    const { chain, limits } = this.#parts
    try {
      if (this.#segment.full(limits)) await this.#roll()
      const made = chunk.size < BESIDE_SIZE ? await this.#makeHere(chunk) : await this.#makeBeside(chunk)
      this.#tree.push(made.header)
      this.#tally.join(chunk.tally)
      this.#density.add(chunk.times)
      const point = { chunks: chain.n, frames: chunk.nextSeq, head: chain.head }
      this.#outbox.add(this.#segment.chunk(made), () => {
        this.#parts.onStored(point)
        this.#parts.spool.release(claim)
        stored()
      })
    } catch (error) {
      // The rest is left to recovery.
      this.#unmade = this.#onFailure(recorderFailed(error))
    }
  }

  async #makeHere(chunk: OpenChunk): Promise<MadeChunk> {
    const { chain, codec } = this.#parts
    const made = await makeChunk(chunk, chain, this.#leaves, codec, 0)
    chunk.encoder.recycle()
    return made
  }

  /** In the side thread, which has the chunk's memory meanwhile. */
  async #makeBeside(chunk: OpenChunk): Promise<MadeChunk> {
    const { chain, codec, saltKey } = this.#parts
    const { firstSeq, raw, ends, times, tally, urgent } = chunk
    const { rows, bodies, statements } = tally
    const source = {
      firstSeq,
      raw,
      ends: Uint32Array.from(ends),
      times: [times[0] ?? 0, times.at(-1) ?? 0],
      tally: { rows, bodies, statements },
      urgent,
    }
    const moved = raw.buffer instanceof ArrayBuffer ? [raw.buffer] : []
    const handed = { n: chain.n, head: chain.head, key: chain.key.hand() }
    const done = await sideThread.run('chunk', { source, chain: handed, saltKey, codec }, moved)
    chain.n = done.chain.n
    chain.head = done.chain.head
    chain.key = EpochKey.taken(done.chain.key)
    chunk.encoder.recycle(done.raw)
    return done.made
  }

  async #roll(): Promise<void> {
    const { chain, info } = this.#parts
    this.#outbox.add(await this.#segment.end(this.#density.result(), null), nothing)
    const number = this.#segment.number + 1
    const statement = pack({
      v: TAPE_VERSION,
      segment: number,
      id: info.id,
      prev: chain.head,
      chunk: chain.n,
      seq: this.#tally.frames,
    })
    chain.head = sha256(statement)
    this.#segment = new Segment(info.id, number, performance.now())
    this.#outbox.add(this.#segment.begin(encodeRecord('header', [pack([statement])])), nothing)
  }
}

/** Who waits for more is told by what comes behind it. */
const nothing = (): void => undefined

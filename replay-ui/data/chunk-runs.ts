import { ApplianceError } from '../../schemas/errors.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import type { VerifyTools } from '../../schemas/verify/tools.ts'
import { ChunkFrames } from './chunk-frames.ts'
import type { ChunkPlace } from './tape-map.ts'
import { readChunk } from './tape-reader.ts'
import type { ObjectApi } from './tape-source.ts'

/** Chunks kept unpacked: those a reader steps to and fro in. */
const KEPT_CHUNKS = 8
/** Asked for at once while chunks are read in order: one of a quiet session has a few hundred bytes, and a request takes as long for each. */
const MAX_RUN_SIZE = 1 << 20

/** Chunks as they are stored, one behind the other in one object. */
interface Run {
  readonly key: string
  readonly from: number
  readonly to: number
  /** The chunk behind it. */
  readonly next: number
  readonly bytes: Promise<Uint8Array>
}

/**
 * Reads a tape's chunks: one that is jumped to by a request of its own, those that are read one after the other by ever longer runs, the next
 * of which is on its way while one is looked at.
 */
export class ChunkRuns {
  readonly #api: Pick<ObjectApi, 'object'>
  readonly #tools: VerifyTools
  readonly #id: string
  readonly #kept = new Map<string, Promise<ChunkFrames | undefined>>()
  #run: Run | undefined
  #ahead: Run | undefined

  constructor(api: Pick<ObjectApi, 'object'>, tools: VerifyTools, id: string) {
    this.#api = api
    this.#tools = tools
    this.#id = id
  }

  /**
   * Chunk `index` of these; undefined where it cannot be read. Rejects where it cannot be had now. Those up to `last` are wanted next, and come
   * with it where they are not too much.
   */
  chunk(chunks: readonly ChunkPlace[], index: number, last = index): Promise<ChunkFrames | undefined> {
    const place = chunks[index]
    if (place === undefined) return Promise.resolve(undefined)
    const key = `${place.key} ${place.offset}`
    const known = this.#kept.get(key)
    if (known !== undefined) return known
    const [oldest] = this.#kept.keys()
    if (this.#kept.size >= KEPT_CHUNKS && oldest !== undefined) this.#kept.delete(oldest)
    const reading = this.#read(chunks, index, place, last).catch((error: unknown) => {
      if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
      this.#kept.delete(key)
      throw error
    })
    this.#kept.set(key, reading)
    return reading
  }

  async #read(chunks: readonly ChunkPlace[], index: number, place: ChunkPlace, last: number): Promise<ChunkFrames> {
    const { from, bytes } = this.#runWith(chunks, index, place, last)
    const stored = (await bytes).subarray(place.offset - from, place.offset + place.size - from)
    const { raw, bounds } = await readChunk({ object: () => Promise.resolve(stored) }, this.#tools, this.#id, place)
    return new ChunkFrames(raw, bounds)
  }

  #runWith(chunks: readonly ChunkPlace[], index: number, place: ChunkPlace, last: number): Run {
    const before = this.#run
    if (before !== undefined && holds(before, place)) return before
    const inOrder = before?.key === place.key && before.to === place.offset
    const size = Math.min(MAX_RUN_SIZE, Math.max(inOrder ? (before.to - before.from) * 2 : 0, sizeTo(place, chunks[last])))
    const run = this.#ahead !== undefined && holds(this.#ahead, place) ? this.#ahead : this.#fetch(chunks, index, size)
    this.#run = run
    this.#ahead = inOrder && chunks[run.next]?.offset === run.to ? this.#fetch(chunks, run.next, size) : undefined
    return run
  }

  /** That chunk, and those right behind it up to that size. */
  #fetch(chunks: readonly ChunkPlace[], index: number, size: number): Run {
    const { key = '', offset: from = 0 } = chunks[index] ?? {}
    let [next, to] = [index, from]
    for (;;) {
      const place = chunks[next]
      if (place?.key !== key || place.offset !== to || (next > index && to + place.size - from > size)) break
      to += place.size
      next += 1
    }
    const bytes = this.#api.object(this.#id, key.slice(tapeKeys.prefix(this.#id).length), { from, to })
    bytes.catch(() => {
      // Asked for again when it is read again. Whoever reads it now is told; of one that is only ahead nobody has to be.
      if (this.#run?.bytes === bytes) this.#run = undefined
      if (this.#ahead?.bytes === bytes) this.#ahead = undefined
    })
    return { key, from, to, next, bytes }
  }
}

/** From the beginning of one to the end of the other; 0 where they are not in one object. */
function sizeTo({ key, offset }: ChunkPlace, last: ChunkPlace | undefined): number {
  return last?.key === key ? Math.max(0, last.offset + last.size - offset) : 0
}

function holds(run: Run, { key, offset, size }: ChunkPlace): boolean {
  return run.key === key && offset >= run.from && offset + size <= run.to
}

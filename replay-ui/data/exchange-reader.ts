import { ApplianceError } from '../../schemas/errors.ts'
import { ChunkFrames } from './chunk-frames.ts'
import type { ExchangeIndex } from './exchanges.ts'
import type { TapeMap } from './tape-map.ts'
import type { TapeReader } from './tape-reader.ts'
import type { Tell } from './worker-messages.ts'

/** News are told together, at most this often. */
const TELL_EVERY_MS = 300

/** Reads a tape once, chunk by chunk, and goes on where it has grown. */
export class ExchangeReader {
  readonly #reader: Pick<TapeReader, 'chunk'>
  readonly #index: ExchangeIndex
  readonly #tell: (told: Extract<Tell, { tell: 'exchanges' }>) => void
  #nextSeq = 0
  /** One after another: each reads on where the one before ended. */
  #reading: Promise<void> = Promise.resolve()

  constructor(
    reader: Pick<TapeReader, 'chunk'>,
    index: ExchangeIndex,
    tell: (told: Extract<Tell, { tell: 'exchanges' }>) => void,
  ) {
    this.#reader = reader
    this.#index = index
    this.#tell = tell
  }

  /** Rejects what cannot be fetched; asked again, it reads on from there. What is damaged is passed over: it is marked where frames are shown. */
  async readOn(chunks: TapeMap['chunks']): Promise<void> {
    this.#reading = this.#reading.catch(() => undefined).then(() => this.#read(chunks))
    await this.#reading
  }

  async #read(chunks: TapeMap['chunks']): Promise<void> {
    let toldMs = performance.now()
    for (const [number, { firstSeq, count }] of chunks.entries()) {
      if (this.#index.full) break
      if (firstSeq + count <= this.#nextSeq) continue
      await this.#chunk(number)
      this.#nextSeq = firstSeq + count
      if (performance.now() - toldMs < TELL_EVERY_MS) continue
      this.#say(number + 1, chunks.length, false)
      toldMs = performance.now()
    }
    this.#say(chunks.length, chunks.length, true)
  }

  async #chunk(number: number): Promise<void> {
    try {
      const { raw, bounds } = await this.#reader.chunk(number)
      const frames = new ChunkFrames(raw, bounds)
      for (let at = 0; at < frames.count; at += 1) {
        const frame = frames.at(at)
        if (frame !== undefined && frame.seq >= this.#nextSeq) this.#index.push(frame)
      }
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
    }
  }

  #say(looked: number, of: number, done: boolean): void {
    this.#tell({ tell: 'exchanges', exchanges: this.#index.news(), looked, of, done, full: this.#index.full })
  }
}

import { ApplianceError } from '../../schemas/errors.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import { decodeChunk } from '../../schemas/tape-chunk.ts'
import { decodeHeader, decodeSeal, decodeStatement } from '../../schemas/tape-statement.ts'
import { scanSegment } from '../../schemas/verify/scan.ts'
import type { Store } from '../store/store.ts'
import { chunkToFrames, openTape } from '../tape/reader.ts'
import { openObject } from '../tape/tools.ts'
import type { Describers } from './describe.ts'
import { SessionDigest } from './digest.ts'

/** Chunks read at one go, so that one long tape does not keep the others waiting: about 4 MiB of frames. */
const CHUNKS_PER_STEP = 16

/** `more`: there is more to read now. `waiting`: read to the present end. `ended`: nothing will follow. */
export type Step = 'more' | 'waiting' | 'ended'

/** Reads one tape from its start as far as it is in the store, then whatever is added to it. Never reads a byte twice. */
export class TapeFollower {
  readonly id: string
  readonly #store: Store
  readonly #describers: Describers
  readonly #secret: string
  #segment = 0
  #offset = 0
  #digest: SessionDigest | undefined

  constructor(store: Store, id: string, { describers, secret }: { readonly describers: Describers; readonly secret: string }) {
    this.#store = store
    this.id = id
    this.#describers = describers
    this.#secret = secret
  }

  /** Undefined while the header has not been read. */
  get digest(): SessionDigest | undefined {
    return this.#digest
  }

  /** Reads on, some chunks. Rejects what the store rejects; may be called again then. */
  async step(signal?: AbortSignal): Promise<Step> {
    const step = await this.#step(signal)
    await (step === 'ended' ? this.#digest?.over() : this.#digest?.quiet())
    return step
  }

  async #step(signal: AbortSignal | undefined): Promise<Step> {
    const key = tapeKeys.segment(this.id, this.#segment)
    // The folder is there before the tape: its salt is written at the same moment.
    if (this.#offset === 0 && !(await this.#has(key))) return 'waiting'
    const object = await openObject(this.#store, key, signal)
    let closed = false
    if (object.size > this.#offset) {
      let chunks = 0
      for await (const piece of scanSegment(object, this.#offset)) {
        if (piece.kind === 'torn') break
        if (piece.kind === 'record') {
          if (piece.type === 'chunk') {
            this.#chunk(piece.payload)
            chunks += 1
          } else if (piece.type === 'header') this.#header(piece.payload)
          else if (piece.type === 'seal') this.#seal(piece.payload)
          this.#offset = piece.offset + piece.size
        } else if (piece.kind === 'footer') {
          closed = true
          this.#offset = object.size
        } else if (piece.kind === 'damage') this.#offset = piece.end
        if (chunks >= CHUNKS_PER_STEP) return 'more'
      }
    } else closed = this.#offset > 0
    // A tape without a header that can be read has nothing to be listed by.
    if (this.#digest === undefined) return 'waiting'
    if (this.#digest.state !== 'live') return 'ended'
    if (await this.#recovered(signal)) return 'ended'
    if (closed && (await this.#has(tapeKeys.segment(this.id, this.#segment + 1)))) {
      this.#segment += 1
      this.#offset = 0
      return 'more'
    }
    return 'waiting'
  }

  #header(payload: Uint8Array): void {
    const header = readable(() => decodeHeader(decodeStatement(payload).statement))
    if (header === undefined || !('session' in header) || this.#digest !== undefined || header.session.id !== this.id) return
    this.#digest = new SessionDigest(header, this.#describers[header.session.target.protocol]?.(), this.#secret)
  }

  /** What cannot be decoded is passed over: finding it out is verification's work, and the rest must still be found. */
  #chunk(payload: Uint8Array): void {
    const digest = this.#digest
    if (digest === undefined) return
    for (const frame of readable(() => chunkToFrames(decodeChunk(payload))) ?? []) digest.add(frame)
  }

  #seal(payload: Uint8Array): void {
    const seal = readable(() => decodeSeal(decodeStatement(payload).statement))
    if (seal !== undefined) this.#digest?.end('sealed', { reason: seal.reason, at: seal.endedAt, atUs: seal.atUs })
  }

  async #recovered(signal: AbortSignal | undefined): Promise<boolean> {
    if (!(await this.#has(tapeKeys.recovered(this.id)))) return false
    const { recovery, frames } = await openTape(this.#store, this.id, signal)
    if (recovery === undefined) return false
    for await (const frame of frames({ fromSeq: recovery.frames, onDamage: () => undefined }, signal)) {
      if (frame.recovered) this.#digest?.add(frame)
    }
    this.#digest?.end('incomplete', undefined, recovery)
    return true
  }

  async #has(key: string): Promise<boolean> {
    try {
      await this.#store.size(key)
      return true
    } catch (error) {
      if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return false
      throw error
    }
  }
}

/** Undefined for what is not as a tape has it. */
function readable<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'TAPE_MALFORMED') return undefined
    throw error
  }
}

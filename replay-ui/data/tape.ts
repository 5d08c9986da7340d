import type { TapeObject, Trust } from '../../schemas/api.ts'
import type { Frame } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { TapeVerification } from '../../schemas/verification.ts'
import type { BlobObject } from './blob-objects.ts'
import { ChunkFrames } from './chunk-frames.ts'
import type { Exchange } from './exchanges.ts'
import type { FrameFilter } from './filter.ts'
import { chunkAtTime, chunkOfFrame, type TapeMap } from './tape-map.ts'
import type { Ask, Tell } from './worker-messages.ts'

/** What of a worker this needs; tests hand in their own. */
export interface TapeWorker {
  postMessage(ask: Ask): void
  terminate(): void
  addEventListener(type: 'message', listener: (event: { readonly data: Tell }) => void): void
}

/** Chunks kept; the least recently looked at go first. */
const MAX_KEPT_SIZE = 64 << 20
/** Asked for beyond the chunk looked at, in the direction of play. */
const AHEAD = 2

/** After this, what could not be fetched is asked for again when it is looked at. */
const AGAIN_MS = 3_000

export type ChunkState = 'waiting' | 'good' | 'bad' | 'unattested'

export type Loaded =
  | { readonly state: 'loading' }
  | { readonly state: 'frames'; readonly frames: ChunkFrames }
  | { readonly state: 'damage'; readonly what: string }

export interface Found {
  readonly seqs: readonly number[]
  readonly looked: number
  readonly of: number
  readonly done: boolean
}

export interface Exchanges {
  readonly list: readonly Exchange[]
  readonly looked: number
  readonly of: number
  readonly done: boolean
  readonly full: boolean
}

/** A tape as the page has it: asks the worker, keeps what it tells, says when something changed. */
export class Tape {
  readonly #worker: TapeWorker
  readonly #newWorker: () => TapeWorker
  #verifier: TapeWorker | undefined
  #opened: Extract<Ask, { ask: 'open' }> | undefined
  readonly #changed: () => void
  readonly #chunks = new Map<number, Loaded>()
  readonly #waiting: ((chunk: number) => void)[] = []
  #keptSize = 0
  #search = 0
  map: TapeMap | undefined
  failed: { readonly code: string; readonly what: string } | undefined
  /** By number of chunk; verification goes from the first to the last. */
  readonly checked: ChunkState[] = []
  checkedFrames = 0
  verification: TapeVerification | undefined
  /** Verification could not be carried out at all: not a verdict. */
  unverified: string | undefined
  verifiedInMs = 0
  found: Found | undefined
  /** Put together where they were asked for. */
  exchanges: Exchanges | undefined
  /** Why they were not, or no further. */
  unlisted = ''

  constructor(newWorker: () => TapeWorker, changed: () => void) {
    this.#newWorker = newWorker
    this.#changed = changed
    this.#worker = this.#listened()
  }

  #listened(): TapeWorker {
    const worker = this.#newWorker()
    worker.addEventListener('message', ({ data }) => {
      this.#told(data)
      this.#changed()
    })
    return worker
  }

  /** `blobs`: the tape itself, where no server is asked for it. */
  open(id: string, origin: string, purpose: string, blobs?: readonly BlobObject[]): void {
    this.#opened = { ask: 'open', id, origin, purpose, ...(blobs === undefined ? {} : { blobs }) }
    this.#worker.postMessage(this.#opened)
  }

  grow(objects: readonly TapeObject[]): void {
    this.#worker.postMessage({ ask: 'grow', objects })
  }

  verify(trust: Trust): void {
    this.checked.length = 0
    this.checkedFrames = 0
    this.verification = undefined
    this.unverified = undefined
    // In a worker of its own: hashing a chunk takes as long as ten seeks, and none should wait for it.
    if (this.#verifier === undefined) {
      if (this.#opened === undefined) return
      this.#verifier = this.#listened()
      this.#verifier.postMessage({ ...this.#opened, only: 'verify' })
    }
    this.#verifier.postMessage({ ask: 'verify', trust })
  }

  find(filter: FrameFilter | null): void {
    this.#search += 1
    this.found = filter === null ? undefined : { seqs: [], looked: 0, of: this.map?.chunks.length ?? 0, done: false }
    this.#worker.postMessage({ ask: 'find', search: this.#search, filter })
  }

  /** Asks for its exchanges, or for those that have come since. */
  listExchanges(protocol: ProtocolName, target: string): void {
    this.unlisted = ''
    this.exchanges ??= { list: [], looked: 0, of: this.map?.chunks.length ?? 0, done: false, full: false }
    this.#worker.postMessage({ ask: 'exchanges', protocol, target })
  }

  close(): void {
    this.#worker.terminate()
    this.#verifier?.terminate()
  }

  /** The frame where it is here; else it is asked for, and `changed` tells when it has come. */
  frame(seq: number): Frame | undefined {
    const index = this.map === undefined ? -1 : chunkOfFrame(this.map, seq)
    const loaded = index < 0 ? undefined : this.#want(index)
    if (loaded?.state !== 'frames') return undefined
    return loaded.frames.at(seq - (this.map?.chunks[index]?.firstSeq ?? 0))
  }

  /** As `frame`, for the whole chunk; undefined where no chunk has it. */
  chunkWith(seq: number): Loaded | undefined {
    const index = this.map === undefined ? -1 : chunkOfFrame(this.map, seq)
    return index < 0 ? undefined : this.#want(index)
  }

  /** The last frame at or before that time, where its chunk is here. */
  frameAt(atUs: number): Frame | undefined {
    if (this.map === undefined) return undefined
    const loaded = this.#want(chunkAtTime(this.map, atUs))
    if (loaded.state !== 'frames') return undefined
    return loaded.frames.at(loaded.frames.indexAt(atUs))
  }

  /** Resolves with the frame once its chunk is here; undefined where it cannot be had. */
  async whenFrame(seq: number): Promise<Frame | undefined> {
    for (;;) {
      const loaded = this.chunkWith(seq)
      if (loaded?.state !== 'loading') return this.frame(seq)
      await new Promise<number>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** Asks for what will be looked at soon. */
  ahead(seq: number): void {
    if (this.map === undefined) return
    const index = chunkOfFrame(this.map, seq)
    for (let next = index + 1; next <= index + AHEAD && next < this.map.chunks.length; next += 1) this.#want(next)
  }

  #want(index: number): Loaded {
    const known = this.#chunks.get(index)
    if (known !== undefined) {
      // Moved to the end: the map's order is that of use.
      this.#chunks.delete(index)
      this.#chunks.set(index, known)
      return known
    }
    const loading: Loaded = { state: 'loading' }
    this.#chunks.set(index, loading)
    this.#worker.postMessage({ ask: 'chunk', index })
    this.#verifier?.postMessage({ ask: 'pause' })
    return loading
  }

  #told(told: Tell): void {
    switch (told.tell) {
      case 'map':
        this.#mapped(told.map)
        break
      case 'chunk':
        this.#keep(told.index, { state: 'frames', frames: new ChunkFrames(told.raw, told.bounds) })
        break
      case 'damage':
        this.#keep(told.index, { state: 'damage', what: told.what })
        if (told.again) setTimeout(() => this.#forget(told.index), AGAIN_MS)
        break
      case 'checked':
        for (const { n, count, state } of told.chunks) {
          this.checked[n] = state
          if (state === 'good') this.checkedFrames += count
        }
        break
      case 'verified':
        this.verification = told.verification
        this.verifiedInMs = told.tookMs
        break
      case 'found':
        if (told.search !== this.#search || this.found === undefined) break
        this.found = { ...told, seqs: told.seqs.length === 0 ? this.found.seqs : [...this.found.seqs, ...told.seqs] }
        break
      case 'exchanges': {
        const list = [...(this.exchanges?.list ?? [])]
        for (const one of told.exchanges) list[one.n] = one
        this.exchanges = { ...told, list }
        break
      }
      case 'failed':
        if (told.ask === 'verify') this.unverified = told.what
        else if (told.ask === 'exchanges') this.unlisted = told.what
        else if (told.ask === 'open') this.failed = { code: told.code, what: told.what }
        break
      default:
        told satisfies never
    }
  }

  #mapped(map: TapeMap): void {
    // The last chunk known may have been the last of all and is asked for again where it has grown or moved.
    const before = this.map?.chunks
    for (const index of this.#chunks.keys()) {
      const [was, is] = [before?.[index], map.chunks[index]]
      if (was?.key !== is?.key || was?.offset !== is?.offset) this.#chunks.delete(index)
    }
    this.map = map
  }

  #forget(index: number): void {
    if (this.#chunks.get(index)?.state !== 'damage') return
    this.#chunks.delete(index)
    this.#changed()
  }

  #keep(index: number, loaded: Loaded): void {
    this.#chunks.set(index, loaded)
    this.#keptSize += sizeOf(loaded)
    for (const [oldest, kept] of this.#chunks) {
      if (this.#keptSize <= MAX_KEPT_SIZE || oldest === index) break
      if (kept.state === 'loading') continue
      this.#chunks.delete(oldest)
      this.#keptSize -= sizeOf(kept)
    }
    for (const resolve of this.#waiting.splice(0)) resolve(index)
  }
}

function sizeOf(loaded: Loaded): number {
  return loaded.state === 'frames' ? loaded.frames.size + loaded.frames.count * 16 : 512
}

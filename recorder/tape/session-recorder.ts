import { ApplianceError } from '../../schemas/errors.ts'
import type { Entry, Masked } from '../../schemas/frame.ts'
import type { Durability, SessionId, SessionInfo } from '../../schemas/session.ts'
import { BULK_CHUNK_SIZE, CHUNK_RAW_SIZE, MAX_CHUNK_RAW_SIZE } from '../../schemas/tape.ts'
import { RECORDED, type Recorder, type Seal } from '../recorder.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { Backlog } from './backlog.ts'
import { OpenChunk } from './chunk.ts'
import { BULK_BUFFER, sizeAfter } from './frame-encoder.ts'
import { Lease } from './lease.ts'
import { recorderFailed } from './outbox.ts'
import type { SessionParts } from './session-parts.ts'
import { bodySize, type FramePart, fitsOneFrame, splitEntry } from './split.ts'
import { SPOOL_PIECE_SIZE } from './spool-record.ts'
import { TapeWriter } from './tape-writer.ts'

/** Up to this many bytes of bodies and spans an append is done within the call: a full read from a socket, masked all over. */
const AT_ONCE_SIZE = 256 << 10
/** A session that fills a chunk within this time is in bulk: its next one is closed at BULK_CHUNK_SIZE. */
const BULK_FILL_MS = 100
/** First buffer of a chunk; a session that says little keeps little. */
const SMALL_CHUNK = 4096

/**
 * One session's recorder: numbers and encodes entries, spools them before they are released, and closes chunks, which its TapeWriter
 * brings to the store behind the release path.
 */
export class SessionRecorder implements Recorder {
  readonly #parts: SessionParts
  readonly #writer: TapeWriter
  #chunk: OpenChunk | undefined
  #nextSeq = 0
  #lastUs = 0
  #sizeHint = SMALL_CHUNK
  #closeAt = CHUNK_RAW_SIZE
  readonly #backlog: Backlog
  readonly #acknowledgements: Acknowledgements
  #failure: ApplianceError | undefined
  /** The last append that has not resolved yet, if there is one: the next resolves after it. */
  #order: Promise<void> | undefined
  /** The last sync an append waited for and nothing else. */
  #synced: Promise<void> | undefined
  /** The last of those that could not be recorded within the call. */
  #slow: Promise<void> | undefined
  /** A frame is in the spool in part: its chunk must not be closed now. */
  #halfSpooled = false
  #sealing: Promise<Seal> | undefined
  #firstDone = false

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#backlog = new Backlog(parts.limits, parts.backlog)
    this.#acknowledgements = new Acknowledgements(new Lease(parts.heard))
    this.#writer = new TapeWriter(parts, (error) => this.#fail(error))
  }

  get id(): SessionId {
    return this.#parts.info.id
  }

  get info(): SessionInfo {
    return this.#parts.info
  }

  /** Number of the next frame: how many were accepted. */
  get nextSeq(): number {
    return this.#nextSeq
  }

  /** When the open chunk must be closed, on performance.now(); undefined while there is none. */
  get dueMs(): number | undefined {
    return this.#chunk === undefined ? undefined : this.#chunk.bornMs + this.#parts.limits.chunkAgeMs
  }

  /** What of it the store does not have yet, as `Backlog.waiting` says. */
  get waiting(): ReturnType<Backlog['waiting']> {
    return this.#backlog.waiting(this.#chunk?.bornMs)
  }

  // One look at the clock for all of it: looking costs as much as encoding a small frame.
  append(entries: readonly Masked<Entry>[], options?: { readonly durable?: boolean }, nowMs = performance.now()): Promise<void> {
    if (this.#sealing !== undefined)
      return Promise.reject(new ApplianceError('RECORDER_FAILED', `the tape of ${this.id} is sealed`))
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const durable = options?.durable === true || !this.#firstDone
    this.#firstDone = true
    let recorded: Promise<void> | undefined
    try {
      if (!this.#recordNow(entries, nowMs)) recorded = this.#recordLater(entries)
    } catch (error) {
      return Promise.reject(this.#fail(recorderFailed(error)))
    }
    if (recorded === undefined && durable) this.#close(true)
    const durability = this.#acknowledgements.doubtful(nowMs) ? 'blob' : this.#parts.info.durability
    if (recorded === undefined && !durable) {
      if (durability === 'process' && this.#order === undefined) return RECORDED
      if (durability === 'disk' && (this.#order === undefined || this.#order === this.#synced)) return this.#sync()
    }
    return this.#inOrder(this.#settle(recorded, durable, durability, this.#order))
  }

  /** Closes the open chunk when it is due. */
  closeDue(nowMs: number): void {
    if ((this.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs) this.#close(false)
  }

  seal(reason: string, last: readonly Masked<Entry>[] = []): Promise<Seal> {
    this.#sealing ??= this.#seal(reason, last)
    return this.#sealing
  }

  /** Everything in one go: true when all of it is in the spool. False, with nothing done, when it must wait or is too much for one go. */
  #recordNow(entries: readonly Entry[], nowMs: number): boolean {
    if (this.#slow !== undefined || bodySize(entries) > AT_ONCE_SIZE || this.#overBudget(nowMs)) return false
    const chunk = this.#open(nowMs)
    const mark = chunk.mark()
    try {
      for (const entry of entries) this.#encode(chunk, entry, nowMs)
      const size = chunk.size - mark.size
      if (size <= SPOOL_PIECE_SIZE && (size === 0 || this.#parts.spool.encoded(this.#parts.slot, chunk.encoder, mark.size))) {
        this.#spooled(chunk, size)
        return true
      }
    } catch (error) {
      chunk.reset(mark)
      throw error
    }
    chunk.reset(mark)
    return false
  }

  /** Frame by frame, waiting for spool and store, giving way to others between pieces. */
  async #recordSlowly(entries: readonly Entry[]): Promise<void> {
    try {
      for (const entry of entries) {
        for (const part of splitEntry(entry)) {
          while (this.#overBudget(performance.now())) await this.#backlog.change()
          if (this.#failure !== undefined) throw this.#failure
          const { chunk, mark } = this.#addLarge(entry, part)
          try {
            await this.#spool(chunk, mark.size)
          } catch (error) {
            chunk.reset(mark)
            throw error
          }
        }
      }
    } catch (error) {
      throw this.#fail(recorderFailed(error))
    }
  }

  async #spool(chunk: OpenChunk, from: number): Promise<void> {
    const { spool, slot } = this.#parts
    this.#halfSpooled = true
    try {
      for (let at = from; at < chunk.size; ) {
        const piece = chunk.encoder.slice(at, Math.min(at + SPOOL_PIECE_SIZE, chunk.size))
        if (spool.frames(slot, piece, at === from)) {
          at += piece.length
          if (at < chunk.size) await new Promise(setImmediate)
        } else await spool.room()
      }
    } finally {
      this.#halfSpooled = false
    }
    this.#spooled(chunk, chunk.size - from)
  }

  #spooled(chunk: OpenChunk, size: number): void {
    this.#backlog.add(size)
    this.#nextSeq = chunk.nextSeq
    if (chunk.size >= this.#closeAt || chunk.urgent) this.#close(false)
    else this.#closeForWaiting()
  }

  #recordLater(entries: readonly Entry[]): Promise<void> {
    const turn = (this.#slow ?? RECORDED).then(() => this.#recordSlowly(entries))
    this.#slow = turn
    const done = (): void => {
      if (this.#slow === turn) this.#slow = undefined
    }
    turn.then(done, done)
    return turn
  }

  /** The sync that serves this append: one promise for all that it serves, and syncs end in the order in which they begin. */
  #sync(): Promise<void> {
    const synced = this.#parts.spool.sync()
    if (synced === this.#synced) return synced
    this.#synced = synced
    this.#order = synced
    const done = (): void => {
      if (this.#order === synced) this.#order = undefined
    }
    synced.then(done, (error: unknown) => {
      this.#fail(recorderFailed(error))
      done()
    })
    return synced
  }

  /**
   * What is left to wait for: the recording where it is not done, the disk or the store where the level or the caller asks for
   * it, the append before.
   */
  async #settle(
    recorded: Promise<void> | undefined,
    durable: boolean,
    durability: Durability,
    before: Promise<void> | undefined,
  ): Promise<void> {
    if (recorded !== undefined) {
      await recorded
      if (durable) this.#close(true)
    }
    try {
      const stored = durability === 'blob' ? this.#stored() : undefined
      const synced = durable || durability === 'disk' ? this.#parts.spool.sync() : undefined
      if (stored !== undefined || synced !== undefined) await Promise.all([stored, synced])
    } catch (error) {
      throw this.#fail(recorderFailed(error))
    }
    await before
  }

  /** Resolves when the store has what is recorded by now. One chunk at a time is on its way; what comes meanwhile shares the next. */
  #stored(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const stored = this.#acknowledgements.upTo(this.#nextSeq)
    this.#closeForWaiting()
    return stored
  }

  #closeForWaiting(): void {
    if (this.#acknowledgements.wanted && !this.#backlog.moving) this.#close(false)
  }

  #inOrder(settled: Promise<void>): Promise<void> {
    this.#order = settled
    const done = (): void => {
      if (this.#order === settled) this.#order = undefined
    }
    settled.then(done, done)
    return settled
  }

  #open(nowMs: number): OpenChunk {
    if (this.#chunk === undefined) {
      this.#chunk = new OpenChunk(this.#nextSeq, nowMs, this.#sizeHint)
      this.#parts.onBusy(this)
    }
    return this.#chunk
  }

  /** Into the open chunk, or behind it where it would outgrow its buffer in bulk, or be more than readers take, facts being of any size. */
  #addLarge(entry: Entry, part: FramePart): { readonly chunk: OpenChunk; readonly mark: ReturnType<OpenChunk['mark']> } {
    const nowMs = performance.now()
    const known = (part.body?.length ?? 0) + (part.spans?.length ?? 0)
    const before = this.#chunk?.size ?? 0
    if (before > CHUNK_RAW_SIZE && before + known > BULK_BUFFER) this.#close(false)
    for (;;) {
      const chunk = this.#open(nowMs)
      const mark = chunk.mark()
      try {
        this.#add(chunk, entry, part, nowMs)
      } catch (error) {
        chunk.reset(mark)
        throw error
      }
      if (mark.size === 0 || chunk.size <= MAX_CHUNK_RAW_SIZE) return { chunk, mark }
      chunk.reset(mark)
      this.#close(false)
    }
  }

  #encode(chunk: OpenChunk, entry: Entry, nowMs: number): void {
    if (!fitsOneFrame(entry)) {
      for (const part of splitEntry(entry)) this.#add(chunk, entry, part, nowMs)
      return
    }
    const { facts, body, masks } = entry
    const atUs = this.#timeOf(nowMs)
    chunk.add(atUs, entry, facts, body, masks === null ? null : masks.spans)
    this.#lastUs = atUs
  }

  #add(chunk: OpenChunk, entry: Entry, { facts, body, spans }: FramePart, nowMs: number): void {
    const atUs = this.#timeOf(nowMs)
    chunk.add(atUs, entry, facts, body, spans)
    this.#lastUs = atUs
  }

  #timeOf(nowMs: number): number {
    return Math.max(this.#lastUs, Math.round((nowMs - this.#parts.bornMs) * 1000))
  }

  #overBudget(nowMs: number): boolean {
    if (this.#failure !== undefined || !this.#backlog.over(nowMs, this.#chunk?.bornMs)) return false
    // Nothing but a close brings the open chunk to the store.
    if (!this.#backlog.moving) this.#close(false)
    return this.#backlog.moving
  }

  #close(urgent: boolean): void {
    const chunk = this.#chunk
    if (chunk === undefined) return
    if (urgent) chunk.urgent = true
    if (this.#halfSpooled) return
    this.#chunk = undefined
    if (chunk.size === 0) return
    const bulk = chunk.size >= CHUNK_RAW_SIZE && performance.now() - chunk.bornMs < BULK_FILL_MS
    this.#closeAt = bulk ? BULK_CHUNK_SIZE : CHUNK_RAW_SIZE
    this.#sizeHint = bulk ? BULK_BUFFER : sizeAfter(chunk.size, SMALL_CHUNK)
    this.#backlog.close(chunk.bornMs)
    const { size, nextSeq } = chunk
    this.#writer.add(chunk, this.#parts.slot.take(), () => {
      this.#backlog.stored(size)
      this.#acknowledgements.stored(nextSeq)
      this.#closeForWaiting()
    })
  }

  async #seal(reason: string, last: readonly Masked<Entry>[]): Promise<Seal> {
    // What is still on its way resolves or rejects to its own caller.
    await this.#order?.catch(nothing)
    await this.#lastWords(last)
    this.#close(false)
    return this.#writer.seal(reason, this.#lastUs, (seal, summary) => this.#parts.onSealed(this, seal, summary))
  }

  /** Into the spool's reserve where there is no other room, and synced; where not even that works they still go to the store. */
  async #lastWords(entries: readonly Masked<Entry>[]): Promise<void> {
    const { spool, slot } = this.#parts
    for (const entry of entries) {
      for (const part of splitEntry(entry)) {
        const { chunk, mark } = this.#addLarge(entry, part)
        const from = mark.size
        try {
          for (let at = from; at < chunk.size; at += SPOOL_PIECE_SIZE) {
            if (!spool.frames(slot, chunk.encoder.slice(at, Math.min(at + SPOOL_PIECE_SIZE, chunk.size)), at === from, true))
              break
          }
        } catch (error) {
          this.#fail(recorderFailed(error))
        }
        this.#spooled(chunk, chunk.size - from)
      }
    }
    if (entries.length > 0) await spool.sync().catch((error: unknown) => this.#fail(recorderFailed(error)))
  }

  /** The first failure stays. */
  #fail(error: ApplianceError): ApplianceError {
    if (this.#failure === undefined) this.#parts.onFailed(this, error)
    this.#failure ??= error
    this.#backlog.giveUp()
    this.#acknowledgements.fail(this.#failure)
    return this.#failure
  }
}

/** For outcomes that somebody else is told. */
const nothing = (): void => undefined

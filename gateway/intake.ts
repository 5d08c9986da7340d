import type { Readable } from 'node:stream'
import { type ReadTaker, ReusedReads } from './reused-reads.ts'

/**
 * Read ahead of the gate by at most this much per socket. Two full socket reads keep a bulk stream busy; more would only
 * let one bulk session keep the event loop from the small queries of others.
 */
const MAX_AHEAD_BYTES = 128 * 1024

/** Passed on at once by one socket; then the others have their turn. About a millisecond of bulk results. */
const MAX_TURN_BYTES = 128 * 1024
/** As much while others say little things and wait for the answers: every one of these waits for a turn twice. */
const SHORT_TURN_BYTES = 16 * 1024
/** Short turns in a row without a word from the others, and turns are long again: some ten milliseconds. */
const SHORT_TURNS = 256
/** A socket whose chunks are larger than this on average is in bulk, and a reason for haste to nobody. */
const MIN_BULK_CHUNK = 4 * 1024

/** Chunks so far of all sockets that are not in bulk. */
let smallCount = 0

/**
 * The little things said in one conversation, in all its directions. They are no reason for haste to its own bulk: who moves a file asks for
 * its parts, or confirms them, in little messages all the time.
 */
export class Chatter {
  #small = 0

  said(): void {
    smallCount++
    this.#small++
  }

  /** It changes whenever somebody else says something small, whom bulk streams should not keep waiting. */
  get others(): number {
    return smallCount - this.#small
  }
}

/** Whoever takes an intake's chunks as they come. */
export interface Taker {
  /** Told of each chunk, the next one only once what is returned has resolved. What it throws or rejects with ends the flow. */
  take(chunk: Uint8Array): Promise<void> | undefined
  /** Whether nothing of all that was taken is needed any more, so that its memory may be used again. */
  done(): boolean
}

/**
 * One socket's incoming bytes, pulled or taken as they come. Unlike the stream's own iterator it goes on reading (up to a bound) while nobody
 * pulls, so that the far end's leaving is noticed while one of its messages is held, and it never destroys the socket.
 */
export class Intake {
  readonly #socket: Readable
  readonly #chunks: Uint8Array[] = []
  readonly #left = new AbortController()
  #bytes = 0
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined
  readonly #reads: ReusedReads | undefined
  #taker: Taker | undefined
  /** What the taker asked to be waited for, or failed with. */
  #waiting: Promise<void> | undefined
  #turnBytes = 0
  #turnChunks = 0
  #turnLimit = MAX_TURN_BYTES
  #shortTurns = 0
  #bulk = false
  readonly #chatter: Chatter
  #othersSeen: number
  #yielding = false
  #closed = false

  /** `chatter`: what it is a direction of, where there are more. */
  constructor(socket: Readable, chatter: Chatter = new Chatter()) {
    this.#socket = socket
    this.#chatter = chatter
    this.#othersSeen = chatter.others
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
    socket.on('error', this.#onError)
    this.#reads = ReusedReads.of(socket)
    if (this.#reads !== undefined) this.#reads.taker = this.#readTaker
    // A socket that was paused on purpose (by the intake before this one) does not flow again just because it is listened to.
    socket.resume()
    // What is over already is not announced again.
    if (socket.readableEnded || socket.destroyed) this.#onEnd()
  }

  /** Aborted as soon as the far end has closed its half or the connection is gone, even when bytes are still unread here. */
  get left(): AbortSignal {
    return this.#left.signal
  }

  /** What the socket broke with, if it did. */
  get error(): Error | undefined {
    return this.#error
  }

  /** The next bytes as they came off the socket; null at the end. Rejects with the socket's error. One caller at a time. */
  async next(): Promise<Uint8Array | null> {
    while (this.#chunks.length === 0) {
      if (this.#error !== undefined) throw this.#error
      if (this.#ended) return null
      await this.#stirred()
    }
    return this.#shift() ?? null
  }

  /**
   * Gives every chunk to `taker`, without a promise between socket and taker as long as it does not ask to be waited for.
   * Resolves at the end; rejects with the socket's error or the taker's.
   */
  async flow(taker: Taker): Promise<void> {
    for (;;) {
      for (let chunk = this.#shift(); chunk !== undefined; chunk = this.#shift()) await taker.take(chunk)
      if (this.#error !== undefined) throw this.#error
      if (this.#ended) return
      this.#taker = taker
      await this.#stirred()
      this.#taker = undefined
      if (this.#waiting !== undefined) {
        const waiting = this.#waiting
        this.#waiting = undefined
        await waiting
      }
    }
  }

  /** Stops listening, leaves the socket paused, and gives back what was read and not yet pulled (to be unshifted by whoever reads on). */
  close(): Uint8Array {
    this.#closed = true
    this.#socket.pause()
    if (this.#reads?.taker === this.#readTaker) this.#reads.taker = undefined
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
    const unread = Buffer.concat(this.#chunks.splice(0))
    this.#onEnd()
    return unread
  }

  readonly #onData = (chunk: Uint8Array): void => {
    if (!this.#give(chunk)) this.#keep(chunk)
  }

  /** As `#onData`, for memory that is used again. What is kept here is copied, so that only the taker's word counts. */
  readonly #readTaker: ReadTaker = {
    take: (bytes) => {
      const taker = this.#taker
      if (this.#give(bytes)) return this.#waiting === undefined && taker?.done() === true
      this.#keep(Buffer.from(bytes))
      return true
    },
    done: () => this.#waiting === undefined && this.#taker?.done() === true,
  }

  /** Whether the taker has it. */
  #give(chunk: Uint8Array): boolean {
    const taker = this.#taker
    if (taker === undefined || this.#chunks.length > 0) return false
    this.#turnBytes += chunk.length
    this.#turnChunks++
    if (!this.#bulk) this.#chatter.said()
    if (this.#turnBytes >= this.#turnLimit) this.#yield()
    try {
      this.#waiting = taker.take(chunk)
    } catch (error) {
      this.#waiting = Promise.reject(error)
    }
    if (this.#waiting !== undefined) {
      this.#taker = undefined
      this.#stir()
    }
    return true
  }

  #keep(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= MAX_AHEAD_BYTES) this.#socket.pause()
    this.#stir()
  }

  #shift(): Uint8Array | undefined {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return undefined
    this.#bytes -= chunk.length
    this.#resume()
    return chunk
  }

  /** Stops reading until everybody else has had a turn. */
  #yield(): void {
    this.#bulk = this.#turnBytes >= this.#turnChunks * MIN_BULK_CHUNK
    const { others } = this.#chatter
    if (others !== this.#othersSeen) this.#shortTurns = SHORT_TURNS
    else if (this.#shortTurns > 0) this.#shortTurns--
    this.#othersSeen = others
    this.#turnLimit = this.#shortTurns > 0 ? SHORT_TURN_BYTES : MAX_TURN_BYTES
    if (this.#reads !== undefined) this.#reads.limit = this.#turnLimit
    this.#turnBytes = 0
    this.#turnChunks = 0
    this.#yielding = true
    this.#socket.pause()
    setImmediate(() => {
      this.#yielding = false
      this.#resume()
    })
  }

  #resume(): void {
    if (this.#closed || this.#yielding || this.#bytes >= MAX_AHEAD_BYTES) return
    if (this.#socket.isPaused()) this.#socket.resume()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#left.abort()
    this.#stir()
  }

  // Stays on after close(): a socket without an error listener would take the process with it.
  readonly #onError = (error: Error): void => {
    this.#error ??= error
    this.#onEnd()
  }

  #stirred(): Promise<void> {
    return new Promise((wake) => {
      this.#wake = wake
    })
  }

  #stir(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

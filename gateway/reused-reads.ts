import { createConnection, type NetConnectOpts, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { roomyBuffer } from './head-room.ts'

/** What a session reads into while answers are small: few are larger, and a thousand idle sessions keep one each. */
const SMALL_SIZE = 8 * 1024
/**
 * While reads fill their buffer. More than what waits in a socket when it is read at the pace of PostgreSQL (about 70 KiB): a read that
 * does not fill its buffer is the last of its turn, while a full one is followed by another for the few bytes that came meanwhile.
 */
const LARGE_SIZE = 128 * 1024
/** So many small reads in a row, and the large buffer is given back. */
const SMALL_READS = 64
/** Large buffers kept for the next in bulk: 2 MiB per process. */
const MAX_POOLED = 16
/** Large buffers one connection waits for while what they hold is still needed; what exceeds them is left to the garbage collector. */
const MAX_HELD = 8

const pool: Uint8Array[] = []
const reads = new WeakMap<Readable, ReusedReads>()

export interface ReadTaker {
  /** Given what was just read; true when the bytes may be overwritten, false when they are still needed as they are. */
  take(bytes: Uint8Array): boolean
  /** Whether nothing of all that was taken is needed any more. */
  done(): boolean
}

/**
 * The reads of one connection, into memory that is used again. A new buffer for every read, as streams have it, costs a small
 * query several microseconds and a bulk result a third of its processor time, in garbage collection. Until somebody takes the
 * reads directly, they come out of the socket as usual, copied.
 */
export class ReusedReads {
  taker: ReadTaker | undefined
  /** The most one read takes. */
  limit = LARGE_SIZE
  readonly #held: Uint8Array[] = []
  #buffer: Uint8Array = Buffer.allocUnsafeSlow(SMALL_SIZE)
  #smallReads = 0

  static of(socket: Readable): ReusedReads | undefined {
    return reads.get(socket)
  }

  /** What the next read goes into. */
  get buffer(): Uint8Array {
    return this.#buffer.length > this.limit ? this.#buffer.subarray(0, this.limit) : this.#buffer
  }

  /** `buffer` holds a read of `size` bytes. False where the socket should stop reading. */
  came(size: number, socket: Socket): boolean {
    const buffer = this.#buffer
    const bytes = buffer.subarray(0, size)
    const { taker } = this
    // What came before goes first.
    if (taker === undefined || socket.readableLength > 0) return socket.push(Buffer.from(bytes))
    if (this.#held.length > 0 && taker.done()) for (const held of this.#held.splice(0)) giveBack(held)
    const free = taker.take(bytes)
    const small = size < SMALL_SIZE
    this.#smallReads = small ? this.#smallReads + 1 : 0
    const large = small ? buffer.length === LARGE_SIZE && this.#smallReads < SMALL_READS : true
    if (free && large === (buffer.length === LARGE_SIZE)) return true
    if (free) giveBack(buffer)
    else if (this.#held.length < MAX_HELD) this.#held.push(buffer)
    this.#buffer = large ? (pool.pop() ?? roomyBuffer(LARGE_SIZE)) : Buffer.allocUnsafeSlow(SMALL_SIZE)
    return true
  }
}

function giveBack(buffer: Uint8Array): void {
  if (buffer.length === LARGE_SIZE && pool.length < MAX_POOLED) pool.push(buffer)
}

/** A connection whose reads `ReusedReads.of` gives to whoever can use them at once. Not for TLS to be spoken over. */
export function connectReusing(options: NetConnectOpts): Socket {
  const own = new ReusedReads()
  const socket: Socket = createConnection({
    ...options,
    onread: { buffer: () => own.buffer, callback: (size) => own.came(size, socket) },
  })
  reads.set(socket, own)
  return socket
}

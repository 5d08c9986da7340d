import { ApplianceError } from '../../../schemas/errors.ts'
import type { Side } from '../../message.ts'
import { BACKEND, FRONTEND, HEADER_SIZE, int32 } from './messages.ts'

/**
 * A message up to this size is held until it is complete; a larger one that can be streamed (rows, COPY data) is passed
 * on in parts. Four socket reads: large enough that ordinary rows are always whole, small enough for a thousand sessions.
 */
export const MAX_WHOLE_BYTES = 256 * 1024

/** The longest message that cannot be streamed (statements, parameters, errors). Ten times the largest seen from real drivers. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024

/** PostgreSQL itself sends and takes nothing longer than 1 GiB; a longer length word is noise or an attack. */
export const MAX_STREAMED_BYTES = 1024 * 1024 * 1024

const STREAMED: Readonly<Record<Side, ReadonlySet<number>>> = {
  client: new Set<number>([FRONTEND.copyData]),
  server: new Set<number>([BACKEND.dataRow, BACKEND.copyData]),
}
const KNOWN: Readonly<Record<Side, ReadonlySet<number>>> = {
  client: new Set<number>(Object.values(FRONTEND)),
  server: new Set<number>(Object.values(BACKEND)),
}

/** A stretch of bytes: a whole message, or one part of a streamed one. Offsets are into `Cut.bytes`. */
export interface Piece {
  readonly type: number
  readonly part: 'whole' | 'first' | 'middle' | 'last'
  readonly from: number
  readonly to: number
}

export interface Cut {
  readonly bytes: Uint8Array
  readonly pieces: readonly Piece[]
}

/** Cuts one direction's bytes into messages. Copies only what a read left incomplete. Dead after it threw. */
export class Splitter {
  readonly #side: Side
  /** The incomplete message at the end of the last read, in the reads it came in; joined once, when complete. */
  #tail: Uint8Array[] = []
  #tailSize = 0
  /** How much the tail needs before looking again is worth it. */
  #needed = HEADER_SIZE
  /** The streamed message under way. */
  #streaming: { readonly type: number; left: number } | undefined
  #dead: ApplianceError | undefined

  constructor(side: Side) {
    this.#side = side
  }

  push(chunk: Uint8Array): Cut {
    if (this.#dead !== undefined) throw this.#dead
    if (this.#tailSize > 0) {
      this.#tail.push(chunk)
      this.#tailSize += chunk.length
      if (this.#tailSize < this.#needed) return { bytes: chunk, pieces: [] }
      chunk = Buffer.concat(this.#tail, this.#tailSize)
      this.#tail = []
      this.#tailSize = 0
    }
    const pieces: Piece[] = []
    let at = 0
    if (this.#streaming !== undefined) at = this.#stream(chunk, 0, pieces, 'middle')
    while (chunk.length - at >= HEADER_SIZE) {
      const type = chunk[at] ?? 0
      const size = 1 + this.#length(type, chunk, at)
      if (size > MAX_WHOLE_BYTES && chunk.length - at < size && STREAMED[this.#side].has(type)) {
        this.#streaming = { type, left: size }
        at = this.#stream(chunk, at, pieces, 'first')
        continue
      }
      if (chunk.length - at < size) {
        this.#keep(chunk, at, size)
        return { bytes: chunk, pieces }
      }
      pieces.push({ type, part: 'whole', from: at, to: at + size })
      at += size
    }
    if (at < chunk.length) this.#keep(chunk, at, HEADER_SIZE)
    return { bytes: chunk, pieces }
  }

  #keep(chunk: Uint8Array, at: number, needed: number): void {
    // A copy, so that a few bytes do not keep a whole read alive.
    this.#tail = [Uint8Array.from(chunk.subarray(at))]
    this.#tailSize = chunk.length - at
    this.#needed = needed
  }

  #stream(chunk: Uint8Array, at: number, pieces: Piece[], part: 'first' | 'middle'): number {
    const streaming = this.#streaming
    if (streaming === undefined) return at
    const take = Math.min(streaming.left, chunk.length - at)
    streaming.left -= take
    const last = streaming.left === 0
    if (last) this.#streaming = undefined
    if (take > 0) pieces.push({ type: streaming.type, part: last ? 'last' : part, from: at, to: at + take })
    return at + take
  }

  /** The length word at `at`, checked: it counts itself, so 4 is the least. */
  #length(type: number, bytes: Uint8Array, at: number): number {
    if (!KNOWN[this.#side].has(type))
      throw this.#die('PROTOCOL_MALFORMED', `unknown ${this.#side} message type 0x${type.toString(16)}`)
    const length = int32(bytes, at + 1)
    const limit = STREAMED[this.#side].has(type) ? MAX_STREAMED_BYTES : MAX_MESSAGE_BYTES
    if (length < 4) throw this.#die('PROTOCOL_MALFORMED', `message length ${length}; the least is 4`)
    if (length > limit) throw this.#die('PROTOCOL_OVERSIZE', `${this.#side} message of ${length} bytes; limit ${limit}`)
    return length
  }

  #die(code: 'PROTOCOL_MALFORMED' | 'PROTOCOL_OVERSIZE', what: string): ApplianceError {
    this.#dead = new ApplianceError(code, what)
    return this.#dead
  }
}

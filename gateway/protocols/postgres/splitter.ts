import { ApplianceError } from '../../../schemas/errors.ts'
import { putBefore } from '../../head-room.ts'
import type { Side } from '../../message.ts'
import { BACKEND, FRONTEND, HEADER_SIZE, int32, uint16 } from './messages.ts'

/**
 * A message up to this size is held until it is complete; a larger one that can be streamed (rows, COPY data) is passed
 * on in parts. Four socket reads: large enough that ordinary rows are always whole, small enough for a thousand sessions.
 */
export const MAX_WHOLE_BYTES = 256 * 1024

/** The longest message that cannot be streamed (statements, parameters, errors). Ten times the largest seen from real drivers. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024

/** PostgreSQL itself sends and takes nothing longer than 1 GiB; a longer length word is noise or an attack. */
export const MAX_STREAMED_BYTES = 1024 * 1024 * 1024

/** From this size on, a read is worth more than a copy of it to join it to the few bytes before; below, one message less is worth more. */
const MIN_READ_KEPT = 8 * 1024

const UNKNOWN = 0
const KNOWN = 1
/** May be passed on in parts; what the server sends of these in a row is one piece. */
const STREAMED = 2

/** By type byte. */
const KINDS: Readonly<Record<Side, Uint8Array>> = {
  client: kindsOf(Object.values(FRONTEND), [FRONTEND.copyData]),
  server: kindsOf(Object.values(BACKEND), [BACKEND.dataRow, BACKEND.copyData]),
}

function kindsOf(known: readonly number[], streamed: readonly number[]): Uint8Array {
  const kinds = new Uint8Array(256)
  for (const type of known) kinds[type] = KNOWN
  for (const type of streamed) kinds[type] = STREAMED
  return kinds
}

/**
 * A stretch of bytes: a whole message, a run of whole rows (of as many columns each) or lines that the server sent, or one part
 * of a streamed message. Offsets are into `Cut.bytes`.
 */
export interface Piece {
  readonly type: number
  readonly part: 'whole' | 'first' | 'middle' | 'last'
  readonly from: number
  readonly to: number
  /** Messages in it. */
  readonly count: number
}

export interface Cut {
  readonly bytes: Uint8Array
  readonly pieces: readonly Piece[]
}

const NONE: readonly Cut[] = []

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

  /**
   * The messages this read completed; in two cuts where the first of them began in an earlier read and there is no room for it
   * before this one, as joining all would copy all.
   */
  push(chunk: Uint8Array): readonly Cut[] {
    if (this.#dead !== undefined) throw this.#dead
    if (this.#tailSize === 0) return this.#cut(chunk, 0, NONE)
    this.#tailSize += chunk.length
    if (this.#tailSize < this.#needed) {
      this.#tail.push(Uint8Array.from(chunk))
      return NONE
    }
    const joined = putBefore(chunk, this.#tail, this.#tailSize - chunk.length)
    if (joined !== undefined) {
      this.#tail = []
      this.#tailSize = 0
      return this.#cut(joined, 0, NONE)
    }
    this.#tail.push(chunk)
    const tail = this.#tail
    const size = this.#tailSize
    const before = size - chunk.length
    this.#tail = []
    this.#tailSize = 0
    if (this.#side === 'server' && chunk.length >= MIN_READ_KEPT) {
      const [begun] = tail
      const head = begun !== undefined && begun.length >= HEADER_SIZE ? begun : Buffer.concat(tail, HEADER_SIZE)
      const first = 1 + this.#length(head[0] ?? 0, head, 0)
      if (first <= size) {
        const piece: Piece = { type: head[0] ?? 0, part: 'whole', from: 0, to: first, count: 1 }
        return this.#cut(chunk, first - before, [{ bytes: Buffer.concat(tail, first), pieces: [piece] }])
      }
    }
    return this.#cut(Buffer.concat(tail, size), 0, NONE)
  }

  #cut(chunk: Uint8Array, from: number, before: readonly Cut[]): readonly Cut[] {
    const pieces: Piece[] = []
    const kinds = KINDS[this.#side]
    const end = chunk.length
    let at = from
    if (this.#streaming !== undefined) at = this.#stream(chunk, at, pieces, 'middle')
    while (end - at >= HEADER_SIZE) {
      const type = chunk[at] ?? 0
      const size = 1 + this.#length(type, chunk, at)
      const streamed = kinds[type] === STREAMED
      if (end - at < size) {
        if (streamed && size > MAX_WHOLE_BYTES) {
          this.#streaming = { type, left: size }
          at = this.#stream(chunk, at, pieces, 'first')
          continue
        }
        this.#keep(chunk, at, size)
        at = end
        break
      }
      const start = at
      let count = 1
      at += size
      if (streamed && this.#side === 'server') {
        // What is not plainly one more of the same is left to the loop around.
        const columns = type === BACKEND.dataRow ? uint16(chunk, start + HEADER_SIZE) : -1
        // Made for more than one only: it reads a row's length in one step, and costs as much as a few rows.
        let view: DataView | undefined
        while (end - at > HEADER_SIZE + 1 && chunk[at] === type) {
          view ??= new DataView(chunk.buffer, chunk.byteOffset, end)
          const length = view.getInt32(at + 1)
          if (length < 4 || length >= end - at) break
          if (columns >= 0 && view.getUint16(at + HEADER_SIZE) !== columns) break
          at += 1 + length
          count++
        }
      }
      pieces.push({ type, part: 'whole', from: start, to: at, count })
    }
    if (at < end) this.#keep(chunk, at, HEADER_SIZE)
    if (pieces.length === 0) return before
    const cut: Cut = { bytes: chunk, pieces }
    return before.length === 0 ? [cut] : [...before, cut]
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
    if (take > 0) pieces.push({ type: streaming.type, part: last ? 'last' : part, from: at, to: at + take, count: 1 })
    return at + take
  }

  /** The length word at `at`, checked: it counts itself, so 4 is the least. */
  #length(type: number, bytes: Uint8Array, at: number): number {
    const kind = KINDS[this.#side][type]
    if (kind === UNKNOWN) throw this.#die('PROTOCOL_MALFORMED', `unknown ${this.#side} message type 0x${type.toString(16)}`)
    const length = int32(bytes, at + 1)
    const limit = kind === STREAMED ? MAX_STREAMED_BYTES : MAX_MESSAGE_BYTES
    if (length < 4) throw this.#die('PROTOCOL_MALFORMED', `message length ${length}; the least is 4`)
    if (length > limit) throw this.#die('PROTOCOL_OVERSIZE', `${this.#side} message of ${length} bytes; limit ${limit}`)
    return length
  }

  #die(code: 'PROTOCOL_MALFORMED' | 'PROTOCOL_OVERSIZE', what: string): ApplianceError {
    this.#dead = new ApplianceError(code, what)
    return this.#dead
  }
}

import { ApplianceError } from '../../../../schemas/errors.ts'
import type { ReadPlan } from './content.ts'
import type { OpenFile } from './open-file.ts'
import { LENGTH_SIZE, packet, STATUS, statusPacket, TYPE } from './packets.ts'

/** Of one channel: what has come and waits for what stands before it. A client that asks for a whole file at once has as much on its way. */
const MAX_HELD_SIZE = 32 * 1024 * 1024
/** Length, type, id, size of the data. */
const HEAD_SIZE = LENGTH_SIZE + 1 + 4 + 4
const EMPTY = new Uint8Array()

/** One read of a client, until it is answered. */
export class Read {
  readonly is = 'read'
  readonly id: number
  readonly file: OpenFile
  readonly plan: ReadPlan
  readonly handle: string
  /** The target's word in the place of data. */
  status: Buffer | undefined
  /** Nothing more comes, as the file has no more. */
  ended = false
  /** The rest is on its way. */
  asking = false
  size = 0
  #only: Buffer | undefined
  #parts: Uint8Array[] = []

  constructor(parts: { readonly id: number; readonly file: OpenFile; readonly plan: ReadPlan; readonly handle: string }) {
    this.id = parts.id
    this.file = parts.file
    this.plan = parts.plan
    this.handle = parts.handle
  }

  /** `whole`: the packet, in which the data stands. */
  push(whole: Buffer, data: Uint8Array): void {
    this.#only = this.size === 0 ? whole : undefined
    this.#parts.push(data)
    this.size += data.length
  }

  /** What of it lies in memory that is used again is copied. */
  keep(): void {
    const whole = this.#only
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)]
    if (whole === undefined || whole.buffer.byteLength === whole.length) return
    this.#only = Buffer.from(whole)
    this.#parts = [this.#only.subarray(HEAD_SIZE)]
  }

  /** The answer as one packet, and the data in it. */
  packet(): { readonly packet: Buffer; readonly data: Uint8Array } {
    const [first] = this.#parts
    if (this.#only !== undefined && first !== undefined) return { packet: this.#only, data: first }
    const joined = packet(TYPE.data, this.id, Buffer.concat(this.#parts))
    return { packet: joined, data: joined.subarray(HEAD_SIZE) }
  }

  /** data[from, to), as far as it is there. */
  stretch(from: number, to: number): Uint8Array {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)]
    return this.#parts[0]?.subarray(from, to) ?? EMPTY
  }
}

/** A read that can be answered, and what is known of the file behind it. */
export interface Answered {
  readonly read: Read
  readonly ahead: Uint8Array
}

/**
 * The answers to the reads of one channel, those of a file in the order of its reads. What a target gives less of than it was asked for is asked for again,
 * but for what the next read has asked for already: where a value is cut, what follows it is always there.
 */
export class Reads {
  /** As much as the target gives at once where the file has it, as it says (limits@openssh.com). */
  limit: number | undefined
  #heldSize = 0

  /** `asked`: how much of it. Throws PROTOCOL_OVERSIZE. */
  data(read: Read, whole: Buffer, data: Uint8Array, asked: number): void {
    read.asking = false
    read.push(whole, data)
    this.#heldSize += data.length
    if (this.#heldSize > MAX_HELD_SIZE)
      throw new ApplianceError('PROTOCOL_OVERSIZE', `the target answers so out of turn that ${MAX_HELD_SIZE} bytes would wait`)
    if (data.length === 0 || (this.limit !== undefined && data.length < Math.min(asked, this.limit))) read.ended = true
  }

  /** The target's word in the place of data, or of the rest: the file has no more, or something is wrong with it. */
  status(read: Read, bytes: Buffer, code: number): void {
    read.asking = false
    if (read.size === 0) read.status = Buffer.from(bytes)
    else if (code === STATUS.eof) read.ended = true
    // Nobody can tell what stands behind it.
    else read.status = statusPacket(read.id, code, 'sallyport: the target did not give what stands behind it')
  }

  /** What can be answered now; `ask` is told of reads whose rest has to be asked for. */
  *answered({ reads }: OpenFile, ask: (read: Read, offset: number, length: number) => void): Generator<Answered> {
    for (let read = reads[0]; read !== undefined; read = reads[0]) {
      const ahead = read.status === undefined ? aheadOf(read, reads[1]) : EMPTY
      if (ahead === undefined) break
      reads.shift()
      this.#heldSize -= read.size
      yield { read, ahead }
    }
    for (const [index, read] of reads.entries()) {
      if (read.size === 0) continue
      read.keep()
      if (read.ended || read.asking || (hasContent(read) && (index > 0 || isNext(read, reads[1])))) continue
      read.asking = true
      ask(read, read.plan.offset + read.size, read.plan.length - read.size)
    }
  }
}

/** What of the next read stands where this one has not come to; undefined where more has to come. */
function aheadOf(read: Read, next: Read | undefined): Uint8Array | undefined {
  const lacking = read.plan.length - read.size
  if (lacking <= 0 || read.ended) return EMPTY
  if (read.size === 0 || !hasContent(read) || next === undefined || !isNext(read, next)) return undefined
  if (next.status !== undefined) return EMPTY
  const from = read.plan.offset + read.size - next.plan.offset
  return next.size >= from + lacking || next.ended ? next.stretch(from, from + lacking) : undefined
}

/** Whether all that the client asked for is there. */
function hasContent({ plan, size }: Read): boolean {
  return plan.offset + size >= plan.to
}

/** Whether the next goes on where this one ends, and will tell what stands behind it. */
function isNext({ plan }: Read, next: Read | undefined): boolean {
  return next !== undefined && next.plan.offset === plan.to && next.plan.length >= plan.length - (plan.to - plan.offset)
}

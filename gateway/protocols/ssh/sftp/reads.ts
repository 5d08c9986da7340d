import { ApplianceError } from '../../../../schemas/errors.ts'
import { MAX_READ_SIZE, type ReadPlan } from './content.ts'
import type { OpenFile } from './open-file.ts'
import { LENGTH_SIZE, STATUS, statusPacket } from './packets.ts'

/** Of one channel: what has come and waits for what stands before it. A client that asks for a whole file at once has as much on its way. */
const MAX_HELD_SIZE = 32 * 1024 * 1024
/** Length, type, id, size of the data. */
export const HEAD_SIZE = LENGTH_SIZE + 1 + 4 + 4
const NOTHING = Buffer.alloc(HEAD_SIZE)
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
  /** Nothing more comes: all that was asked for is there, or the file has no more. */
  ended = false
  /** The rest is on its way. */
  asking = false
  /** All that came, as one packet: behind a head, which is the first that came. */
  packet: Buffer = NOTHING
  #kept = false

  constructor(parts: { readonly id: number; readonly file: OpenFile; readonly plan: ReadPlan; readonly handle: string }) {
    this.id = parts.id
    this.file = parts.file
    this.plan = parts.plan
    this.handle = parts.handle
  }

  /** Of the data. */
  get size(): number {
    return this.packet.length - HEAD_SIZE
  }

  /** Of what is not there, so much can be asked for at once. */
  get askable(): number {
    return Math.min(this.plan.length - this.size, MAX_READ_SIZE)
  }

  get data(): Uint8Array {
    return this.packet.subarray(HEAD_SIZE)
  }

  /** `packet`: as it came, the data behind its head. What is more than was asked for is left out. */
  push(packet: Buffer, data: Uint8Array): void {
    const size = Math.min(data.length, this.plan.length - this.size)
    this.#kept = this.size > 0
    this.packet = this.#kept ? Buffer.concat([this.packet, data.subarray(0, size)]) : packet.subarray(0, HEAD_SIZE + size)
  }

  /** What waits holds no more memory than its own, or little more: copied once where it is a view of something larger. */
  keep(): void {
    if (this.#kept) return
    this.#kept = true
    if (this.packet.buffer.byteLength > 2 * this.packet.length) this.packet = Buffer.from(this.packet)
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
  #left = false
  #waiting: PromiseWithResolvers<void> | undefined

  /** `asked`: how much of it. Throws PROTOCOL_OVERSIZE. */
  data(read: Read, whole: Buffer, data: Uint8Array, asked: number): void {
    read.asking = false
    this.#heldSize -= read.size
    read.push(whole, data)
    this.#heldSize += read.size
    if (this.#heldSize > MAX_HELD_SIZE)
      throw new ApplianceError('PROTOCOL_OVERSIZE', `the target answers so out of turn that ${MAX_HELD_SIZE} bytes would wait`)
    const last = data.length === 0 || (this.limit !== undefined && data.length < Math.min(asked, this.limit))
    if (last || read.size === read.plan.length) read.ended = true
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
    if (reads.length === 0) this.#wake()
    const [first, second] = reads
    // What the first waits for: its own rest, or what the second has of it.
    const awaited = first !== undefined && hasContent(first) && isNext(first, second) ? second : first
    for (const read of reads) {
      if (read.size === 0) continue
      read.keep()
      if (read.status !== undefined || read.ended || read.asking || (hasContent(read) && read !== awaited)) continue
      read.asking = true
      ask(read, read.plan.offset + read.size, read.askable)
    }
  }

  /** Undefined once every read of the file is answered, or none is any more; else resolves when that may be. */
  pending({ reads }: OpenFile): Promise<void> | undefined {
    if (this.#left || reads.length === 0) return undefined
    this.#waiting ??= Promise.withResolvers()
    return this.#waiting.promise
  }

  /** The target answers nothing any more. */
  leave(): void {
    this.#left = true
    this.#wake()
  }

  #wake(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

/** What of the next read stands where this one has not come to; undefined where more has to come. */
function aheadOf(read: Read, next: Read | undefined): Uint8Array | undefined {
  if (read.ended) return EMPTY
  if (read.asking || !hasContent(read) || !isNext(read, next)) return undefined
  if (next.status !== undefined) return EMPTY
  const from = read.plan.offset + read.size - next.plan.offset
  const to = read.plan.offset + read.plan.length - next.plan.offset
  return next.size >= to || next.ended ? next.data.subarray(from, to) : undefined
}

/** Whether all that the client asked for is there. */
function hasContent({ plan, size }: Read): boolean {
  return size > 0 && plan.offset + size >= plan.to
}

/** Whether the next goes on where this one ends: it tells what stands behind it, as every read does that is asked for what stands behind its own. */
function isNext({ plan }: Read, next: Read | undefined): next is Read {
  return next?.plan.offset === plan.to
}

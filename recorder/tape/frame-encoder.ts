import { ApplianceError } from '../../schemas/errors.ts'
import type { Entry, Facts } from '../../schemas/frame.ts'
import { BULK_CHUNK_SIZE, CHUNK_RAW_SIZE, DIRS, FRAME_HEAD_SIZE, MAX_FRAME_SIZE } from '../../schemas/tape.ts'
import { SPOOL_PIECE_SIZE } from './spool-record.ts'

/** Strings up to this many units are written by hand while they are ASCII: quicker than a call into V8. */
const SHORT_STRING = 24
/** Room for the array's head, seq, time, dir, channel and the heads of the rest. */
const FIXED_ROOM = 96

/** A full chunk and a read's worth more, masked all over. Fresh ones cost page faults and garbage collection, a tenth of bulk recording. */
const LARGE_BUFFER = CHUNK_RAW_SIZE + SPOOL_PIECE_SIZE
export const BULK_BUFFER = BULK_CHUNK_SIZE + SPOOL_PIECE_SIZE
/** 16 MiB and 18 MiB per process, for as many sessions at once. */
const POOLS: ReadonlyMap<number, { readonly count: number; readonly buffers: Buffer[] }> = new Map([
  [LARGE_BUFFER, { count: 32, buffers: [] }],
  [BULK_BUFFER, { count: 8, buffers: [] }],
])
const NO_BYTES = Buffer.alloc(0)
const IN = DIRS.indexOf('in')
const OUT = DIRS.indexOf('out')
const NOTE = DIRS.indexOf('note')

function take(size: number): Buffer {
  return POOLS.get(size)?.buffers.pop() ?? Buffer.allocUnsafeSlow(size)
}

/** The buffer a chunk begins with behind one of `size` bytes; `small` where that was none to speak of. */
export function sizeAfter(size: number, small: number): number {
  return size > LARGE_BUFFER ? BULK_BUFFER : size > CHUNK_RAW_SIZE / 2 ? LARGE_BUFFER : small
}

/** What is large anyway takes a size that is kept: a frame of 1 MiB would else cost garbage of twice that, each time. */
function sizeFor(needed: number, doubled: number): number {
  const least = Math.max(needed, doubled)
  if (least <= LARGE_BUFFER / 2) return least
  return needed <= LARGE_BUFFER ? LARGE_BUFFER : needed <= BULK_BUFFER ? BULK_BUFFER : least
}

/**
 * Writes frames as plain MessagePack, `[seq, atUs, dir, channel, kind, facts, body, masks, verdict]`, each behind its u32 size.
 * By hand because it runs for every message: three times as fast as the general packer, and straight into the chunk's buffer.
 */
export class FrameEncoder {
  #bytes: Buffer
  #at = 0

  /** `size`: first capacity; grows by doubling. */
  constructor(size: number) {
    this.#bytes = take(size)
  }

  /** Gives the buffer back for another chunk; nothing of this one may be used after it. `returned`: its memory, back from another thread. */
  recycle(returned?: ArrayBuffer): void {
    const bytes = returned === undefined ? this.#bytes : Buffer.from(returned)
    const pool = POOLS.get(bytes.length)
    if (pool !== undefined && pool.buffers.length < pool.count) pool.buffers.push(bytes)
    this.#bytes = NO_BYTES
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#at
  }

  /** [from, to) of what was written: a view that later growth does not move, and later frames do not touch. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(from, to)
  }

  /** Copies what was written from `from` on to `target`, at `at`; without a view of it, which costs more than that. */
  copyTo(target: Buffer, at: number, from: number): void {
    this.#bytes.copy(target, at, from, this.#at)
  }

  /** Forgets what was written from `at` on. */
  truncate(at: number): void {
    this.#at = at
  }

  /** Appends the frame; throws RECORDER_FAILED, with nothing appended, when it is larger than a frame may be. `body` replaces the entry's. */
  write(seq: number, atUs: number, entry: Entry, facts: Facts, body: Uint8Array | null, spans: Uint8Array | null): void {
    const start = this.#at
    this.#room(FRAME_HEAD_SIZE + FIXED_ROOM + (body?.length ?? 0) + (spans?.length ?? 0))
    this.#at += FRAME_HEAD_SIZE
    this.#byte(0x99)
    this.#number(seq)
    this.#number(atUs)
    this.#byte(entry.dir === 'in' ? IN : entry.dir === 'out' ? OUT : NOTE)
    this.#number(entry.channel)
    this.#text(entry.kind)
    this.#facts(facts)
    if (body === null) this.#byte(0xc0)
    else this.#binary(body)
    if (entry.masks === null || spans === null) this.#byte(0xc0)
    else {
      this.#byte(0x92)
      this.#array(entry.masks.labels.length)
      for (const [entity, rule] of entry.masks.labels) {
        this.#byte(0x92)
        this.#text(entity)
        this.#text(rule)
      }
      this.#binary(spans)
    }
    if (entry.verdict === null) this.#byte(0xc0)
    else {
      const { act, rules, policy, approval } = entry.verdict
      this.#byte(0x94)
      this.#text(act)
      this.#texts(rules)
      this.#text(policy)
      if (approval === undefined) this.#byte(0xc0)
      else this.#text(approval)
    }
    const size = this.#at - start - FRAME_HEAD_SIZE
    if (size > MAX_FRAME_SIZE) {
      this.#at = start
      throw new ApplianceError(
        'RECORDER_FAILED',
        `a frame of kind ${entry.kind} takes ${size} bytes beside its body, the limit is ${MAX_FRAME_SIZE}`,
      )
    }
    this.#bytes.writeUInt32BE(size, start)
  }

  #facts(facts: Facts): void {
    let count = 0
    for (const _ in facts) count += 1
    if (count < 16) this.#byte(0x80 | count)
    else this.#head16(0xde, count)
    for (const name in facts) {
      this.#text(name)
      const value = facts[name]
      if (typeof value === 'string') this.#text(value)
      else if (typeof value === 'number') this.#number(value)
      else if (typeof value === 'boolean') this.#byte(value ? 0xc3 : 0xc2)
      else if (value === null || value === undefined) this.#byte(0xc0)
      else this.#texts(value)
    }
  }

  #texts(texts: readonly string[]): void {
    this.#array(texts.length)
    for (const text of texts) this.#text(text)
  }

  #array(count: number): void {
    if (count < 16) this.#byte(0x90 | count)
    else if (count < 0x10000) this.#head16(0xdc, count)
    else this.#head32(0xdd, count)
  }

  #number(value: number): void {
    this.#room(9)
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0) {
        if (value < 0x80) {
          this.#bytes[this.#at] = value
          this.#at += 1
        } else if (value < 0x100) {
          this.#bytes[this.#at] = 0xcc
          this.#bytes[this.#at + 1] = value
          this.#at += 2
        } else if (value < 0x10000) this.#head16(0xcd, value)
        else if (value < 0x100000000) this.#head32(0xce, value)
        else {
          this.#bytes[this.#at] = 0xcf
          this.#bytes.writeUInt32BE(Math.floor(value / 0x100000000), this.#at + 1)
          this.#at = this.#bytes.writeUInt32BE(value % 0x100000000, this.#at + 5)
        }
        return
      }
      if (value >= -0x20) {
        this.#at = this.#bytes.writeInt8(value, this.#at)
        return
      }
      if (value >= -0x80000000) {
        this.#bytes[this.#at] = 0xd2
        this.#at = this.#bytes.writeInt32BE(value, this.#at + 1)
        return
      }
    }
    this.#bytes[this.#at] = 0xcb
    this.#at = this.#bytes.writeDoubleBE(value, this.#at + 1)
  }

  #text(text: string): void {
    const length = text.length
    if (length < SHORT_STRING) {
      this.#room(length * 3 + 2)
      const bytes = this.#bytes
      const start = this.#at
      let at = start + 1
      for (let index = 0; index < length; index += 1) {
        const code = text.charCodeAt(index)
        if (code >= 0x80) {
          at = 0
          break
        }
        bytes[at] = code
        at += 1
      }
      if (at > 0) {
        bytes[start] = 0xa0 | length
        this.#at = at
        return
      }
    }
    const size = Buffer.byteLength(text)
    if (size < 32) this.#byte(0xa0 | size)
    else if (size < 0x100) {
      this.#byte(0xd9)
      this.#byte(size)
    } else if (size < 0x10000) this.#head16(0xda, size)
    else this.#head32(0xdb, size)
    this.#room(size)
    this.#at += this.#bytes.write(text, this.#at, size, 'utf8')
  }

  #binary(bytes: Uint8Array): void {
    const size = bytes.length
    if (size < 0x100) {
      this.#byte(0xc4)
      this.#byte(size)
    } else if (size < 0x10000) this.#head16(0xc5, size)
    else this.#head32(0xc6, size)
    this.#room(size)
    this.#bytes.set(bytes, this.#at)
    this.#at += size
  }

  #byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#at] = value
    this.#at += 1
  }

  #head16(tag: number, value: number): void {
    this.#room(3)
    const bytes = this.#bytes
    const at = this.#at
    bytes[at] = tag
    bytes[at + 1] = value >>> 8
    bytes[at + 2] = value
    this.#at = at + 3
  }

  #head32(tag: number, value: number): void {
    this.#room(5)
    const bytes = this.#bytes
    const at = this.#at
    bytes[at] = tag
    bytes[at + 1] = value >>> 24
    bytes[at + 2] = value >>> 16
    bytes[at + 3] = value >>> 8
    bytes[at + 4] = value
    this.#at = at + 5
  }

  #room(size: number): void {
    const needed = this.#at + size
    if (needed <= this.#bytes.length) return
    const grown = take(sizeFor(needed, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#at)
    this.#bytes = grown
  }
}

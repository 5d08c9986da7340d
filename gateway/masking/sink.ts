import { MASK_SPAN_SIZE, type Masks } from '../../schemas/frame.ts'
import type { Field, Redacted, RedactionSink } from '../message.ts'

/** Room beyond the hint, so that a few masks longer than what they replace need no second allocation. */
const SLACK_SIZE = 256
/** A span's length has 24 bits; a longer one is written as several. */
const MAX_SPAN_LENGTH = 0xffffff
/** A span's label index has 8 bits; what exceeds them shares the last. */
const MAX_LABEL_COUNT = 255
const OTHER_LABEL = ['other', 'label:other'] as const
/** The size of a NULL on the PostgreSQL wire, which is what a nulled field leaves to point at. */
const NULL_SIZE = 4

export type Label = readonly [entity: string, rule: string]

/** Puts a redacted message together: one growing buffer, and its mask spans packed as they will stand on the tape. */
export class Sink implements RedactionSink {
  #bytes: Buffer
  #size = 0
  #spans: Buffer | undefined
  #spansSize = 0
  readonly #labels: Label[] = []
  #nulled: { readonly label: Label; readonly high: number; readonly low: number } | undefined

  constructor(sizeHint: number) {
    this.#bytes = Buffer.allocUnsafeSlow(sizeHint + SLACK_SIZE)
  }

  get size(): number {
    return this.#size
  }

  copy(source: Uint8Array, from: number, to: number): void {
    const size = to - from
    this.#reserve(size)
    const bytes = this.#bytes
    if (size <= 32) {
      // A native copy costs more than it saves on the short pieces between masks.
      let at = this.#size
      for (let i = from; i < to; i++) bytes[at++] = source[i] as number // from <= i < to
    } else {
      bytes.set(from === 0 && to === source.length ? source : source.subarray(from, to), this.#size)
    }
    this.#size += size
  }

  /** Appends `count` times `byte`. */
  fill(byte: number, count: number): void {
    this.#reserve(count)
    this.#bytes.fill(byte, this.#size, this.#size + count)
    this.#size += count
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#size++] = value
  }

  /** Appends the upper 48 bits of a 64-bit value as 12 hex digits. */
  hex48(high: number, low: number): void {
    this.#reserve(12)
    const bytes = this.#bytes
    let at = this.#size
    for (let shift = 28; shift >= 0; shift -= 4) bytes[at++] = HEX[(high >>> shift) & 15] as number // four bits
    for (let shift = 28; shift >= 16; shift -= 4) bytes[at++] = HEX[(low >>> shift) & 15] as number
    this.#size = at
  }

  int32(value: number): void {
    this.#reserve(4)
    putInt32(this.#bytes, this.#size, value)
    this.#size += 4
  }

  setInt32(at: number, value: number): void {
    if (at + 4 > this.#size) throw new RangeError(`no 32-bit integer at ${at} of ${this.#size} bytes`)
    putInt32(this.#bytes, at, value)
  }

  /** Notes that body[start, start + length) stands for a masked value with this fingerprint. */
  span(start: number, length: number, label: Label, high: number, low: number): void {
    const index = this.#labelIndex(label)
    for (let done = 0; done < length; done += MAX_SPAN_LENGTH) {
      const spans = this.#spansRoom()
      const at = this.#spansSize
      putInt32(spans, at, start + done)
      putInt32(spans, at + 4, (Math.min(length - done, MAX_SPAN_LENGTH) << 8) | index)
      putInt32(spans, at + 8, high)
      putInt32(spans, at + 12, low)
      this.#spansSize = at + MASK_SPAN_SIZE
    }
  }

  /** Keeps what the next `noteNull` will say. */
  nulled(label: Label, high: number, low: number): void {
    this.#nulled = { label, high, low }
  }

  noteNull(at: number, field: Field): void {
    const noted = this.#nulled ?? { label: labelOf(field), high: 0, low: 0 }
    this.#nulled = undefined
    this.span(at, NULL_SIZE, noted.label, noted.high, noted.low)
  }

  /** Takes over the spans of a body of the same bytes and length, among those already noted. */
  adopt(masks: Masks): void {
    const records: Buffer[] = []
    for (let at = 0; at < this.#spansSize; at += MASK_SPAN_SIZE)
      records.push(Buffer.from(this.#spansRoom().subarray(at, at + MASK_SPAN_SIZE)))
    for (let at = 0; at < masks.spans.length; at += MASK_SPAN_SIZE) {
      const record = Buffer.from(masks.spans.subarray(at, at + MASK_SPAN_SIZE))
      const label = masks.labels[record[7] ?? 0]
      if (label === undefined) throw new RangeError(`a mask span names label ${record[7]} of ${masks.labels.length}`)
      record[7] = this.#labelIndex(label)
      records.push(record)
    }
    records.sort((a, b) => a.readUInt32BE(0) - b.readUInt32BE(0))
    this.#spans = Buffer.concat(records)
    this.#spansSize = this.#spans.length
  }

  finish(): Redacted {
    return { bytes: this.#bytes.subarray(0, this.#size), masks: this.masks() }
  }

  masks(): Masks | null {
    if (this.#spans === undefined) return null
    return { labels: this.#labels, spans: this.#spans.subarray(0, this.#spansSize) }
  }

  #labelIndex(label: Label): number {
    for (let i = 0; i < this.#labels.length; i++) {
      const known = this.#labels[i] ?? OTHER_LABEL
      if (known === label) return i
    }
    const equal = this.#labels.findIndex((known) => known[0] === label[0] && known[1] === label[1])
    if (equal >= 0) return equal
    if (this.#labels.length > MAX_LABEL_COUNT) return MAX_LABEL_COUNT
    return this.#labels.push(this.#labels.length < MAX_LABEL_COUNT ? label : OTHER_LABEL) - 1
  }

  #spansRoom(): Buffer {
    const spans = this.#spans ?? Buffer.allocUnsafeSlow(8 * MASK_SPAN_SIZE)
    this.#spans = this.#spansSize + MASK_SPAN_SIZE <= spans.length ? spans : grown(spans, this.#spansSize, 2 * spans.length)
    return this.#spans
  }

  #reserve(size: number): void {
    const needed = this.#size + size
    if (needed > this.#bytes.length)
      this.#bytes = grown(this.#bytes, this.#size, Math.max(needed + SLACK_SIZE, 2 * this.#bytes.length))
  }
}

/** The sink a protocol hands back is one that `Redactor.sink` made. */
export function ownSink(sink: RedactionSink): Sink {
  if (!(sink instanceof Sink)) throw new TypeError('fields are written to a sink made by this masker')
  return sink
}

/** How a field that is masked whole stands in the labels of a body. */
export function labelOf(field: Field): Label {
  const label = field.label ?? 'field'
  return [field.entity ?? label, `label:${label}`]
}

const HEX = Buffer.from('0123456789abcdef')

/** Big endian, modulo 2^32: Buffer's own way checks and converts more than it writes. */
function putInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function grown(bytes: Buffer, used: number, size: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(size)
  bytes.copy(larger, 0, 0, used)
  return larger
}

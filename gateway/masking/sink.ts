import { MASK_SPAN_SIZE, type Masks } from '../../schemas/frame.ts'
import type { Field, Redacted, RedactionSink } from '../message.ts'
import { CLOSE_BRACKET } from './ascii.ts'

/** Room beyond the hint, so that a few masks longer than what they replace need no second allocation. */
const SLACK_SIZE = 256
/** A span's length has 24 bits; a longer one is written as several. */
const MAX_SPAN_LENGTH = 0xffffff
/** A span's label index has 8 bits; what exceeds them shares the last. */
const MAX_LABEL_COUNT = 255
/** No label has this number. */
export const NO_LABEL = 0xff
const OTHER_LABEL = ['other', 'label:other'] as const
/** The size of a NULL on the PostgreSQL wire, which is what a nulled field leaves to point at. */
const NULL_SIZE = 4

export type Label = readonly [entity: string, rule: string]

/** 12 digits and a bracket. */
const TAG_SIZE = 13
/** Room for as many at first: most messages have few masks, and a run of rows full of them grows it quickly. */
const FIRST_SPAN_COUNT = 8

/** A text as 32-bit words, so that it is written in a few steps. */
export interface MaskText {
  readonly text: string
  /** Padded to whole words. */
  readonly words: Uint32Array
  readonly size: number
}

export function maskText(text: string): MaskText {
  const bytes = Buffer.alloc((text.length + 3) & ~3)
  bytes.write(text, 'latin1')
  return { text, words: Uint32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32BE(4 * i)), size: text.length }
}

/** Puts a redacted message together: one growing buffer, and its mask spans packed as they will stand on the tape. */
export class Sink implements RedactionSink {
  #bytes: Buffer = NO_BYTES
  #view: DataView = NO_VIEW
  #size = 0
  readonly #sizeHint: number
  /** While all there is are the first `#size` bytes of this, none of them is copied. */
  #same: Uint8Array | undefined
  #spansBytes: Buffer = NO_BYTES
  #spansView: DataView = NO_VIEW
  #spansSize = 0
  #labels: Label[] = []
  #nulled: { readonly label: Label; readonly high: number; readonly low: number } | undefined

  constructor(sizeHint: number, same?: Uint8Array) {
    this.#sizeHint = sizeHint
    this.#same = same
  }

  get size(): number {
    return this.#size
  }

  /** Empties it. Its memory is used again: nobody may still read what it gave out. Not for one that began as `same`. */
  reset(): void {
    this.#size = 0
    this.#spansBytes = NO_BYTES
    this.#spansView = NO_VIEW
    this.#spansSize = 0
    this.#labels = []
    this.#nulled = undefined
  }

  copy(source: Uint8Array, from: number, to: number): void {
    const size = to - from
    if (size === 0) return
    if (this.#same === source && from === this.#size) {
      this.#size = to
      return
    }
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

  /** Appends a mask's text; `tagged`: and the upper 48 bits of a 64-bit tag as 12 hex digits, and what closes it. */
  mask(text: MaskText, tagged: boolean, tagHigh: number, tagLow: number): void {
    const { words, size } = text
    this.#reserve(4 * words.length + TAG_SIZE)
    const view = this.#view
    let at = this.#size
    // The last word may say more than the text: that is written over.
    for (let i = 0; i < words.length; i++) view.setUint32(at + 4 * i, words[i] as number) // i < words.length
    at += size
    if (tagged) {
      // Bytes index a table of 256.
      view.setUint16(at, HEX[tagHigh >>> 24] as number)
      view.setUint16(at + 2, HEX[(tagHigh >>> 16) & 0xff] as number)
      view.setUint16(at + 4, HEX[(tagHigh >>> 8) & 0xff] as number)
      view.setUint16(at + 6, HEX[tagHigh & 0xff] as number)
      view.setUint16(at + 8, HEX[tagLow >>> 24] as number)
      view.setUint16(at + 10, HEX[(tagLow >>> 16) & 0xff] as number)
      view.setUint8(at + 12, CLOSE_BRACKET)
      at += TAG_SIZE
    }
    this.#size = at
  }

  /** The same with the digits of a tag as they are to stand there, in three words from words[at] on, and what closes it. */
  tagged(text: MaskText, words: Int32Array, at: number): void {
    const { words: textWords, size } = text
    this.#reserve(4 * textWords.length + TAG_SIZE)
    const view = this.#view
    let to = this.#size
    for (let i = 0; i < textWords.length; i++) view.setUint32(to + 4 * i, textWords[i] as number) // i < textWords.length
    to += size
    view.setInt32(to, words[at] as number, true) // a hit's words, as below
    view.setInt32(to + 4, words[at + 1] as number, true)
    view.setInt32(to + 8, words[at + 2] as number, true)
    view.setUint8(to + 12, CLOSE_BRACKET)
    this.#size = to + TAG_SIZE
  }

  int32(value: number): void {
    this.#reserve(4)
    this.#view.setInt32(this.#size, value)
    this.#size += 4
  }

  setInt32(at: number, value: number): void {
    if (at + 4 > this.#size) throw new RangeError(`no 32-bit integer at ${at} of ${this.#size} bytes`)
    this.#reserve(0)
    this.#view.setInt32(at, value)
  }

  /** Notes that body[start, start + length) stands for a masked value with this fingerprint. */
  span(start: number, length: number, label: Label, high: number, low: number): void {
    const index = this.#labelIndex(label)
    for (let done = 0; done < length; done += MAX_SPAN_LENGTH) {
      if (this.#spansSize + MASK_SPAN_SIZE > this.#spansBytes.length) this.#growSpans(0)
      const view = this.#spansView
      const at = this.#spansSize
      view.setUint32(at, start + done)
      view.setInt32(at + 4, (Math.min(length - done, MAX_SPAN_LENGTH) << 8) | index)
      view.setUint32(at + 8, high)
      view.setUint32(at + 12, low)
      this.#spansSize = at + MASK_SPAN_SIZE
    }
  }

  /** The number of a label here, NO_LABEL where it has none yet; and how many there are. */
  labelNumber(label: Label): number {
    const index = this.#labels.findIndex((known) => known[0] === label[0] && known[1] === label[1])
    return index === -1 ? NO_LABEL : index
  }

  get labelCount(): number {
    return this.#labels.length
  }

  /** Appends bytes with their spans, which count from the beginning of all and name labels by their numbers here: `added` are the next. */
  written(bytes: Uint8Array, spans: Uint8Array, added: readonly Label[]): void {
    this.#labels.push(...added)
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#size)
    this.#size += bytes.length
    const size = this.#spansSize + spans.length
    if (size > this.#spansBytes.length) this.#growSpans(size)
    this.#spansBytes.set(spans, this.#spansSize)
    this.#spansSize = size
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
      records.push(Buffer.from(this.#spansBytes.subarray(at, at + MASK_SPAN_SIZE)))
    for (let at = 0; at < masks.spans.length; at += MASK_SPAN_SIZE) {
      const record = Buffer.from(masks.spans.subarray(at, at + MASK_SPAN_SIZE))
      const label = masks.labels[record[7] ?? 0]
      if (label === undefined) throw new RangeError(`a mask span names label ${record[7]} of ${masks.labels.length}`)
      record[7] = this.#labelIndex(label)
      records.push(record)
    }
    records.sort((a, b) => a.readUInt32BE(0) - b.readUInt32BE(0))
    const bytes = Buffer.concat(records)
    this.#spansBytes = bytes
    this.#spansView = viewOf(bytes)
    this.#spansSize = bytes.length
  }

  /** Notes the spans of other bytes, each where `place` puts it here. */
  adoptSpans(
    { labels, spans }: Masks,
    place: (at: number, length: number) => { readonly at: number; readonly length: number },
  ): void {
    const view = new DataView(spans.buffer, spans.byteOffset, spans.byteLength)
    for (let from = 0; from < spans.length; from += MASK_SPAN_SIZE) {
      const packed = view.getUint32(from + 4)
      const { at, length } = place(view.getUint32(from), packed >>> 8)
      const label = labels[packed & 0xff]
      this.span(at, length, label ?? OTHER_LABEL, view.getUint32(from + 8), view.getUint32(from + 12))
    }
  }

  append(redacted: Redacted, write = same): void {
    const { bytes, masks } = redacted
    const put = (from: number, to: number): void => {
      const escaped = write(bytes.subarray(from, to))
      this.copy(escaped, 0, escaped.length)
    }
    let done = 0
    if (masks !== null) {
      this.adoptSpans(masks, (start, length) => {
        put(done, start)
        const at = this.#size
        done = start + length
        put(start, done)
        return { at, length: this.#size - at }
      })
    }
    put(done, bytes.length)
  }

  finish(): Redacted {
    const same = this.#same
    if (same !== undefined)
      return { bytes: this.#size === same.length ? same : same.subarray(0, this.#size), masks: this.masks() }
    return { bytes: this.#bytes.subarray(0, this.#size), masks: this.masks() }
  }

  masks(): Masks | null {
    if (this.#spansSize === 0) return null
    return { labels: this.#labels, spans: this.#spansBytes.subarray(0, this.#spansSize) }
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

  #growSpans(least: number): void {
    const size = Math.max(least, this.#spansSize === 0 ? FIRST_SPAN_COUNT * MASK_SPAN_SIZE : 4 * this.#spansBytes.length)
    const bytes = Buffer.allocUnsafeSlow(size)
    this.#spansBytes.copy(bytes, 0, 0, this.#spansSize)
    this.#spansBytes = bytes
    this.#spansView = viewOf(bytes)
  }

  #reserve(size: number): void {
    const same = this.#same
    if (same !== undefined) {
      this.#same = undefined
      this.#grow(this.#size + size + SLACK_SIZE)
      this.#bytes.set(same.subarray(0, this.#size))
    }
    const needed = this.#size + size
    if (needed > this.#bytes.length) this.#grow(Math.max(needed + SLACK_SIZE, this.#bytes.length + (this.#bytes.length >> 1)))
  }

  #grow(least: number): void {
    const size = Math.max(least, this.#sizeHint + SLACK_SIZE)
    const larger = Buffer.allocUnsafeSlow(size)
    this.#bytes.copy(larger, 0, 0, this.#size)
    this.#bytes = larger
    this.#view = viewOf(larger)
  }
}

const same = (bytes: Uint8Array): Uint8Array => bytes
const NO_BYTES = Buffer.alloc(0)
const NO_VIEW = viewOf(NO_BYTES)

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

/** Both digits of every byte, as the 16 bits they are. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) => Buffer.from(byte.toString(16).padStart(2, '0')).readUInt16BE())

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

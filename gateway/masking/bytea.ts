import type { Field, RedactionSink, StreamRedactor } from '../message.ts'
import { BACKSLASH } from './ascii.ts'
import type { Covers } from './cover.ts'
import { OVERLOAD_ID } from './hits.ts'
import { ownSink, Sink } from './sink.ts'

const X = 0x78
const HEX = Buffer.from('0123456789abcdef')

/**
 * The bytes that source[from, to) stands for as a bytea in text format (PostgreSQL manual, "Binary Data Types"): behind `\x` pairs of hex
 * digits, else escape format, `\\` and `\ooo`. With the backslash doubled as in COPY, too. Linear; what is no such text is taken as it stands.
 */
export function decodeBytea(source: Uint8Array, from: number, to: number): Uint8Array {
  const text = Buffer.from(source.buffer, source.byteOffset + from, to - from)
  const hex = hexStart(text)
  if (hex > 0) return Buffer.from(text.toString('latin1', hex), 'hex')
  let at = text.indexOf(BACKSLASH)
  if (at === -1) return text
  const bytes = Buffer.allocUnsafe(text.length)
  let size = text.copy(bytes, 0, 0, at)
  while (at < text.length) {
    const byte = text[at] ?? 0
    const octal = byte === BACKSLASH ? octalAt(text, at + 1) : -1
    bytes[size++] = octal >= 0 ? octal : byte
    at += octal >= 0 ? 4 : byte === BACKSLASH && text[at + 1] === BACKSLASH ? 2 : 1
  }
  return bytes.subarray(0, size)
}

/** Where the digits begin; 0 where it is not hex format. */
function hexStart(text: Uint8Array): number {
  if (text[0] !== BACKSLASH) return 0
  const x = text[1] === BACKSLASH ? 2 : 1
  return text[x] === X ? x + 1 : 0
}

function octalAt(text: Uint8Array, at: number): number {
  let value = 0
  for (let index = at; index < at + 3; index++) {
    const digit = (text[index] ?? 0) - 0x30
    if (digit < 0 || digit > 7) return -1
    value = value * 8 + digit
  }
  return value
}

/**
 * Same-length masking of a bytea in hex format that arrives in pieces: what its digits stand for goes through the stream it is
 * given, and comes out as digits again, so that a mask is a valid value. In escape format the text itself does.
 */
export class ByteaStream implements StreamRedactor {
  readonly #inner: StreamRedactor
  readonly #covers: Covers
  /** What came before it was known which format this is, then an odd digit. */
  #waiting: Buffer = Buffer.alloc(0)
  #format: 'unknown' | 'hex' | 'escape' | 'broken' = 'unknown'

  constructor(inner: StreamRedactor, covers: Covers) {
    this.#inner = inner
    this.#covers = covers
  }

  push(sink: RedactionSink, source: Uint8Array, from: number, to: number): void {
    const piece = Buffer.concat([this.#waiting, source.subarray(from, to)])
    this.#waiting = Buffer.alloc(0)
    let at = 0
    if (this.#format === 'unknown') {
      if (piece.length < 2) {
        this.#waiting = piece
        return
      }
      this.#format = piece[0] === BACKSLASH && piece[1] === X ? 'hex' : 'escape'
      if (this.#format === 'hex') {
        sink.copy(piece, 0, 2)
        at = 2
      }
    }
    if (this.#format === 'escape') this.#inner.push(sink, piece, 0, piece.length)
    else if (this.#format === 'broken') this.#cover(sink, piece, at)
    else this.#digits(sink, piece, at)
  }

  end(sink: RedactionSink): void {
    if (this.#format === 'hex') this.#out(sink, (inner) => this.#inner.end(inner))
    else if (this.#format === 'escape') this.#inner.end(sink)
    if (this.#waiting.length > 0) sink.copy(this.#waiting, 0, this.#waiting.length)
  }

  #digits(sink: RedactionSink, piece: Buffer, from: number): void {
    const even = piece.length - ((piece.length - from) % 2)
    // Decoding stops at the first pair that is none: no server sends one, and what stands behind it nobody can tell.
    const bytes = Buffer.from(piece.toString('latin1', from, even), 'hex')
    this.#out(sink, (inner) => this.#inner.push(inner, bytes, 0, bytes.length))
    const read = from + 2 * bytes.length
    if (read < even) {
      this.#out(sink, (inner) => this.#inner.end(inner))
      this.#format = 'broken'
      this.#cover(sink, piece, read)
    } else {
      this.#waiting = Buffer.from(piece.subarray(even))
    }
  }

  #cover(sink: RedactionSink, piece: Uint8Array, from: number): void {
    if (from < piece.length) this.#covers.writeStars(ownSink(sink), this.#covers.ofEntity(OVERLOAD_ID), piece, from, piece.length)
  }

  /** What the inner stream lets out, as digits; its spans cover two digits for each byte. */
  #out(sink: RedactionSink, run: (inner: Sink) => void): void {
    const own = ownSink(sink)
    const inner = new Sink(0)
    run(inner)
    const { bytes, masks } = inner.finish()
    const start = own.size
    for (const byte of bytes) {
      own.byte(HEX[byte >> 4] ?? 0)
      own.byte(HEX[byte & 15] ?? 0)
    }
    if (masks !== null) own.adoptSpans(masks, (at, length) => ({ at: start + 2 * at, length: 2 * length }))
  }
}

/** A bytea whose text is looked at as a field: what it holds decides. */
export function isBytea(field: Field): boolean {
  return field.action === 'scan' && field.encoding === 'bytea'
}

import { isUtf8 } from 'node:buffer'

/** Deeper than any API nests; beyond it the text is not read as JSON. */
const MAX_DEPTH = 512

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const COLON = 0x3a
const UPPER_E = 0x45
const BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const LOWER_E = 0x65
const BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** Of bytes inside a string: 1 where it ends or an escape begins, 2 where none may stand. */
const STOPS = Uint8Array.from({ length: 256 }, (_, byte) => (byte === QUOTE || byte === BACKSLASH ? 1 : byte < SPACE ? 2 : 0))

/** Whether any of the four bytes of `word` is one of those in `STOPS`. */
function hasStop(word: number): boolean {
  const quote = word ^ 0x22222222
  const backslash = word ^ 0x5c5c5c5c
  const found = ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((word - 0x20202020) & ~word)
  return (found & 0x80808080) !== 0
}

// What comes next, as numbers, which are quicker to tell apart. A key or value may also be the end of its object or array, unless a comma stood before.
const A_VALUE = 0
const VALUE_OR_END = 1
const A_KEY = 2
const KEY_OR_END = 3
const A_COLON = 4
const COMMA_OR_END = 5
const NOTHING = 6

/** Told what a text consists of, in order. */
export interface JsonReader {
  /** A key, source[from, to) without its quotes. */
  key(from: number, to: number, escaped: boolean): void
  /** A string without its quotes, a number, `true`, `false` or `null`; where it stands in arrays, the key is that of the outermost. */
  value(from: number, to: number, string: boolean, escaped: boolean): void
  /** An object or array begins, or ends: with it ends what the keys inside said. */
  open(): void
  close(): void
}

/** Where the text begins in source[from, to): behind a byte order mark. Undefined where that is not UTF-8 without a fault. */
export function textStart(source: Uint8Array, from: number, to: number): number | undefined {
  if (!isUtf8(source.subarray(from, to))) return undefined
  return startsWithMark(source, from, to) ? from + MARK.length : from
}

/**
 * Whether source[from, to), of `textStart`, is one JSON text (RFC 8259): exactly what `JSON.parse` takes, and nothing two readers could understand
 * differently. Linear; makes nothing. A reader has been told of some of it where the answer is no.
 */
export function readJson(source: Uint8Array, from: number, to: number, reader: JsonReader): boolean {
  let at = from
  let depth = 0
  // Words of memory, the first of which may begin before the source does: source[at] is in the word at (at + skew) / 4.
  const skew = source.byteOffset & 3
  const words = new Uint32Array(source.buffer, source.byteOffset - skew, (source.length + skew) >> 2)
  const lastWord = to - 4
  let expected = A_VALUE
  const objects = OBJECTS
  while (at < to) {
    const byte = source[at] as number // from <= at < to
    if (byte === QUOTE) {
      const isKey = expected === A_KEY || expected === KEY_OR_END
      if (!isKey && expected > VALUE_OR_END) return false
      const begin = at + 1
      let escaped = false
      for (at = begin; ; ) {
        // Up to where words begin, then four bytes at a time up to the word with a stop in it, then to the stop.
        while (at < to && ((at + skew) & 3) !== 0 && STOPS[source[at] as number] === 0) at++
        if (((at + skew) & 3) === 0) {
          while (at < lastWord && !hasStop(words[(at + skew) >> 2] as number)) at += 4 // whole words up to lastWord
          while (at < to && STOPS[source[at] as number] === 0) at++
        }
        if (at >= to) return false
        if (source[at] === QUOTE) break
        const size = escapeSize(source, at, to)
        if (size === 0) return false
        escaped = true
        at += size
      }
      if (isKey) {
        reader.key(begin, at, escaped)
        expected = A_COLON
      } else {
        reader.value(begin, at, true, escaped)
        expected = depth === 0 ? NOTHING : COMMA_OR_END
      }
      at++
    } else if (byte === COMMA) {
      if (expected !== COMMA_OR_END) return false
      expected = objects[depth] === 1 ? A_KEY : A_VALUE
      at++
    } else if (byte === COLON) {
      if (expected !== A_COLON) return false
      expected = A_VALUE
      at++
    } else if (byte === BRACE || byte === BRACKET) {
      if (expected > VALUE_OR_END || depth === MAX_DEPTH) return false
      objects[++depth] = byte === BRACE ? 1 : 0
      expected = byte === BRACE ? KEY_OR_END : VALUE_OR_END
      reader.open()
      at++
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      const empty = byte === CLOSE_BRACE ? KEY_OR_END : VALUE_OR_END
      if (depth === 0 || objects[depth] !== (byte === CLOSE_BRACE ? 1 : 0)) return false
      if (expected !== COMMA_OR_END && expected !== empty) return false
      depth--
      reader.close()
      expected = depth === 0 ? NOTHING : COMMA_OR_END
      at++
    } else if (byte === SPACE || byte === LF || byte === CR || byte === TAB) {
      at++
    } else {
      if (expected > VALUE_OR_END) return false
      const end = byte === MINUS || isDigit(byte) ? numberEnd(source, at, to) : wordEnd(source, at, to)
      if (end === 0) return false
      reader.value(at, end, false, false)
      at = end
      expected = depth === 0 ? NOTHING : COMMA_OR_END
    }
  }
  return expected === NOTHING
}

/** Whether what is open at each depth is an object; nothing is awaited while it is in use. */
const OBJECTS = new Uint8Array(MAX_DEPTH + 1)

const MARK = [0xef, 0xbb, 0xbf]

function startsWithMark(source: Uint8Array, from: number, to: number): boolean {
  return from + MARK.length <= to && MARK.every((byte, index) => source[from + index] === byte)
}

/** Of the escape at `at`; 0 where it is none. */
function escapeSize(source: Uint8Array, at: number, to: number): number {
  if (source[at] !== BACKSLASH || at + 1 >= to) return 0
  const kind = source[at + 1] as number // at + 1 < to
  if (SIMPLE.includes(kind)) return 2
  if (kind !== LOWER_U || at + 6 > to) return 0
  for (let digit = at + 2; digit < at + 6; digit++) if (!isHex(source[digit] as number)) return 0
  return 6
}

const LOWER_U = 0x75
const SIMPLE = Buffer.from('"\\/bfnrt')

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9
}

function isHex(byte: number): boolean {
  const letter = byte | 0x20
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x66)
}

/** Where the number at `at` ends; 0 where it is none. */
function numberEnd(source: Uint8Array, at: number, to: number): number {
  let end = source[at] === MINUS ? at + 1 : at
  if (source[end] === ZERO && end < to) end++
  else {
    const whole = digitsEnd(source, end, to)
    if (whole === end) return 0
    end = whole
  }
  if (end < to && source[end] === DOT) {
    const fraction = digitsEnd(source, end + 1, to)
    if (fraction === end + 1) return 0
    end = fraction
  }
  if (end < to && (source[end] === LOWER_E || source[end] === UPPER_E)) {
    const sign = end + 1 < to && (source[end + 1] === PLUS || source[end + 1] === MINUS) ? end + 2 : end + 1
    const exponent = digitsEnd(source, sign, to)
    if (exponent === sign) return 0
    end = exponent
  }
  return end
}

function digitsEnd(source: Uint8Array, at: number, to: number): number {
  let end = at
  while (end < to && isDigit(source[end] as number)) end++
  return end
}

const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word))

function wordEnd(source: Uint8Array, at: number, to: number): number {
  for (const word of WORDS) {
    const end = at + word.length
    if (end <= to && word.every((byte, index) => source[at + index] === byte)) return end
  }
  return 0
}

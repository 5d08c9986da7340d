import { MAX_NAME_SIZE } from './named.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const SPACE = 0x20
const MAX_DEPTH = 512

/** `more`: what was read may be the beginning of a JSON text; `done`: it is one, as far as its brackets tell; `none`: it is none. */
export type Progress = 'more' | 'done' | 'none'

/** What may come next, beside blanks. */
type Expected = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end'

/** Whether bytes that come one by one are an object or a list of JSON (RFC 8259); what numbers and words say is not looked at. */
export class JsonProgress {
  readonly #onKey: (key: Uint8Array) => void
  /** Of the key that is being read; a longer one is nobody's name. */
  readonly #key = Buffer.allocUnsafe(MAX_NAME_SIZE)
  #keySize = 0
  readonly #objects: boolean[] = []
  #expected: Expected = 'value'
  #string: 'key' | 'value' | undefined
  #escaped = false
  #literal = false

  /** `onKey`: told what stands between the quotes of a key. */
  constructor(onKey: (key: Uint8Array) => void) {
    this.#onKey = onKey
  }

  read(byte: number): Progress {
    if (this.#string !== undefined) return this.#inString(byte)
    if (byte <= SPACE) {
      this.#endLiteral()
      return 'more'
    }
    const mark = byte === QUOTE || byte === COMMA || byte === COLON || isBracket(byte)
    if (!mark) {
      if (!this.#literal && !this.#takesValue()) return 'none'
      this.#literal = true
      return isOfLiteral(byte) ? 'more' : 'none'
    }
    this.#endLiteral()
    switch (byte) {
      case QUOTE:
        if (!this.#takesValue() && this.#expected !== 'key' && this.#expected !== 'key or end') return 'none'
        this.#string = this.#takesValue() ? 'value' : 'key'
        this.#keySize = 0
        return 'more'
      case BRACE:
      case BRACKET:
        if (!this.#takesValue() || this.#objects.length === MAX_DEPTH) return 'none'
        this.#objects.push(byte === BRACE)
        this.#expected = byte === BRACE ? 'key or end' : 'value or end'
        return 'more'
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        return this.#close(byte === CLOSE_BRACE)
      case COMMA:
        if (this.#expected !== 'comma or end') return 'none'
        this.#expected = this.#objects.at(-1) === true ? 'key' : 'value'
        return 'more'
      default:
        if (this.#expected !== 'colon') return 'none'
        this.#expected = 'value'
        return 'more'
    }
  }

  #inString(byte: number): Progress {
    if (byte < SPACE) return 'none'
    if (this.#string === 'key' && (byte !== QUOTE || this.#escaped)) {
      if (this.#keySize < MAX_NAME_SIZE) this.#key[this.#keySize] = byte
      this.#keySize++
    }
    if (this.#escaped) this.#escaped = false
    else if (byte === BACKSLASH) this.#escaped = true
    else if (byte === QUOTE) {
      if (this.#string === 'key' && this.#keySize <= MAX_NAME_SIZE) this.#onKey(this.#key.subarray(0, this.#keySize))
      this.#expected = this.#string === 'key' ? 'colon' : 'comma or end'
      this.#string = undefined
    }
    return 'more'
  }

  #close(object: boolean): Progress {
    const empty = object ? 'key or end' : 'value or end'
    if (this.#objects.at(-1) !== object || (this.#expected !== 'comma or end' && this.#expected !== empty)) return 'none'
    this.#objects.pop()
    this.#expected = 'comma or end'
    return this.#objects.length === 0 ? 'done' : 'more'
  }

  #takesValue(): boolean {
    return this.#expected === 'value' || this.#expected === 'value or end'
  }

  #endLiteral(): void {
    if (this.#literal) this.#expected = 'comma or end'
    this.#literal = false
  }
}

function isBracket(byte: number): boolean {
  return byte === BRACE || byte === BRACKET || byte === CLOSE_BRACE || byte === CLOSE_BRACKET
}

/** Digits, letters, signs and the dot. */
function isOfLiteral(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e
  )
}

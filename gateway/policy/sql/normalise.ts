/**
 * A statement's text with its plain literals taken out, so that `WHERE aid = 1` and `WHERE aid = 2` share one key.
 * Only literals that PostgreSQL's scanner cannot read in any other way are taken: integers of up to nine digits that stand
 * alone, and '...' without backslash, doubled quote or prefix. Whatever else is unusual (comments, dollar quotes, E'', U&'',
 * control characters) gives none: such a text has no key but itself.
 * Two texts with one key have the same tokens but for these literals' values; whether those matter, the caller must know.
 */
export interface Stripped {
  /** The key: the first `length` of these. */
  readonly codes: Uint16Array
  readonly length: number
  readonly hash: number
  /** Bytes of the whole text in UTF-8, where every character is one. */
  readonly size: number | undefined
}

/** Longer statements are seldom repeated with other literals, and the key would cost more than it saves. */
const MAX_CHARS = 4_096
/** Cannot stand in a text that has a key: control characters give none. */
const INTEGER = 1
const STRING = 2
/** Ten digits may not fit 32 bits, and then are another kind of token. */
const MAX_DIGITS = 9

const QUOTE = 39
const DOUBLE_QUOTE = 34
const AMPERSAND = 38
const BACKSLASH = 92
const DOT = 46
const DOLLAR = 36
const MINUS = 45
const SLASH = 47
const ASTERISK = 42

/** Kinds of characters; from LETTER on what may stand in an identifier or number: PostgreSQL counts every non-ASCII byte, `_` and `$` among them. */
const PLAIN = 0
const CONTROL = 1
const QUOTES = 2
const COMMENTS = 3
const LETTER = 4
const DIGIT = 5
const PARAMETER = 6

const KINDS = Uint8Array.from({ length: 128 }, (_, code) => {
  if (code >= 48 && code <= 57) return DIGIT
  if (code === DOLLAR) return PARAMETER
  if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95) return LETTER
  if (code === QUOTE || code === DOUBLE_QUOTE) return QUOTES
  if (code === MINUS || code === SLASH) return COMMENTS
  return code < 32 && code !== 9 && code !== 10 && code !== 13 ? CONTROL : PLAIN
})

const SEED = 0x811c9dc5 | 0
const PRIME = 0x01000193

class Key implements Stripped {
  readonly codes = new Uint16Array(MAX_CHARS)
  length = 0
  hash = SEED
  size: number | undefined = 0

  /** False where the text has none. Nothing is made for it: every statement that passes is read here. */
  read(text: string): boolean {
    const { codes } = this
    const end = text.length
    let length = 0
    let hash = SEED
    let wide = false
    for (let at = 0; at < end; ) {
      const code = text.charCodeAt(at)
      const kind = code < 128 ? KINDS[code] : LETTER
      if (kind === undefined || kind >= LETTER) {
        const start = length
        const before = hash
        let numeric = kind === DIGIT
        let next = at
        for (; next < end; next++) {
          const letter = text.charCodeAt(next)
          const its = letter < 128 ? KINDS[letter] : LETTER
          if (its === undefined || its < LETTER) break
          // A `$` that is not a parameter's (`$1`) may begin a dollar quote, even right after a number.
          if (next > at && (its === PARAMETER || (kind === PARAMETER && its !== DIGIT))) return false
          if (its !== DIGIT) numeric = false
          if (letter >= 128) wide = true
          codes[length++] = letter
          hash = Math.imul(hash ^ letter, PRIME)
        }
        if (kind === PARAMETER && next === at + 1) return false
        const behind = text.charCodeAt(next)
        if (behind === QUOTE || behind === AMPERSAND) return false // E'..', U&'..', and `a&b` with them
        // Digits only, few, and no part of `1.5`, `.5` or `$1`.
        if (numeric && next - at <= MAX_DIGITS && behind !== DOT && text.charCodeAt(at - 1) !== DOT) {
          codes[start] = INTEGER
          length = start + 1
          hash = Math.imul(before ^ INTEGER, PRIME)
        }
        at = next
        continue
      }
      if (kind === CONTROL) return false
      if (code === QUOTE) {
        at = stringEnd(text, at)
        if (at < 0) return false
        // What stands in it may be of any width.
        wide = true
        codes[length++] = STRING
        hash = Math.imul(hash ^ STRING, PRIME)
        continue
      }
      if (kind === COMMENTS) {
        const behind = text.charCodeAt(at + 1)
        if ((code === MINUS && behind === MINUS) || (code === SLASH && behind === ASTERISK)) return false
      }
      codes[length++] = code
      hash = Math.imul(hash ^ code, PRIME)
      at++
      if (code !== DOUBLE_QUOTE) continue
      for (let inside = 0; inside !== DOUBLE_QUOTE; at++) {
        if (at >= end) return false
        inside = text.charCodeAt(at)
        // The server reads up to a NUL.
        if (inside === 0) return false
        if (inside >= 128) wide = true
        codes[length++] = inside
        hash = Math.imul(hash ^ inside, PRIME)
      }
    }
    this.length = length
    this.hash = hash
    this.size = wide ? undefined : end
    return true
  }
}

const key = new Key()

/** The text's key, only until the next one is asked for; undefined where it has none. */
export function normalise(text: string): Stripped | undefined {
  return text.length <= MAX_CHARS && key.read(text) ? key : undefined
}

/** Where the string that begins at `from` is over; -1 for one that is not plain. */
function stringEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH || code < 32) return -1
    if (code === QUOTE) return text.charCodeAt(at + 1) === QUOTE ? -1 : at + 1
  }
  return -1
}

/**
 * A statement's text with its plain literals taken out, so that `WHERE aid = 1` and `WHERE aid = 2` share one key.
 * Only literals that PostgreSQL's scanner cannot read in any other way are taken: integers of up to nine digits that stand
 * alone, and '...' without backslash, doubled quote or prefix. Whatever else is unusual (comments, dollar quotes, E'', U&'',
 * control characters) gives undefined: such a text has no key but itself.
 * Two texts with one key have the same tokens but for these literals' values; whether those matter, the caller must know.
 */
export function normalise(text: string): string | undefined {
  if (text.length > MAX_CHARS) return undefined
  let key = ''
  let from = 0
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at)
    if (isWord(code)) {
      const end = wordEnd(text, at)
      const next = text.charCodeAt(end)
      if (next === QUOTE || next === AMPERSAND) return undefined // E'..', U&'..', and `a&b` with them
      if (hasOddDollar(text, at, end)) return undefined
      if (isDigit(code) && isPlainInteger(text, at, end)) {
        key += text.slice(from, at) + INTEGER
        from = end
      }
      at = end
    } else if (code === QUOTE) {
      const end = stringEnd(text, at)
      if (end < 0) return undefined
      key += text.slice(from, at) + STRING
      from = end
      at = end
    } else if (code === DOUBLE_QUOTE) {
      const end = text.indexOf('"', at + 1)
      if (end < 0) return undefined
      at = end + 1
    } else if ((code < 32 && code !== 9 && code !== 10 && code !== 13) || beginsComment(code, text.charCodeAt(at + 1))) {
      return undefined
    } else {
      at++
    }
  }
  return key + text.slice(from)
}

/** Longer statements are seldom repeated with other literals, and the key would cost more than it saves. */
const MAX_CHARS = 4_096
/** Cannot stand in a text that has a key: control characters give none. */
const INTEGER = '\u0001'
const STRING = '\u0002'
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

/** What may stand in an identifier or number: PostgreSQL counts every non-ASCII byte, `_` and `$` among them. */
function isWord(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || isDigit(code) || code === 95 || code === 36 || code >= 128
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function wordEnd(text: string, from: number): number {
  let at = from + 1
  while (at < text.length && isWord(text.charCodeAt(at))) at++
  return at
}

/** A `$` that is not a parameter's (`$1`) may begin a dollar quote, even right after a number. */
function hasOddDollar(text: string, from: number, end: number): boolean {
  const parameter = text.charCodeAt(from) === DOLLAR
  if (parameter && end === from + 1) return true
  for (let at = from + 1; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code === DOLLAR || (parameter && !isDigit(code))) return true
  }
  return false
}

function beginsComment(code: number, next: number): boolean {
  return (code === MINUS && next === MINUS) || (code === SLASH && next === ASTERISK)
}

/** Digits only, few, and no part of `1.5`, `.5` or `$1`. */
function isPlainInteger(text: string, from: number, end: number): boolean {
  if (end - from > MAX_DIGITS || text.charCodeAt(from - 1) === DOT || text.charCodeAt(end) === DOT) return false
  for (let at = from; at < end; at++) if (!isDigit(text.charCodeAt(at))) return false
  return true
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

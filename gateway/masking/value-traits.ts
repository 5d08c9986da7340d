import { byteAt, byteSet } from './bytes.ts'

/**
 * What the bytes of a value rule out, so that most values need no regular expression, and no string to ask it of: a bit for each
 * letter in it, whatever its case, and bits for signs. A text that is in none of the bytes is not in the value.
 */

/** A byte that neither a word nor `n/a` nor `sha-256` has. */
const NO_WORD = 1 << 26
/** A byte that neither names nor sentences have. */
const UNSPOKEN = 1 << 27
const SLASH_OR_BRACKET = 1 << 28
const DOT = 1 << 29
const STAR = 1 << 30
/** What stands between words. */
const BETWEEN = 1 << 31

const WORDLIKE = byteSet('A-Za-z0-9_ /-')
/** What names and sentences consist of. */
const SPOKEN = byteSet("A-Za-z0-9 _.$,;:!?'-")
/** What references begin with: signs, or blanks before one. */
const REFERRING = byteSet('[$#{<%@:&+ \t\n\v\f\r')
/** A blank to regular expressions. */
const HARD_SPACE = 0xa0
REFERRING[HARD_SPACE] = 1

const TRAITS = Int32Array.from({ length: 256 }, (_, byte) => {
  const lower = byte | 0x20
  const letter = lower >= 0x61 && lower <= 0x7a && byte < 0x80 ? 1 << (lower - 0x61) : 0
  const sign = byte === 0x2f || byte === 0x5d ? SLASH_OR_BRACKET : byte === 0x2e ? DOT : byte === 0x2a ? STAR : 0
  const between = byte === 0x20 || byte === 0x5f || byte === 0x2d ? BETWEEN : 0
  return letter | sign | between | (WORDLIKE[byte] === 1 ? 0 : NO_WORD) | (SPOKEN[byte] === 1 ? 0 : UNSPOKEN)
})

const lettersOf = (words: string): readonly number[] =>
  words.split(' ').map((word) => [...word].reduce((all, letter) => all | (1 << (letter.charCodeAt(0) - 0x61)), 0))

/** Letters of which all are in whatever stands in for a value: of what is not listed something listed is a part. */
const PLACEHOLDERS = lettersOf('your my change place example insert redact her x')
/** The same of the words for secrets. */
const STEMS = lettersOf('pas pw secrt token credntial api key auth user')

/** The same of all that says there is nothing in several words, or names a way to hash. */
const NOTHINGS = lettersOf('notse sha argon pbkdf')

export function traitsOf(bytes: Uint8Array, from: number, to: number): number {
  let traits = 0
  for (let i = from; i < to; i++) traits |= TRAITS[byteAt(bytes, i)] as number // a byte indexes 256
  return traits
}

/** Whether it may refer to something else, say that there is nothing, or be a place. */
export function mayBeNoValue(traits: number, first: number): boolean {
  if ((traits & SLASH_OR_BRACKET) !== 0 || REFERRING[first] === 1) return true
  return (traits & NO_WORD) === 0 && ((traits & BETWEEN) === 0 || hasOne(traits, NOTHINGS))
}

export function mayStandIn(traits: number): boolean {
  return (traits & (DOT | STAR)) !== 0 || hasOne(traits, PLACEHOLDERS)
}

/** Whether it may speak of secrets. */
export function maySpeak(traits: number): boolean {
  return (traits & UNSPOKEN) === 0 && hasOne(traits, STEMS)
}

function hasOne(traits: number, words: readonly number[]): boolean {
  for (let i = 0; i < words.length; i++) if ((traits & (words[i] as number)) === words[i]) return true // i < words.length
  return false
}

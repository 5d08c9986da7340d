import { BACKSLASH } from './ascii.ts'

const U = 0x75
/** A set of byte values: 1 at each member. */
export type ByteSet = Uint8Array

/** A set from a class such as `A-Za-z0-9_-`; a `-` at the end stands for itself. ASCII only. */
export function byteSet(description: string, options?: { readonly high?: boolean }): ByteSet {
  const set = new Uint8Array(256)
  for (let i = 0; i < description.length; i++) {
    const first = description.charCodeAt(i)
    const isRange = description[i + 1] === '-' && i + 2 < description.length
    const last = isRange ? description.charCodeAt(i + 2) : first
    set.fill(1, first, last + 1)
    if (isRange) i += 2
  }
  // Bytes of multi-byte UTF-8 characters, where a set takes "any letter".
  if (options?.high) set.fill(1, 0x80)
  return set
}

/** With both cases of every ASCII letter that has one of them in `set`. */
export function foldCase(set: ByteSet): ByteSet {
  const folded = set.slice()
  for (let upper = 0x41; upper <= 0x5a; upper++) {
    if (set[upper] === 1 || set[upper + 32] === 1) {
      folded[upper] = 1
      folded[upper + 32] = 1
    }
  }
  return folded
}

export const DIGIT = byteSet('0-9')
export const ALNUM = byteSet('A-Za-z0-9')
export const WORD = byteSet('A-Za-z0-9_')
export const HEX = byteSet('0-9A-Fa-f')
export const BASE64 = byteSet('A-Za-z0-9+/=')
export const BASE64URL = byteSet('A-Za-z0-9_-')

/** One byte of a view. `index` is inside it: every walk in this folder is bounded by the field it was given. */
export function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number
}

export function within(set: ByteSet, bytes: Uint8Array, index: number): boolean {
  return set[byteAt(bytes, index)] === 1
}

/** The end of the run of `set` that begins at `index`, at most `end`. */
export function runEnd(set: ByteSet, bytes: Uint8Array, index: number, end: number): number {
  let i = index
  while (i < end && set[byteAt(bytes, i)] === 1) i++
  return i
}

/** The start of the run of `set` that ends before `index`, at least `start`. */
export function runStart(set: ByteSet, bytes: Uint8Array, index: number, start: number): number {
  let i = index
  while (i > start && set[byteAt(bytes, i - 1)] === 1) i--
  return i
}

/** Whether `index` is outside [start, end) or its byte is not in `set`: a boundary for a run of `set`. */
export function bounds(set: ByteSet, bytes: Uint8Array, index: number, start: number, end: number): boolean {
  return index < start || index >= end || set[byteAt(bytes, index)] !== 1
}

const ESCAPED = byteSet('bfnrtv')

/**
 * Whether an escape of JSON or of a string ends before `end`: `\n`, `\u000a`. Its letters and digits are part of no word. However many
 * backslashes there are: text within text has two where it had one.
 */
export function endsEscape(bytes: Uint8Array, end: number, start: number): boolean {
  if (end - 2 < start) return false
  if (byteAt(bytes, end - 2) === BACKSLASH) return within(ESCAPED, bytes, end - 1)
  return (
    end - 6 >= start &&
    byteAt(bytes, end - 5) === U &&
    byteAt(bytes, end - 6) === BACKSLASH &&
    runEnd(HEX, bytes, end - 4, end) === end
  )
}

/** Where a run that was found to begin at `index` does begin: behind an escape, where one seems to be its beginning. */
export function pastEscape(bytes: Uint8Array, index: number, start: number, end: number): number {
  if (index <= start || byteAt(bytes, index - 1) !== BACKSLASH) return index
  if (index < end && endsEscape(bytes, index + 1, start)) return index + 1
  return index + 5 <= end && endsEscape(bytes, index + 5, start) ? index + 5 : index
}

/** Whether a word may begin at `index`: what stands before it in the field, if anything does, is no part of one. */
export function beginsWord(bytes: Uint8Array, index: number, start: number): boolean {
  return index <= start || !within(WORD, bytes, index - 1) || endsEscape(bytes, index, start)
}

/** Whether the bytes from `index` are `text` (ASCII). */
export function startsWith(bytes: Uint8Array, index: number, end: number, text: string): boolean {
  if (index + text.length > end) return false
  for (let i = 0; i < text.length; i++) {
    if (byteAt(bytes, index + i) !== text.charCodeAt(i)) return false
  }
  return true
}

/** A short range as text, one character per byte. Only on candidates: never on the scanning path. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  let i = start
  // Eight at once: a string grown by one character at a time is copied, or linked, as often.
  for (; i + 8 <= end; i += 8) {
    text += String.fromCharCode(
      byteAt(bytes, i),
      byteAt(bytes, i + 1),
      byteAt(bytes, i + 2),
      byteAt(bytes, i + 3),
      byteAt(bytes, i + 4),
      byteAt(bytes, i + 5),
      byteAt(bytes, i + 6),
      byteAt(bytes, i + 7),
    )
  }
  if (i + 4 <= end) {
    text += String.fromCharCode(byteAt(bytes, i), byteAt(bytes, i + 1), byteAt(bytes, i + 2), byteAt(bytes, i + 3))
    i += 4
  }
  for (; i < end; i++) text += String.fromCharCode(byteAt(bytes, i))
  return text
}

/** Whether `word` (lower case) stands before `at`, in any case. */
export function follows(bytes: Uint8Array, from: number, at: number, word: string): boolean {
  const first = word.charCodeAt(0)
  for (let i = at - word.length; i >= from; i--) {
    if ((byteAt(bytes, i) | 0x20) === first && latin1(bytes, i, i + word.length).toLowerCase() === word) return true
  }
  return false
}

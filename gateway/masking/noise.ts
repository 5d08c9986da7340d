import { byteAt, byteSet } from './bytes.ts'
import { sequenceSize, textAround } from './chance.ts'

/** Looked at to each side of a name and its value. */
const WINDOW = 48
/** Of the text a value stands in, to both sides together: noise has so many characters in a row once in some hundred thousand. */
const ENOUGH_TEXT = 16
/** Of the bytes around: noise has some ten control characters among ninety-six bytes, and forty that are no UTF-8. */
const NOISE_CONTROLS = 3
const NOISE_HIGH = 12

/** No text has these; NUL pads binary formats, and a terminal's output has backspaces and escapes. */
const CONTROL = byteSet('\x01-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f')

/**
 * Whether bytes[start, end) stand in what is compressed, encrypted or random, where any short text turns up sooner or later: in a gigabyte of it four times
 * `pw` or `pwd`, a separator and a value. Says no wherever there is too little around to tell.
 */
export function inNoise(bytes: Uint8Array, start: number, end: number, from: number, to: number): boolean {
  const first = Math.max(from, start - WINDOW)
  const last = Math.min(to, end + WINDOW)
  if (textAround(bytes, first, start, end, last) >= ENOUGH_TEXT) return false
  let [controls, high] = [0, 0]
  for (let i = first; i < last; i++) {
    if (i === start) i = end
    if (i >= last) break
    const byte = byteAt(bytes, i)
    if (CONTROL[byte] === 1) controls++
    else if (byte >= 0x80) {
      const size = sequenceSize(bytes, i, last)
      if (size === 0) high++
      else i += size - 1
    }
  }
  return controls >= NOISE_CONTROLS && high >= NOISE_HIGH
}

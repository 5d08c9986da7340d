import { byteSet, runEnd, runStart } from './bytes.ts'
import { HIT_ENTITIES } from './hits.ts'

/** Looked at on each side of what was found. */
const WINDOW_SIZE = 64
/** Text has none of these, messages with lengths some; of bytes that are no text (compressed, encrypted, machine code) every second is one. */
const MAX_SHARE = 1 / 4
/** Of the text it stands in, to both sides together: noise has so many characters in a row once in some billion. */
const ENOUGH_TEXT = 24
/** Of what was found: in tables of addresses it is of such bytes itself. */
const MAX_OWN_SHARE = 1 / 4
/** Characters of ASCII in a row around an `@`: noise has ten of them once in some hundred megabytes. */
const MAX_CHANCE = 13
const AT = 0x40
/** Texts in other encodings are no UTF-8 either, but have no control characters: of bytes without order one in twelve is one. */
const CONTROLS_WINDOW_SIZE = 512
const MIN_CONTROLS = 1 / 64
/** What compressed data holds by chance, some fifteen times per MiB: a letter, `@`, and a few more. All else takes more luck than there is. */
const CHANCY = new Set([HIT_ENTITIES.indexOf('email')])

/** Control bytes that no text has: not NUL, which separates texts (/proc/<pid>/environ, find -print0), nor what terminals know. */
const STRANGE = byteSet('\x01-\x06\x10-\x1a\x1c-\x1f\x7f')
const TEXT = byteSet('\t\n\r -~')

/**
 * Whether what was found in bytes[start, end) is there by chance, in bytes that are no text. Masked, it would only break what is
 * transferred. `from` and `to`: as far as there are bytes.
 */
export function isChance(bytes: Uint8Array, from: number, start: number, end: number, to: number, entityId: number): boolean {
  if (!CHANCY.has(entityId) || textInside(bytes, start, end) > MAX_CHANCE) return false
  const low = Math.max(from, start - WINDOW_SIZE)
  const high = Math.min(to, end + WINDOW_SIZE)
  const around = strangeIn(bytes, low, high, to)
  if (around <= (high - low - (end - start)) * MAX_SHARE || textAround(bytes, low, start, end, high) >= ENOUGH_TEXT) return false
  return strangeIn(bytes, start, end, to) > (end - start) * MAX_OWN_SHARE || hasControls(bytes, from, start, end, to)
}

/** How many bytes of bytes[from, until) no text has. */
function strangeIn(bytes: Uint8Array, from: number, until: number, to: number): number {
  let strange = 0
  for (let at = from; at < until; ) {
    const byte = bytes[at] as number // from <= at < until
    const size = byte < 0x80 ? 1 : sequenceSize(bytes, at, to)
    if (size === 0 || STRANGE[byte] === 1) strange++
    at += Math.max(1, size)
  }
  return strange
}

function hasControls(bytes: Uint8Array, from: number, start: number, end: number, to: number): boolean {
  const low = Math.max(from, start - CONTROLS_WINDOW_SIZE)
  const high = Math.min(to, end + CONTROLS_WINDOW_SIZE)
  let controls = 0
  for (let at = low; at < high; at++) controls += STRANGE[bytes[at] as number] as number // low <= at < high
  return controls > (high - low) * MIN_CONTROLS
}

/** Characters of ASCII in a row around the `@` in bytes[start, end). */
function textInside(bytes: Uint8Array, start: number, end: number): number {
  const at = bytes.indexOf(AT, start)
  return runEnd(TEXT, bytes, at, end) - runStart(TEXT, bytes, at, start)
}

/** Characters of ASCII right before and behind bytes[start, end), in bytes[from, to). */
export function textAround(bytes: Uint8Array, from: number, start: number, end: number, to: number): number {
  return start - runStart(TEXT, bytes, start, from) + runEnd(TEXT, bytes, end, to) - end
}

/** Bytes of the UTF-8 character at `at`; 0 where there is none. One that is cut off by the end counts as one. */
export function sequenceSize(bytes: Uint8Array, at: number, to: number): number {
  const lead = bytes[at] ?? 0
  const size = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0
  for (let next = at + 1; next < Math.min(at + size, to); next++) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0
  return size
}

import { isUtf8 } from 'node:buffer'
import { hasControls, isBinaryPart } from './media.ts'
import { isWideText } from './wide-text.ts'

/** Looked at by itself. */
const SLICE_SIZE = 1024
/** In what is packed no text of that size comes about by chance, and names of things in programs are shorter. */
const TEXT_SIZE = 64
/** As much where it may go on behind the end of a piece. */
const EDGE_SIZE = 16
/** As much tells a table of numbers from a text in UTF-16. */
const TABLE_SIZE = 256

/** bytes[from, to), which is a text, or surely none. */
export interface Stretch {
  readonly from: number
  readonly to: number
  readonly binary: boolean
}

/** Of a body whose type promises no text: where it is surely none, and where there is some, of whatever size before or behind what is none. */
export function stretchesOf(bytes: Uint8Array): readonly Stretch[] {
  const found: Stretch[] = []
  const add = (from: number, to: number, binary: boolean): void => {
    const last = found.at(-1)
    if (from === to) return
    if (last?.binary === binary) found[found.length - 1] = { ...last, to }
    else found.push({ from, to, binary })
  }
  for (let at = 0; at < bytes.length; ) {
    const end = regionEnd(bytes, at, false)
    add(at, end, false)
    const over = regionEnd(bytes, end, true)
    let from = end
    for (let begin = end; begin < over; ) {
      const size = textSize(bytes, begin, over)
      const least =
        begin + size === over ? (over < bytes.length ? 1 : EDGE_SIZE) : begin > end ? TEXT_SIZE : begin > 0 ? 1 : EDGE_SIZE
      if (size >= least) {
        add(from, begin, true)
        add(begin, begin + size, false)
        from = begin + size
      }
      begin += Math.max(1, size)
    }
    add(from, over, true)
    at = over
  }
  return found
}

/** Of the slices from here on that are binary, or are not. */
function regionEnd(bytes: Uint8Array, from: number, binary: boolean): number {
  let at = from
  while (at < bytes.length && isBinary(bytes.subarray(at, at + SLICE_SIZE)) === binary)
    at = Math.min(at + SLICE_SIZE, bytes.length)
  return at
}

/** What no text has: control characters, or bytes that are no UTF-8; but a table of small numbers looks like UTF-16 by its NULs. */
function isBinary(slice: Uint8Array): boolean {
  let nuls = 0
  for (const byte of slice) if (byte === 0) nuls++
  if (nuls * 4 < slice.length) return hasControls(slice) || !isText(slice)
  return !isWideText(slice, (text) => !hasControls(text)) && (slice.length >= TABLE_SIZE || isBinaryPart('unknown', slice))
}

/** In UTF-8; a character may be cut at either end. */
function isText(slice: Uint8Array): boolean {
  let from = 0
  while (from < 3 && ((slice[from] ?? 0) & 0xc0) === 0x80) from++
  for (let cut = 0; cut < 4; cut++) if (isUtf8(slice.subarray(from, Math.max(from, slice.length - cut)))) return true
  return false
}

/** Of what is a text in UTF-8 from here on. */
function textSize(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to) {
    const byte = bytes[at] as number // at < to
    const size =
      byte < 0x80 ? 1 : byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xf0 && byte < 0xf5 ? 4 : 0
    if (size === 0 || at + size > to || (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) || byte === 0x7f) break
    let more = 1
    while (more < size && ((bytes[at + more] as number) & 0xc0) === 0x80) more++
    if (more < size) break
    at += size
  }
  return at - from
}

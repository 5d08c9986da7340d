import type { Field } from '../../message.ts'
import type { MessageLength, Rewrite } from './rewrite.ts'

const OPENING = Buffer.from('\\x')
const BACKSLASH = 0x5c
/** Digits of the shortest value any detector knows: six bytes. */
const MIN_DIGITS = 12

export interface HexRun {
  readonly from: number
  readonly to: number
}

const NONE: readonly HexRun[] = []
/** Up to this size looking for a backslash here is quicker than a search that is called for. */
const SHORT_SIZE = 256

/** Binary values written out in a text, `\x` and hex digits (also `\\x`, as COPY has it), in order. Linear. */
export function hexRuns(source: Uint8Array, from: number, to: number): readonly HexRun[] {
  if (to - from <= SHORT_SIZE && !hasBackslash(source, from, to)) return NONE
  const text = Buffer.from(source.buffer, source.byteOffset, to)
  const runs: HexRun[] = []
  for (let at = text.indexOf(OPENING, from); at !== -1; at = text.indexOf(OPENING, at)) {
    let end = at + OPENING.length
    while (end < to && isHexDigit(text[end] ?? 0)) end++
    const start = at > from && text[at - 1] === BACKSLASH ? at - 1 : at
    if (end - at - OPENING.length >= MIN_DIGITS) runs.push({ from: start, to: end })
    at = end
  }
  return runs
}

function hasBackslash(source: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (source[at] === BACKSLASH) return true
  return false
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46)
}

/** Redacts a text, and every binary value in it that holds what a detector knows: such a value is covered whole. */
export function redactText(rewrite: Rewrite, from: number, to: number, field: Field, length: MessageLength): void {
  const runs = hexRuns(rewrite.source, from, to)
  if (runs.length === 0) {
    rewrite.field(from, to, field, length)
    return
  }
  let at = from
  const hex: Field = { ...field, encoding: 'bytea' }
  for (const run of runs) {
    if (rewrite.redactor.clean(rewrite.source, run.from, run.to, hex)) continue
    rewrite.field(at, run.from, field, length)
    rewrite.field(run.from, run.to, hex, length)
    at = run.to
  }
  rewrite.field(at, to, field, length)
}

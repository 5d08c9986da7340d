import { ApplianceError } from '../../../schemas/errors.ts'
import type { Field, Sieve } from '../../message.ts'
import { hexRuns, redactText } from './hex-runs.ts'
import { HEADER_SIZE, int32 } from './messages.ts'
import { MessageLength, type Rewrite } from './rewrite.ts'

/** How the lines of a COPY ... TO STDOUT are cut into fields. */
export interface CopyShape {
  readonly format: 'text' | 'csv' | 'binary'
  readonly delimiter: number
  readonly quote: number
  /** Per column in file order, as far as known. */
  readonly columns: readonly Field[]
  /** For fields without a column here; scanned where absent. */
  readonly rest?: Field
}

const LINE: Field = { path: 'copy', action: 'scan' }
const NEWLINE = 0x0a
const BACKSLASH = 0x5c
const RETURN = 0x0d
/** First bytes of a binary COPY: "PGCOPY\n\377\r\n\0", then flags and an extension length (manual, COPY, "Binary Format"). */
const BINARY_SIGNATURE_SIZE = 11

/** Redacts a run of CopyData messages; each holds one row (PostgreSQL's server sends it so). */
export function redactCopy(rewrite: Rewrite, from: number, to: number, shape: CopyShape | undefined): void {
  const { source } = rewrite
  // A line with a binary value written out in it is looked at field by field.
  if ((shape === undefined || onlyScanned(shape)) && hexRuns(source, from, to).length === 0) {
    coverLines(rewrite, from, to, dirtyLines(rewrite, from, to), shape)
    return
  }
  for (let at = from; at < to; at += 1 + int32(source, at + 1)) coverLine(rewrite, at, shape)
}

/** Where the messages begin in whose lines detectors find something: most are clean, and a line can be looked at as one field. */
function dirtyLines({ source, redactor }: Rewrite, from: number, to: number): readonly number[] {
  const sieve = redactor.sieve(source, from, to)
  for (let at = from; sieve !== undefined && at < to; at += 1 + int32(source, at + 1))
    sieve.add(at + HEADER_SIZE, at + 1 + int32(source, at + 1))
  const suspects = sieve?.suspects()
  const dirty: number[] = []
  let next = 0
  for (let at = from; at < to && next !== suspects?.length; at += 1 + int32(source, at + 1)) {
    const body = at + HEADER_SIZE
    if (suspects !== undefined && suspects[next] !== body) continue
    const suspect = suspects === undefined ? -1 : next++
    if (!redactor.clean(source, body, at + 1 + int32(source, at + 1), LINE, suspect)) dirty.push(at)
  }
  return dirty
}

/** Below, a line is quicker than a second look at all that came with it. */
const MIN_SIFTED_LINES = 8

/** The fields of these lines are sifted in their turn, and what is known of them is written at once. */
function coverLines(rewrite: Rewrite, from: number, to: number, lines: readonly number[], shape: CopyShape | undefined): void {
  const { source, redactor } = rewrite
  const isSifted = lines.length >= MIN_SIFTED_LINES && shape?.columns.every(({ encoding }) => encoding === undefined) !== false
  const sieve = isSifted ? redactor.sieve(source, from, to) : undefined
  if (sieve !== undefined) for (const at of lines) addFields(sieve, source, at, shape)
  const suspects = sieve?.suspects()
  let next = 0
  /** The line that has just been left by who writes the others at once. */
  let left = -1
  for (const at of lines) {
    if (suspects !== undefined) {
      const end = at + 1 + int32(source, at + 1)
      const suspect = suspects[next]
      if (suspect === undefined) return
      if (suspect >= end) continue
      const progress = at === left ? undefined : rewrite.suspects(at, next)
      if (progress !== undefined) {
        next = progress.next
        left = progress.at - 1
        if (left !== at) continue
      }
      while ((suspects[next] ?? end) < end) next++
    }
    coverLine(rewrite, at, shape)
  }
}

function addFields(sieve: Sieve, source: Uint8Array, at: number, shape: CopyShape | undefined): void {
  const end = at + 1 + int32(source, at + 1)
  sieve.unit(at + 1, false)
  if (shape === undefined) sieve.add(at + HEADER_SIZE, end)
  else
    eachField(source, at + HEADER_SIZE, end, shape, (from, to, index) => {
      const field = shape.columns[index] ?? shape.rest ?? LINE
      if (field.action === 'skip' || isNull(source, from, to, shape)) return
      const quotes = field.nullOnly === true ? 0 : quotesOf(source, from, to, shape)
      sieve.add(from + quotes, to - quotes, field.nullOnly === true)
    })
}

function coverLine(rewrite: Rewrite, at: number, shape: CopyShape | undefined): void {
  const size = int32(rewrite.source, at + 1)
  const body = at + HEADER_SIZE
  const end = at + 1 + size
  const length = new MessageLength(at + 1, size)
  if (shape === undefined) redactText(rewrite, body, end, LINE, length)
  else if (shape.format === 'binary') binaryRow(rewrite, body, end, shape, length)
  else
    eachField(rewrite.source, body, end, shape, (from, to, index) => {
      copyField(rewrite, from, to, shape, index, length)
    })
  length.settle()
}

/** Whether detectors alone decide about every field; a binary line is more than the text in it. */
function onlyScanned(shape: CopyShape): boolean {
  if (shape.format === 'binary' || shape.rest?.action === 'mask') return false
  return shape.columns.every((field) => field.action !== 'mask')
}

function eachField(
  source: Uint8Array,
  from: number,
  to: number,
  shape: CopyShape,
  visit: (from: number, to: number, index: number) => void,
): void {
  let end = to
  if (end > from && source[end - 1] === NEWLINE) end--
  if (end > from && source[end - 1] === RETURN) end--
  let start = from
  let index = 0
  let quoted = false
  for (let at = from; at < end; at++) {
    const byte = source[at]
    if (shape.format === 'csv' && byte === shape.quote) quoted = !quoted
    if (shape.format === 'text' && byte === BACKSLASH) {
      at++
    } else if (byte === shape.delimiter && !quoted) {
      visit(start, at, index)
      start = at + 1
      index++
    }
  }
  visit(start, end, index)
}

/** \N is NULL in text format; an empty field is NULL in CSV. */
function isNull(source: Uint8Array, from: number, to: number, { format }: CopyShape): boolean {
  return from >= to || (format === 'text' && to - from === 2 && source[from] === BACKSLASH && source[from + 1] === 0x4e)
}

function quotesOf(source: Uint8Array, from: number, to: number, shape: CopyShape): number {
  return shape.format === 'csv' && source[from] === shape.quote && to - from >= 2 ? 1 : 0
}

function copyField(rewrite: Rewrite, from: number, to: number, shape: CopyShape, index: number, length: MessageLength): void {
  const { source } = rewrite
  const field = shape.columns[index] ?? shape.rest ?? LINE
  if (isNull(source, from, to, shape)) return
  const quotes = quotesOf(source, from, to, shape)
  if (field.nullOnly !== true && field.action === 'scan') {
    redactText(rewrite, from + quotes, to - quotes, field, length)
    return
  }
  if (field.nullOnly !== true) {
    rewrite.field(from + quotes, to - quotes, field, length)
    return
  }
  if (rewrite.redactor.clean(source, from, to, field)) return
  // A typed column (number, date, JSON): only NULL is valid in its place. `masked` stays visible on the tape as a NULL span.
  const sink = rewrite.upTo(from)
  length.found(sink, from)
  const nullText = shape.format === 'text' ? Buffer.from('\\N') : new Uint8Array()
  sink.copy(nullText, 0, nullText.length)
  rewrite.replaced(to)
  length.change(nullText.length - (to - from))
}

function binaryRow(rewrite: Rewrite, from: number, to: number, shape: CopyShape, length: MessageLength): void {
  const { source, redactor } = rewrite
  let at = from
  // The first row comes behind the file header, in the same message.
  if (to - from >= BINARY_SIGNATURE_SIZE + 8 && source[from] === 0x50 && source[from + 6] === 0x0a && source[from + 7] === 0xff) {
    at += BINARY_SIGNATURE_SIZE + 8 + int32(source, from + BINARY_SIGNATURE_SIZE + 4)
  }
  at += 2
  for (let index = 0; at + 4 <= to; index++) {
    const size = int32(source, at)
    const cell = at + 4
    const field = shape.columns[index] ?? shape.rest ?? LINE
    if (cell + Math.max(size, 0) > to)
      throw new ApplianceError('PROTOCOL_MALFORMED', `COPY column ${index + 1} of ${size} bytes does not fit its row`)
    if (size > 0 && !redactor.clean(source, cell, cell + size, field)) {
      const sink = rewrite.upTo(at)
      length.found(sink, at)
      const lengthAt = sink.size
      sink.int32(0)
      const written = redactor.write(sink, source, cell, cell + size, { ...field, nullOnly: true })
      sink.setInt32(lengthAt, written)
      if (written === -1) sink.noteNull(lengthAt, field)
      rewrite.replaced(cell + size)
      length.change(Math.max(written, 0) - size)
    }
    at = cell + Math.max(size, 0)
  }
}

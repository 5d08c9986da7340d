import { ApplianceError } from '../../../schemas/errors.ts'
import type { Field, RedactionSink, Sieve } from '../../message.ts'
import { CopyFields, type CopyLines, codingByte, encoded, isCommon, lineEnd, needsQuotes } from './copy-fields.ts'
import { hexRuns, redactText } from './hex-runs.ts'
import { UNKNOWN_ORIGIN } from './label-reader.ts'
import { HEADER_SIZE, int32 } from './messages.ts'
import { MessageLength, Rewrite } from './rewrite.ts'

/** How a COPY ... TO STDOUT is cut into fields, and how they are treated. */
export interface CopyShape {
  /** `unknown`: it cannot be told how lines are cut; they are masked whole. */
  readonly lines: CopyLines | 'binary' | 'unknown'
  /** Fields in every line, as the server says; a line that has another number is masked whole. */
  readonly count: number
  /** Per column in file order, as far as known. */
  readonly columns: readonly Field[]
  /** For fields without a column here; scanned where absent. */
  readonly rest?: Field
}

const LINE: Field = { path: 'copy', action: 'scan' }
const WHOLE: Field = { path: 'copy', action: 'mask', ...UNKNOWN_ORIGIN }
/** First bytes of a binary COPY: "PGCOPY\n\377\r\n\0", then flags and an extension length (manual, COPY, "Binary Format"). */
const BINARY_SIGNATURE_SIZE = 11
/** Of the delimiters in whose lines words end, those that no mask has in it. */
const NEVER_IN_MASKS: ReadonlySet<number> = new Set([0x09, 0x7c])

/** Redacts a run of CopyData messages; each holds one row (PostgreSQL's server sends it so). */
export function redactCopy(rewrite: Rewrite, from: number, to: number, shape: CopyShape | undefined): void {
  const { source } = rewrite
  const lines = shape?.lines ?? 'unknown'
  if (shape === undefined || typeof lines === 'string') {
    for (let at = from; at < to; at += 1 + int32(source, at + 1)) coverUncut(rewrite, at, shape)
    return
  }
  const cut: CutLines = { lines, shape, fields: new CopyFields(lines), common: isCommon(lines) }
  // A line with a binary value written out in it is looked at field by field.
  if (cut.common && onlyScanned(shape) && hexRuns(source, from, to).length === 0) {
    coverLines(rewrite, suspectLines(rewrite, from, to, codingByte(lines)), cut)
    return
  }
  for (let at = from; at < to; at += 1 + int32(source, at + 1)) coverLine(rewrite, at, cut)
}

/** How a line is treated in which no fields can be told apart, as in one too large to hold; undefined: detectors look at it. */
export function uncutField(shape: CopyShape | undefined): Field | undefined {
  if (shape === undefined || shape.lines === 'unknown') return WHOLE
  const masked = [...shape.columns, ...(shape.rest === undefined ? [] : [shape.rest])].find(({ action }) => action === 'mask')
  return masked ?? (shape.lines === 'binary' || isCommon(shape.lines) ? undefined : WHOLE)
}

interface CutLines {
  readonly lines: CopyLines
  readonly shape: CopyShape
  readonly fields: CopyFields
  readonly common: boolean
}

/**
 * Where the messages begin whose fields must be looked at: detectors find something in the line, which most are clean of, or it
 * has the byte in it without which a line says of itself what its fields say.
 */
function suspectLines({ source, redactor }: Rewrite, from: number, to: number, coding: number): readonly number[] {
  const coded = linesWith(source, from, to, coding)
  const sieve = redactor.sieve(source, from, to)
  let isCoded = 0
  for (let at = from; sieve !== undefined && at < to; ) {
    const end = at + 1 + int32(source, at + 1)
    if (coded[isCoded] === at) isCoded++
    else sieve.add(at + HEADER_SIZE, end)
    at = end
  }
  const suspects = sieve?.suspects()
  const found: number[] = []
  let next = 0
  isCoded = 0
  for (let at = from; at < to; at += 1 + int32(source, at + 1)) {
    const body = at + HEADER_SIZE
    if (coded[isCoded] === at) {
      isCoded++
      found.push(at)
      continue
    }
    if (suspects !== undefined && suspects[next] !== body) {
      if (suspects[next] === undefined && coded[isCoded] === undefined) break
      continue
    }
    const suspect = suspects === undefined ? -1 : next++
    if (!redactor.clean(source, body, at + 1 + int32(source, at + 1), LINE, suspect)) found.push(at)
  }
  return found
}

/** Where the messages begin that have this byte in their bodies. */
function linesWith(source: Uint8Array, from: number, to: number, byte: number): readonly number[] {
  const bytes = Buffer.from(source.buffer, source.byteOffset, to)
  const found: number[] = []
  let mark = bytes.indexOf(byte, from)
  for (let at = from; mark !== -1 && at < to; at += 1 + int32(source, at + 1)) {
    const end = at + 1 + int32(source, at + 1)
    if (mark >= end) continue
    if (mark < at + HEADER_SIZE) mark = bytes.indexOf(byte, at + HEADER_SIZE)
    if (mark === -1 || mark >= end) continue
    found.push(at)
    mark = bytes.indexOf(byte, end)
  }
  return found
}

/** Below, a line is quicker than a second look at all that came with it. */
const MIN_SIFTED_LINES = 8

/** Runs of lines whose fields stand as they are can be sifted; one with a field to decode, or with too few, ends a run. */
function coverLines(rewrite: Rewrite, lines: readonly number[], cut: CutLines): void {
  let run: number[] = []
  for (const at of lines) {
    readLine(rewrite.source, at, cut)
    if (!cut.fields.coded && cut.fields.count === cut.shape.count) {
      run.push(at)
      continue
    }
    coverRun(rewrite, run, cut)
    run = []
    coverLine(rewrite, at, cut)
  }
  coverRun(rewrite, run, cut)
}

/** The fields of these lines are sifted in their turn, and what is known of them is written at once. */
function coverRun(rewrite: Rewrite, lines: readonly number[], cut: CutLines): void {
  const { source, redactor } = rewrite
  const [first] = lines
  const last = lines.at(-1)
  if (first === undefined || last === undefined) return
  const isSifted = lines.length >= MIN_SIFTED_LINES && cut.shape.columns.every(({ encoding }) => encoding === undefined)
  const sieve = isSifted ? redactor.sieve(source, first, last + 1 + int32(source, last + 1)) : undefined
  if (sieve !== undefined) for (const at of lines) addFields(sieve, source, at, cut)
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
    coverLine(rewrite, at, cut)
  }
}

function readLine(source: Uint8Array, at: number, { fields }: CutLines): void {
  fields.read(source, at + HEADER_SIZE, at + 1 + int32(source, at + 1))
}

function addFields(sieve: Sieve, source: Uint8Array, at: number, cut: CutLines): void {
  const { fields } = cut
  readLine(source, at, cut)
  sieve.unit(at + 1, false)
  for (let index = 0; index < fields.count; index++) {
    const field = fieldAt(cut.shape, index)
    if (field.action === 'skip' || fields.isNull(index) || fields.from(index) === fields.to(index)) continue
    if (field.nullOnly === true) sieve.add(fields.outerFrom(index), fields.outerTo(index), true)
    else sieve.add(fields.from(index), fields.to(index))
  }
}

function fieldAt({ columns, rest }: CopyShape, index: number): Field {
  return columns[index] ?? rest ?? LINE
}

function coverUncut(rewrite: Rewrite, at: number, shape: CopyShape | undefined): void {
  const size = int32(rewrite.source, at + 1)
  const body = at + HEADER_SIZE
  const end = at + 1 + size
  const length = new MessageLength(at + 1, size)
  if (shape?.lines === 'binary') binaryRow(rewrite, body, end, shape, length)
  else rewrite.field(body, lineEnd(rewrite.source, body, end), WHOLE, length)
  length.settle()
}

function coverLine(rewrite: Rewrite, at: number, cut: CutLines): void {
  const { fields, shape } = cut
  readLine(rewrite.source, at, cut)
  // A table may have no columns, and its lines then are empty.
  if (fields.count !== Math.max(shape.count, 1)) {
    coverUncut(rewrite, at, undefined)
    return
  }
  const length = new MessageLength(at + 1, int32(rewrite.source, at + 1))
  for (let index = 0; index < fields.count; index++) coverField(rewrite, index, cut, length)
  length.settle()
}

/** Whether detectors alone decide about every field. */
function onlyScanned(shape: CopyShape): boolean {
  return shape.rest?.action !== 'mask' && shape.columns.every((field) => field.action !== 'mask')
}

function coverField(rewrite: Rewrite, index: number, { lines, shape, fields, common }: CutLines, length: MessageLength): void {
  const field = fieldAt(shape, index)
  if (field.action === 'skip' || fields.isNull(index) || fields.outerFrom(index) === fields.outerTo(index)) return
  const isPlain = common && !fields.isCoded(index) && (fields.isQuoted(index) || NEVER_IN_MASKS.has(lines.delimiter))
  if (isPlain && field.nullOnly !== true) {
    redactValue(rewrite, fields.from(index), fields.to(index), field, length)
    return
  }
  const value = fields.value(index)
  if (field.nullOnly === true) {
    // A typed column (number, date, JSON): only NULL is valid in its place.
    if (!rewrite.redactor.clean(value, 0, value.length, field))
      replace(rewrite, index, fields, length, (sink) => sink.copy(lines.nullText, 0, lines.nullText.length))
    return
  }
  const redaction = new Rewrite(value, 0, value.length, rewrite.redactor)
  redactValue(redaction, 0, value.length, field, new MessageLength(0, value.length))
  const redacted = redaction.finish(value)
  if (redacted.bytes === value) return
  const quoted =
    lines.format === 'csv' && (rewrite.source[fields.outerFrom(index)] === lines.quote || needsQuotes(redacted.bytes, lines))
  const quotes = Uint8Array.of(lines.quote)
  replace(rewrite, index, fields, length, (sink) => {
    if (quoted) sink.copy(quotes, 0, 1)
    sink.append(redacted, (piece) => (quoted || lines.format === 'text' ? encoded(piece, lines) : piece))
    if (quoted) sink.copy(quotes, 0, 1)
  })
}

function redactValue(rewrite: Rewrite, from: number, to: number, field: Field, length: MessageLength): void {
  if (field.action === 'scan') redactText(rewrite, from, to, field, length)
  else rewrite.field(from, to, field, length)
}

function replace(
  rewrite: Rewrite,
  index: number,
  fields: CopyFields,
  length: MessageLength,
  write: (sink: RedactionSink) => void,
): void {
  const from = fields.outerFrom(index)
  const to = fields.outerTo(index)
  const sink = rewrite.upTo(from)
  length.found(sink, from)
  const before = sink.size
  write(sink)
  rewrite.replaced(to)
  length.change(sink.size - before - (to - from))
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

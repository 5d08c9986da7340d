import type { Redacted, RedactionSink, Redactor } from '../../message.ts'
import { redactJson } from './json-body.ts'
import { UNREADABLE } from './multipart-body.ts'
import { BULK, redactText, TEXT, type TextKind } from './text-body.ts'

type Piece = readonly [source: Uint8Array, from: number, to: number]

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const NAME = Buffer.from('data')
const PREFIX = Buffer.from('data: ')
const LINE_END = Buffer.from('\n')
const MARK = Buffer.from([0xef, 0xbb, 0xbf])

/** Of source[from, next): its value is source[value, end). */
interface Line {
  readonly from: number
  readonly value: number
  readonly end: number
  readonly next: number
  readonly isData: boolean
}

/**
 * Appends a stream of events (WHATWG HTML, 9.2), or of lines that are JSON each: what its reader puts together, the `data` of one event, is read together,
 * every other line by itself.
 */
export function redactEvents(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, how: TextKind): void {
  let event: Line[] = []
  const start = begins(source, from, to, MARK) ? from + MARK.length : from
  sink.copy(source, from, start)
  for (let at = start; at < to; ) {
    const line = lineAt(source, at, to)
    if (line.isData || (event.length > 0 && line.end > line.from)) event.push(line)
    else {
      redactEvent(redactor, sink, [source, event], how)
      redactLine(redactor, sink, [source, line], how)
      event = []
    }
    at = line.next
  }
  redactEvent(redactor, sink, [source, event], how)
}

/** Lines end with LF, CR or both. Neither is looked for past the other: a megabyte of the one has none of the other. */
function lineAt(source: Uint8Array, from: number, to: number): Line {
  let end = from
  while (end < to && source[end] !== LF && source[end] !== CR) end++
  const both = end + 1 < to && source[end] === CR && source[end + 1] === LF
  const next = Math.min(end + (both ? 2 : 1), to)
  const named = begins(source, from, end, NAME) ? from + NAME.length : -1
  const isData = named !== -1 && (named === end || source[named] === COLON)
  return { from, value: isData ? Math.min(named + 1, end) : from, end, next, isData }
}

function begins(source: Uint8Array, from: number, to: number, bytes: Uint8Array): boolean {
  return to - from >= bytes.length && bytes.every((byte, at) => source[from + at] === byte)
}

function redactLine(
  redactor: Redactor,
  sink: RedactionSink,
  [source, { from, value, end, next }]: readonly [source: Uint8Array, line: Line],
  how: TextKind,
): void {
  sink.copy(source, from, value)
  redactText(redactor, sink, [source, value, end], how)
  sink.copy(source, end, next)
}

function redactEvent(
  redactor: Redactor,
  sink: RedactionSink,
  [source, lines]: readonly [source: Uint8Array, lines: readonly Line[]],
  how: TextKind,
): void {
  const data = lines.filter(({ isData }) => isData)
  const [first] = data
  const joined = data.length > 1 ? redactJoined(redactor, [source, data], how) : undefined
  if (first === undefined || joined === undefined) {
    for (const line of lines) redactLine(redactor, sink, [source, line], how)
    return
  }
  for (const line of lines) {
    if (!line.isData) redactLine(redactor, sink, [source, line], how)
    else if (joined.masks === null) sink.copy(source, line.from, line.next)
    else if (line === first) {
      const between = Buffer.concat([source.subarray(first.end, first.next), PREFIX]).toString('latin1')
      sink.copy(PREFIX, 0, PREFIX.length)
      sink.append(joined, (piece) => Buffer.from(Buffer.from(piece).toString('latin1').replaceAll('\n', between), 'latin1'))
      sink.copy(source, first.end, first.next)
    }
  }
}

/**
 * The data of one event with LF between its lines, as its reader has it. Where that is no JSON, line by line, and what only shows in all of it masked in all of
 * it; nobody can tell what a label hides in JSON that is in pieces.
 */
function redactJoined(
  redactor: Redactor,
  [source, data]: readonly [source: Uint8Array, data: readonly Line[]],
  how: TextKind,
): Redacted {
  const size = data.reduce((sum, { value, end }) => sum + end - value + 1, 0)
  const joined = Buffer.alloc(size)
  const apart = redactor.sink(size)
  let at = 0
  for (const { value, end } of data) {
    const from = value < end && source[value] === SPACE ? value + 1 : value
    if (at > 0) {
      joined[at++] = LF
      apart.copy(LINE_END, 0, 1)
    }
    redactText(redactor, apart, [source, from, end], how)
    joined.set(source.subarray(from, end), at)
    at += end - from
  }
  const whole: Piece = [joined, 0, at]
  const inside = redactor.sink(size)
  if (redactJson(redactor, inside, whole, how)) return inside.finish()
  const lines = apart.finish()
  const text = how.answer ? BULK : TEXT
  const isPiece = lines.masks?.labels.some(([entity]) => entity === UNREADABLE.entity) === true
  if (!isPiece && redactor.clean(lines.bytes, 0, lines.bytes.length, text)) return lines
  redactor.write(inside, ...whole, isPiece || lines.masks !== null ? UNREADABLE : text)
  return inside.finish()
}

/** Appends a line of data in the place of some of an event that was too large to be read as one. */
export function coverEvent(redactor: Redactor, sink: RedactionSink, piece: Piece): void {
  sink.copy(PREFIX, 0, PREFIX.length)
  redactor.write(sink, ...piece, UNREADABLE)
  sink.copy(LINE_END, 0, LINE_END.length)
}

import { promising } from '../../masking/promised.ts'
import type { Field, RedactionSink, Redactor } from '../../message.ts'
import { type Headers, headerOf } from './head.ts'
import type { JsonFields } from './json-body.ts'
import { isAmbiguous, type Media, mediaOf } from './media.ts'
import { named } from './named.ts'
import { readingsOf } from './parameters.ts'
import { type LineEnd, type PartHead, partHeadOf } from './part-head.ts'
import { wideOf } from './wide-text.ts'

type Piece = readonly [source: Uint8Array, from: number, to: number]

/** Appends source[from, to) redacted as what its type says. */
type RedactPart = (piece: Piece, about: { readonly media: Media; readonly boundary: string | undefined }) => void

/** `answer`: whatever the target has may be in it. */
interface PartsHow {
  readonly fields: JsonFields
  readonly answer: boolean
  readonly budget: PartsBudget
  readonly redactPart: RedactPart
}

/** Parts that are still looked into, of a whole body with those inside of its parts. */
export interface PartsBudget {
  left: number
}

/** Nobody's form has that many; each costs some microseconds, however small it is. */
export const MAX_PARTS = 1_000

const TEXT: Field = { path: 'body', action: 'scan' }
const HEADER: Field = { path: 'body.header', action: 'scan' }
export const UNREADABLE: Field = { path: 'body', action: 'mask', label: 'http.unreadable', entity: 'unreadable' }
const LF = 0x0a
const CR = 0x0d
const DASH = 0x2d
const SPACE = 0x20
const TAB = 0x09

/** RFC 2046, 5.1.1. */
const MAX_BOUNDARY_LENGTH = 70

/** What nobody can tell how its reader takes it, a body or a part of one: masked whole where a label may be meant, else a text. */
export function unreadableField({ unreadable, labelled }: JsonFields): Field {
  return unreadable ?? (labelled ? UNREADABLE : TEXT)
}

/** What stands between the parts of a multipart body; undefined where the type names nothing that could, or two readers may take it for different things. */
export function boundaryOf(headers: Headers): string | undefined {
  const [type, ...others] = valuesOf(headers, 'content-type')
  const [boundary = '', ...more] = (type === undefined ? undefined : readingsOf(type, 'boundary')) ?? []
  const isClear = others.length === 0 && more.length === 0 && boundary !== '' && boundary.trim() === boundary
  return isClear && boundary.length <= MAX_BOUNDARY_LENGTH ? boundary : undefined
}

/**
 * Appends a multipart body (RFC 2046, 5.1; RFC 7578), each part redacted as if it had come by itself: labelled ones whole, by the name of their field,
 * others by their own type. What stands around parts is text. From where readers may differ over what a part is, the rest is `unreadableField`. Linear.
 */
export function redactMultipart(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: Piece,
  how: PartsHow & { readonly boundary: string },
): void {
  const delimiter = Buffer.from(`--${how.boundary}`, 'latin1')
  const bytes = Buffer.from(source.buffer, source.byteOffset, to)
  const rest = unreadableField(how.fields)
  const strict = rest.action === 'mask'
  let lineEnd: LineEnd | undefined
  let at = from
  let inside = false
  for (;;) {
    const line = nextDelimiter(bytes, at, delimiter, strict)
    lineEnd ??= line?.before ?? line?.after
    const doubtful = line !== undefined && strict && isDoubtful(line, lineEnd)
    if (doubtful || (inside && how.budget.left === 0)) {
      if (at < to) redactor.write(sink, source, at, to, rest)
      return
    }
    const end = line === undefined ? to : line.contentEnd
    if (inside) {
      how.budget.left--
      redactOne(redactor, sink, [source, at, end], { ...how, bytes, lineEnd })
    } else redactor.write(sink, source, at, end, TEXT)
    if (line === undefined) return
    sink.copy(source, end, line.next)
    at = line.next
    inside = !line.closes
  }
}

function redactOne(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: Piece,
  { fields, answer, redactPart, bytes, lineEnd }: PartsHow & { readonly bytes: Buffer; readonly lineEnd: LineEnd | undefined },
): void {
  const unreadable = unreadableField(fields)
  const head = partHeadOf(bytes, from, to)
  const name = head === undefined ? undefined : nameOf(head)
  const isClear = name !== undefined && head?.lineEnd === (lineEnd ?? head?.lineEnd)
  if (head === undefined || (unreadable.action === 'mask' && !isClear)) {
    if (from < to) redactor.write(sink, source, from, to, unreadable)
    return
  }
  for (const { value, end, name: header, next } of head.lines) {
    sink.copy(source, from, value)
    const key = Buffer.from(header)
    redactor.write(sink, source, value, end, named(promising(HEADER, [key, 0, key.length], true), header))
    sink.copy(source, end, next)
    from = next
  }
  sink.copy(source, from, head.end)
  const { headers, end: body } = head
  const key = Buffer.from(name ?? '')
  const field = named(promising(fields.of(name ?? ''), [key, 0, key.length], true), name ?? '', answer)
  const media = headerOf(headers, 'content-type') === undefined ? untyped(bytes, body, to) : mediaOf(headers)
  const isPlain = media === 'text' && wideOf(bytes.subarray(body, to)) === undefined
  if (field.action === 'mask' || isPlain) redactor.write(sink, source, body, to, field)
  else redactPart([source, body, to], { media, boundary: boundaryOf(headers) })
}

/** Of the field: '' where it has none; undefined where two readers may take it for different ones. */
function nameOf({ headers }: PartHead): string | undefined {
  const [disposition = '', ...more] = valuesOf(headers, 'content-disposition')
  const readings = readingsOf(disposition, 'name')
  if (readings === undefined || readings.size > 1 || more.length > 0) return undefined
  if (valuesOf(headers, 'content-type').length > 1 || isAmbiguous(headers)) return undefined
  const [name = ''] = readings
  return unescaped(name)
}

function valuesOf(headers: Headers, name: string): readonly string[] {
  return headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
}

/** A field without a type is a text (RFC 7578, 4.4), in which some clients write JSON all the same. */
function untyped(bytes: Buffer, from: number, to: number): Media {
  let at = from
  while (at < to && (bytes[at] === SPACE || bytes[at] === TAB || bytes[at] === LF || bytes[at] === CR)) at++
  return at < to && (bytes[at] === 0x7b || bytes[at] === 0x5b) ? 'json' : 'text'
}

/** A line that begins with the delimiter: what stands before it ends at `contentEnd`, what follows begins at `next`. */
interface Delimiter {
  readonly contentEnd: number
  readonly next: number
  readonly closes: boolean
  /** How the line before it ends, and itself. */
  readonly before: LineEnd | undefined
  readonly after: LineEnd | undefined
  /** There is more on its line. */
  readonly more: boolean
}

/** Whether it is one to some readers only: with blanks behind it, or ended unlike the first. */
function isDoubtful({ before, after, closes, more }: Delimiter, lineEnd: LineEnd | undefined): boolean {
  return more || (before ?? lineEnd) !== lineEnd || (!closes && (after ?? lineEnd) !== lineEnd)
}

/** In `bytes` from `from` on. `strict`: also a line that only begins like one. */
function nextDelimiter(bytes: Buffer, from: number, delimiter: Buffer, strict: boolean): Delimiter | undefined {
  const to = bytes.length
  for (let at = bytes.indexOf(delimiter, from); at !== -1; at = bytes.indexOf(delimiter, at + 1)) {
    if (at > from && bytes[at - 1] !== LF) continue
    let next = at + delimiter.length
    const closes = bytes[next] === DASH && bytes[next + 1] === DASH
    if (closes) next += 2
    const blanks = next
    while (next < to && (bytes[next] === SPACE || bytes[next] === TAB)) next++
    const padded = next > blanks
    const returns = next < to && bytes[next] === CR
    if (returns) next++
    const whole = next >= to || bytes[next] === LF
    if (!whole && !strict) continue
    const lineEnd = at > from ? at - 1 : at
    const before = at === from ? undefined : lineEnd > from && bytes[lineEnd - 1] === CR ? 'crlf' : 'lf'
    return {
      contentEnd: before === 'crlf' ? lineEnd - 1 : lineEnd,
      next: Math.min(next + 1, to),
      closes,
      before,
      after: next >= to ? undefined : returns ? 'crlf' : 'lf',
      more: !whole || padded,
    }
  }
  return undefined
}

/** As browsers write names (RFC 7578, 4.2; WHATWG HTML): UTF-8, with quotes and line ends as escapes. */
function unescaped(name: string): string {
  const text = Buffer.from(name, 'latin1').toString()
  return text.replace(/%(22|0D|0A)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

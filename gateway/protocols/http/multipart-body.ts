import type { Field, RedactionSink, Redactor } from '../../message.ts'
import { type Headers, headerOf } from './head.ts'
import type { JsonFields } from './json-body.ts'
import { type Media, mediaOf } from './media.ts'
import { named } from './named.ts'

type Piece = readonly [source: Uint8Array, from: number, to: number]

/** Appends source[from, to) redacted as what its type says. */
type RedactPart = (piece: Piece, about: { readonly media: Media; readonly boundary: string | undefined }) => void

/** `answer`: whatever the target has may be in it. */
interface PartsHow {
  readonly fields: JsonFields
  readonly answer: boolean
  readonly redactPart: RedactPart
}

const TEXT: Field = { path: 'body', action: 'scan' }
const HEADER: Field = { path: 'body.header', action: 'scan' }
const LF = 0x0a
const CR = 0x0d
const DASH = 0x2d
const SPACE = 0x20
const TAB = 0x09

/** RFC 2046, 5.1.1. */
const MAX_BOUNDARY_LENGTH = 70
/** Of one part: more is no head. */
const MAX_HEAD_SIZE = 16 * 1024

/** What stands between the parts of a multipart body; undefined where the type names nothing that could. */
export function boundaryOf(headers: Headers): string | undefined {
  const type = headerOf(headers, 'content-type') ?? ''
  const boundary = parameter(type, 'boundary')
  return boundary === undefined || boundary === '' || boundary.length > MAX_BOUNDARY_LENGTH ? undefined : boundary
}

/**
 * Appends a multipart body (RFC 2046, 5.1; RFC 7578), each part redacted as if it had come by itself: labelled ones whole, by the name of their field,
 * others by their own type. What stands around parts is text. Linear.
 */
export function redactMultipart(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: Piece,
  how: PartsHow & { readonly boundary: string },
): void {
  const delimiter = Buffer.from(`--${how.boundary}`, 'latin1')
  let at = from
  let inside = false
  for (;;) {
    const line = nextDelimiter(source, at, to, delimiter)
    const end = line === undefined ? to : line.contentEnd
    if (inside) redactOne(redactor, sink, [source, at, end], how)
    else redactor.write(sink, source, at, end, TEXT)
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
  { fields, answer, redactPart }: PartsHow,
): void {
  const head = headOf(source, from, to)
  if (head === undefined) {
    redactor.write(sink, source, from, to, TEXT)
    return
  }
  for (const { value, end, name, next } of head.lines) {
    sink.copy(source, from, value)
    redactor.write(sink, source, value, end, named(HEADER, name))
    sink.copy(source, end, next)
    from = next
  }
  sink.copy(source, from, head.end)
  const { headers, end: body } = head
  const name = unescaped(parameter(headerOf(headers, 'content-disposition') ?? '', 'name') ?? '')
  const field = named(fields.of(name), name, answer)
  const media = headerOf(headers, 'content-type') === undefined ? untyped(source[body]) : mediaOf(headers)
  if (field.action === 'mask' || media === 'text') redactor.write(sink, source, body, to, field)
  else redactPart([source, body, to], { media, boundary: boundaryOf(headers) })
}

/** A field without a type is a text (RFC 7578, 4.4), in which some clients write JSON all the same. */
function untyped(first: number | undefined): Media {
  return first === 0x7b || first === 0x5b ? 'json' : 'text'
}

/** A line that begins with the delimiter: what stands before it ends at `contentEnd`, what follows begins at `next`. */
interface Delimiter {
  readonly contentEnd: number
  readonly next: number
  readonly closes: boolean
}

function nextDelimiter(source: Uint8Array, from: number, to: number, delimiter: Buffer): Delimiter | undefined {
  const bytes = Buffer.from(source.buffer, source.byteOffset, to)
  for (let at = bytes.indexOf(delimiter, from); at !== -1; at = bytes.indexOf(delimiter, at + 1)) {
    // A line of its own, and nothing behind it but that it closes, and blanks.
    if (at > from && bytes[at - 1] !== LF) continue
    let next = at + delimiter.length
    const closes = bytes[next] === DASH && bytes[next + 1] === DASH
    if (closes) next += 2
    while (next < to && (bytes[next] === SPACE || bytes[next] === TAB)) next++
    if (next < to && bytes[next] === CR) next++
    if (next < to && bytes[next] !== LF) continue
    const lineEnd = at > from ? at - 1 : at
    return {
      contentEnd: lineEnd > from && bytes[lineEnd - 1] === CR && at > from ? lineEnd - 1 : lineEnd,
      next: Math.min(next + 1, to),
      closes,
    }
  }
  return undefined
}

interface Line {
  readonly name: string
  /** Where its value begins and ends, and the next line begins. */
  readonly value: number
  readonly end: number
  readonly next: number
}

/** Undefined where the part does not begin with header lines and an empty one. */
function headOf(
  source: Uint8Array,
  from: number,
  to: number,
): { readonly lines: readonly Line[]; readonly headers: Headers; readonly end: number } | undefined {
  const bytes = Buffer.from(source.buffer, source.byteOffset, Math.min(to, from + MAX_HEAD_SIZE))
  const lines: Line[] = []
  const headers: [string, string][] = []
  for (let at = from; ; ) {
    const feed = bytes.indexOf(LF, at)
    if (feed === -1) return undefined
    const end = feed > at && bytes[feed - 1] === CR ? feed - 1 : feed
    if (end === at) return { lines, headers, end: feed + 1 }
    const colon = bytes.indexOf(':', at)
    if (colon === -1 || colon >= end) return undefined
    const name = bytes.toString('latin1', at, colon)
    let value = colon + 1
    while (value < end && bytes[value] === SPACE) value++
    lines.push({ name, value, end, next: feed + 1 })
    headers.push([name, bytes.toString('latin1', value, end)])
    at = feed + 1
  }
}

/** Of a header's value: `; name=value` or `; name="value"`. */
function parameter(value: string, name: string): string | undefined {
  const found = new RegExp(`;[ \\t]*${name}[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s"]*))`, 'i').exec(value)
  return found === null ? undefined : (found[1]?.replace(/\\(.)/g, '$1') ?? found[2])
}

/** As browsers write names (RFC 7578, 4.2; WHATWG HTML): UTF-8, with quotes and line ends as escapes. */
function unescaped(name: string): string {
  const text = Buffer.from(name, 'latin1').toString()
  return text.replace(/%(22|0D|0A)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

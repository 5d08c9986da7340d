import { promising } from '../../masking/promised.ts'
import type { Field, RedactionSink, Redactor } from '../../message.ts'
import { redactEncoded, redactPairs } from './encoded-text.ts'
import { headSize } from './head.ts'
import { named } from './named.ts'

/** What proves somebody is a credential wherever it is found; in these headers whatever stands there is one. */
const CREDENTIALS = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'api-key',
  'x-auth-token',
  'x-amz-security-token',
  'x-ms-copy-source-authorization',
  'x-vault-token',
  'ocp-apim-subscription-key',
])

/** Headers that are URLs, or parts of some. */
const PLACES = new Set(['location', 'content-location', 'referer'])

type Piece = readonly [source: Uint8Array, from: number, to: number]

const SPACE = 0x20
const HASH = 0x23
const CR = 0x0d
const SLASH = 0x2f
const QUESTION = 0x3f
const COLON = 0x3a

const SEGMENT: Field = { path: 'path', action: 'scan' }
const HEADER: Field = { path: 'header', action: 'scan' }
const CREDENTIAL: Field = { path: 'header', action: 'mask', entity: 'credential', label: 'http.credential' }

/** Appends the head at the beginning of `source` with what its path, query and headers hold redacted; returns its size in `source`. */
export function redactHead(
  redactor: Redactor,
  sink: RedactionSink,
  source: Uint8Array,
  parts: { readonly request: boolean; readonly query: (key: string) => Field },
): number {
  const size = headSize(source)
  const text = Buffer.from(source.buffer, source.byteOffset, size)
  const unchanged = unchangedOf(redactor)
  let at = source.indexOf(CR)
  if (parts.request) redactTarget(redactor, sink, [source, at], parts.query)
  else sink.copy(source, 0, at)
  while (at < size - 4) {
    const end = source.indexOf(CR, at + 2)
    const line = end - at <= MAX_LINE_BYTES ? text.toString('latin1', at + 2, end) : undefined
    if (line !== undefined && unchanged.has(line)) {
      sink.copy(source, at, end)
      at = end
      continue
    }
    const value = source.indexOf(COLON, at + 2) + 2
    sink.copy(source, at, value)
    const name = text.toString('latin1', at + 2, value - 2)
    if (PLACES.has(name.toLowerCase())) {
      redactPlace(redactor, sink, [source, value, end], parts.query)
      at = end
      continue
    }
    const scanned = CREDENTIALS.has(name.toLowerCase()) ? CREDENTIAL : promising(HEADER, [source, at + 2, value - 2], true)
    const field = named(scanned, name)
    if (line !== undefined && redactor.clean(source, value, end, field)) {
      if (unchanged.size >= MAX_LINES) unchanged.clear()
      unchanged.add(line)
    }
    redactor.write(sink, source, value, end, field)
    at = end
  }
  sink.copy(source, at, size)
  return size
}

/** Most lines of a head are those of the one before. */
const known = new WeakMap<Redactor, Set<string>>()
const MAX_LINES = 64
const MAX_LINE_BYTES = 128

/** Lines in which this redactor has found nothing. */
function unchangedOf(redactor: Redactor): Set<string> {
  let lines = known.get(redactor)
  if (lines === undefined) {
    lines = new Set()
    known.set(redactor, lines)
  }
  return lines
}

/** `GET /path?query HTTP/1.1` */
function redactTarget(
  redactor: Redactor,
  sink: RedactionSink,
  [source, lineEnd]: readonly [source: Uint8Array, lineEnd: number],
  query: (key: string) => Field,
): void {
  const from = source.indexOf(SPACE) + 1
  const to = source.lastIndexOf(SPACE, lineEnd)
  sink.copy(source, 0, from)
  redactPath(redactor, sink, [source, from, to], query)
  sink.copy(source, to, lineEnd)
}

/** Like the target of a request, behind a scheme and host that may stand before it; behind a `#` there may be parameters as well. */
function redactPlace(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, query: (key: string) => Field): void {
  const hash = source.subarray(from, to).indexOf(HASH)
  const end = hash === -1 ? to : from + hash
  const [origin = ''] = ORIGIN.exec(Buffer.from(source.subarray(from, end)).toString('latin1')) ?? []
  const path = from + origin.length
  if (origin.includes('%') && redactor.clean(source, from, path, HEADER)) {
    // Who somebody is at a host is written in escapes.
    const authority = from + origin.indexOf('//') + 2
    sink.copy(source, from, authority)
    redactEncoded(redactor, sink, [source, authority, path], SEGMENT)
  } else redactor.write(sink, source, from, path, HEADER)
  redactPath(redactor, sink, [source, path, end], query)
  if (hash === -1) return
  sink.copy(source, end, end + 1)
  redactPairs(redactor, sink, [source, end + 1, to], query)
}

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i

/** Each part of the path and each value of the query on its own. */
function redactPath(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, query: (key: string) => Field): void {
  const mark = source.subarray(from, to).indexOf(QUESTION)
  const pathEnd = mark === -1 ? to : from + mark
  for (let start = from; start < pathEnd; ) {
    const slash = source.subarray(start, pathEnd).indexOf(SLASH)
    const end = slash === -1 ? pathEnd : start + slash
    redactEncoded(redactor, sink, [source, start, end], SEGMENT)
    if (end < pathEnd) sink.copy(source, end, end + 1)
    start = end + 1
  }
  if (mark === -1) return
  sink.copy(source, pathEnd, pathEnd + 1)
  redactPairs(redactor, sink, [source, pathEnd + 1, to], query)
}

/**
 * The start line and headers of a message as they stand on the tape: RFC 9112 text, `GET /a?b HTTP/1.1`, one header a line in the
 * order in which they came, an empty line. Bodies follow it without their framing (RFC 9112, 6), which belongs to one hop only.
 */

/** Names as the peer wrote them, in order, repeated ones repeated. */
export type Headers = readonly (readonly [name: string, value: string])[]

export interface RequestHead {
  readonly method: string
  /** As on the request line: path and query, still encoded. */
  readonly target: string
  readonly headers: Headers
}

export interface ResponseHead {
  readonly status: number
  readonly headers: Headers
}

const CR = 0x0d
const LF = 0x0a

export function encodeRequest({ method, target, headers }: RequestHead): Buffer {
  return encode(`${method} ${target} HTTP/1.1`, headers)
}

export function encodeResponse({ status, headers }: ResponseHead): Buffer {
  return encode(`HTTP/1.1 ${status}`, headers)
}

/** Behind a body: as a head without a start line. */
export function encodeTrailers(trailers: Headers): Buffer {
  return encode('', trailers)
}

/** Of what `encodeResponse` or `encodeTrailers` made, after the masker was over it. */
export function parseResponse(bytes: Uint8Array): ResponseHead {
  const [start = '', ...lines] = textOf(bytes).split('\r\n')
  return {
    status: Number(start.split(' ')[1]),
    headers: lines.map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)] as const
    }),
  }
}

/** How many bytes the head takes at the beginning of `bytes`, its empty line included. */
export function headSize(bytes: Uint8Array): number {
  for (let at = 3; at < bytes.length; at++) {
    if (bytes[at] === LF && bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1
  }
  throw new RangeError('there is no empty line')
}

/** Node's `rawHeaders`, name and value in turns. */
export function pairsOf(raw: readonly string[]): Headers {
  const pairs: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? ''])
  return pairs
}

/** The other way round: repeated ones stay where they are. */
export function rawOf(headers: Headers): string[] {
  const raw: string[] = []
  for (const [name, value] of headers) raw.push(name, value)
  return raw
}

/** The value of the first header of that name; names are compared without case. */
export function headerOf(headers: Headers, name: string): string | undefined {
  for (const [each, value] of headers) if (each.length === name.length && each.toLowerCase() === name) return value
  return undefined
}

/** All values of that name as the one list they are (RFC 9110, 5.3); undefined where there is none. */
export function listOf(headers: Headers, name: string): string | undefined {
  let list: string | undefined
  for (const [each, value] of headers) {
    if (each.length === name.length && each.toLowerCase() === name) list = list === undefined ? value : `${list}, ${value}`
  }
  return list
}

/** Without those names, given in lower case. */
export function without(headers: Headers, names: ReadonlySet<string>): Headers {
  return headers.filter(([name]) => !names.has(name.toLowerCase()))
}

/**
 * Without what is of one hop (RFC 9110, 7.6.1), with those `Connection` names; without the framing of the body, which each hop makes anew; and
 * without `others`, in lower case.
 */
export function endToEnd(headers: Headers, others: ReadonlySet<string> = NONE): Headers {
  let named: Set<string> | undefined
  for (const [name, value] of headers) {
    // The most usual words of it name no header.
    if (name.length !== CONNECTION.length || name.toLowerCase() !== CONNECTION || NAMES_NOTHING.test(value)) continue
    named ??= new Set(HOP_BY_HOP)
    for (const each of value.split(',')) named.add(each.trim().toLowerCase())
  }
  const ofHop = named ?? HOP_BY_HOP
  return headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return !ofHop.has(lower) && !others.has(lower)
  })
}

const NONE: ReadonlySet<string> = new Set()
const CONNECTION = 'connection'
const NAMES_NOTHING = /^(keep-alive|close)$/i

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
])

// Header bytes above ASCII are opaque (RFC 9110, 5.5); Node gives and takes them as Latin-1.
function encode(start: string, headers: Headers): Buffer {
  let text = `${start}\r\n`
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`
  return Buffer.from(`${text}\r\n`, 'latin1')
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, headSize(bytes) - 4).toString('latin1')
}

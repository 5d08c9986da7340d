import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { setImmediate } from 'node:timers/promises'
import { ApplianceError } from '../../../schemas/errors.ts'
import { type Headers, pairsOf } from './head.ts'

/** A request as it came by either version of HTTP; its body is read once. */
export interface Arrived {
  readonly method: string
  /** Of HTTP/2 with `:authority` as `host`, which it stands for (RFC 9113, 8.3.1). */
  readonly headers: Headers
  /** No body follows; it may still be empty where this is false. */
  readonly empty: boolean
  readonly body: AsyncIterable<Uint8Array>
  /** It waits for a word of ours before it sends its body (RFC 9110, 10.1.1). */
  readonly expects: boolean
  /** Why its framing or its host cannot be trusted, though the parser took it; undefined as a rule. */
  readonly fault: string | undefined
}

/** RFC 9112, 6.3: what says neither how long its body is nor how it is cut has none. */
export function arrivedByHttp1(request: IncomingMessage): Arrived {
  const { method = 'GET', headers, rawHeaders, httpVersion } = request
  const empty = headers['content-length'] === undefined && headers['transfer-encoding'] === undefined
  const pairs = pairsOf(rawHeaders)
  // HTTP/1.0 has no interim answers: its clients would take one for the last.
  const expects = httpVersion === '1.1' && isContinue(headers.expect)
  return { method, headers: pairs, empty, body: request, expects, fault: faultOf(request, pairs) }
}

function isContinue(expect: string | undefined): boolean {
  return expect?.toLowerCase() === '100-continue'
}

function faultOf(
  { method, httpVersion, headers: { 'transfer-encoding': coding } }: IncomingMessage,
  pairs: Headers,
): string | undefined {
  if (coding !== undefined) {
    // RFC 9112, 6.1: its sender does not know what it says.
    if (httpVersion !== '1.1') return 'chunks came with HTTP/1.0, which has none'
    if (coding.toLowerCase() !== 'chunked')
      return 'the body is packed for its way (Transfer-Encoding), which cannot be looked into'
  }
  let hosts = 0
  for (const [name] of pairs) if (name.length === HOST.length && name.toLowerCase() === HOST) hosts++
  if (hosts > 1) return 'the head names more than one host'
  // That of CONNECT is its target; some clients leave it at that.
  return hosts === 0 && httpVersion === '1.1' && method !== 'CONNECT' ? 'the head names no host' : undefined
}

const HOST = 'host'

export function arrivedByHttp2(request: Http2ServerRequest): Arrived {
  const headers: [string, string][] = []
  let cookie: [string, string] | undefined
  for (const [name, value] of pairsOf(request.rawHeaders)) {
    if (name === ':authority') headers.unshift(['host', value])
    else if (name.startsWith(':')) continue
    // Sent in crumbs, to be one again before it goes on by HTTP/1.1 (RFC 9113, 8.2.3).
    else if (name === 'cookie' && cookie !== undefined) cookie[1] += `; ${value}`
    else {
      const header: [string, string] = [name, value]
      if (name === 'cookie') cookie = header
      headers.push(header)
    }
  }
  const { method, stream } = request
  const expects = isContinue(request.headers.expect)
  return { method, headers, empty: stream.endAfterHeaders, body: wholeBody(request), expects, fault: undefined }
}

/** Throws where the stream was reset before the end of its body, which Node takes for its end. */
async function* wholeBody(request: Http2ServerRequest): AsyncGenerator<Uint8Array> {
  yield* request
  // Told of only then.
  await setImmediate()
  if (request.aborted) throw new ApplianceError('PROTOCOL_MALFORMED', 'the stream was reset before the end of its body')
}

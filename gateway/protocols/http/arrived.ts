import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { type Headers, pairsOf } from './head.ts'

/** A request as it came by either version of HTTP; its body is read once. */
export interface Arrived {
  readonly method: string
  /** Of HTTP/2 with `:authority` as `host`, which it stands for (RFC 9113, 8.3.1). */
  readonly headers: Headers
  /** No body follows; it may still be empty where this is false. */
  readonly empty: boolean
  readonly body: AsyncIterable<Uint8Array>
}

/** RFC 9112, 6.3: what says neither how long its body is nor how it is cut has none. */
export function arrivedByHttp1(request: IncomingMessage): Arrived {
  const { method = 'GET', headers, rawHeaders } = request
  const empty = headers['content-length'] === undefined && headers['transfer-encoding'] === undefined
  return { method, headers: pairsOf(rawHeaders), empty, body: request }
}

export function arrivedByHttp2(request: Http2ServerRequest): Arrived {
  const headers: [string, string][] = []
  for (const [name, value] of pairsOf(request.rawHeaders)) {
    if (!name.startsWith(':')) headers.push([name, value])
    else if (name === ':authority') headers.unshift(['host', value])
  }
  return { method: request.method, headers, empty: request.stream.endAfterHeaders, body: request }
}

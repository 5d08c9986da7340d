import { once } from 'node:events'
import { ServerResponse } from 'node:http'
import { constants, Http2ServerResponse } from 'node:http2'
import { type Headers, headSize, parseResponse, rawOf } from './head.ts'
import type { EncodedHead } from './http-message.ts'

/** Up to here copying a body is cheaper than a second piece. */
const MAX_JOINED_BYTES = 16 * 1024
/** How long a client may take what was released to it once its session is over. */
const LAST_BYTES_MS = 1_500
const MAX_STATUS = 599

export type ClientResponse = ServerResponse | Http2ServerResponse

/** What goes back to the client: only what the gate let through, in the form in which it stands on the tape. */
export class Reply {
  readonly #response: ClientResponse
  readonly #signal: AbortSignal

  constructor(response: ClientResponse, signal: AbortSignal) {
    this.#response = response
    // What the target did not say, and the tape does not have, is not added.
    response.sendDate = false
    this.#signal = signal
  }

  get begun(): boolean {
    return this.#response.headersSent
  }

  /** Whether an answer with that status can be passed on: over HTTP/2 none above 599, which are none (RFC 9110, 15). */
  canSay(status: number): boolean {
    return status <= MAX_STATUS || this.#response instanceof ServerResponse
  }

  /** A head, with the whole body or with none yet; `known`: what it is read as. Resolves when the client has taken enough. */
  async begin(bytes: Uint8Array, streams: boolean, known?: EncodedHead): Promise<void> {
    const { status, headers } = known?.head ?? parseResponse(bytes)
    const body = bytes.subarray(known?.size ?? headSize(bytes))
    const response = this.#response
    const whole = !streams && hasBody(status) && response.req.method !== 'HEAD'
    const framed: Headers = whole ? [...headers, ['content-length', String(body.length)]] : headers
    if (response instanceof ServerResponse) {
      response.writeHead(status, rawOf(framed))
      if (streams) response.flushHeaders()
      else if (whole && body.length <= MAX_JOINED_BYTES) {
        // Goes out with its head in one piece; as bytes it would be a second one.
        response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1')
        return
      }
    } else if (!response.stream.destroyed) response.writeHead(status, gathered(framed))
    await this.more(body)
  }

  /** The head of a connection that is no longer HTTP from here on (RFC 9110, 15.2.2). */
  switch(bytes: Uint8Array): void {
    const { status, headers } = parseResponse(bytes)
    const response = this.#response
    if (!(response instanceof ServerResponse) || response.socket === null) return
    const { socket } = response
    response.detachSocket(socket)
    // Of CONNECT it is any success (RFC 9110, 9.3.6), and nothing is upgraded.
    const connected = status < 300 && status >= 200
    const lines = [...headers, ...(connected ? [] : [['connection', 'Upgrade']])].map(([name, value]) => `${name}: ${value}\r\n`)
    const reason = connected ? 'Connection established' : 'Switching Protocols'
    socket.write(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n`, 'latin1')
  }

  async more(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || isGone(this.#response)) return
    if (write(this.#response, bytes)) return
    await once(this.#response, 'drain', { signal: this.#signal })
  }

  /** What stands behind a body that was streamed (RFC 9110, 6.5). */
  trailers(trailers: Headers): void {
    if (!isGone(this.#response)) this.#response.addTrailers(gathered(trailers))
  }

  /** Whether everything that was written is out of our hands: else the client has left, or took too long once its session was over. */
  async end(): Promise<boolean> {
    const response = this.#response
    let cut: NodeJS.Timeout | undefined
    const hurry = (): void => {
      cut = setTimeout(() => this.cut(), LAST_BYTES_MS)
    }
    await new Promise<void>((resolve) => {
      const written = response instanceof ServerResponse ? response : response.stream
      written.once('close', resolve)
      written.once('finish', resolve)
      this.#signal.addEventListener('abort', hurry, { once: true })
      if (this.#signal.aborted) hurry()
      response.end()
      if (isGone(response) || response.writableFinished) resolve()
    })
    clearTimeout(cut)
    this.#signal.removeEventListener('abort', hurry)
    if (response instanceof Http2ServerResponse) {
      const { stream } = response
      // What is still to come of the request is not waited for (RFC 9113, 8.1).
      if (stream.endAfterHeaders || stream.readableEnded) stream.resume()
      else stream.close(constants.NGHTTP2_NO_ERROR)
    }
    return isTaken(response)
  }

  /** A response of our own in the place of the target's; where that has begun, the exchange is cut: a client takes a short body for a broken one. */
  async say(bytes: Uint8Array): Promise<void> {
    if (this.begun || bytes.length === 0) {
      this.cut()
      return
    }
    // What is still to come of the request is not waited for.
    if (this.#response instanceof ServerResponse) this.#response.setHeader('connection', 'close')
    await this.begin(bytes, false)
    await this.end()
  }

  cut(): void {
    if (this.#response instanceof ServerResponse) this.#response.destroy()
    else this.#response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}

/** Whether all of an answer is out of our hands, once its response has closed: Node says so of a stream of HTTP/2 that was reset, too. */
export function isTaken(response: ClientResponse): boolean {
  if (response instanceof ServerResponse) return response.writableFinished
  return response.writableFinished && response.writableEnded && response.stream.rstCode === constants.NGHTTP2_NO_ERROR
}

/** Whether nothing can be written any more. */
export function isGone(response: ClientResponse): boolean {
  return response instanceof ServerResponse ? response.destroyed : response.stream.destroyed
}

function write(response: ClientResponse, bytes: Uint8Array): boolean {
  return response instanceof ServerResponse ? response.write(bytes) : response.write(bytes)
}

/** Repeated ones together, as HTTP/2 wants them from us. */
function gathered(headers: Headers): Record<string, string | string[]> {
  const all = new Map<string, string[]>()
  for (const [name, value] of headers) all.set(name.toLowerCase(), [...(all.get(name.toLowerCase()) ?? []), value])
  return Object.fromEntries([...all].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]))
}

function hasBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304
}

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { headSize, parseResponse } from './head.ts'

/** What goes back to the client: only what the gate let through, in the form in which it stands on the tape. */
export class Reply {
  readonly #response: ServerResponse
  readonly #signal: AbortSignal

  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response
    // What the target did not say, and the tape does not have, is not added.
    response.sendDate = false
    this.#signal = signal
  }

  get begun(): boolean {
    return this.#response.headersSent
  }

  /** A head, with the whole body or with none yet. Resolves when the client has taken enough. */
  async begin(bytes: Uint8Array, streams: boolean): Promise<void> {
    const { status, headers } = parseResponse(bytes)
    const body = bytes.subarray(headSize(bytes))
    const framing: [string, string][] = !streams && hasBody(status) ? [['content-length', String(body.length)]] : []
    this.#response.writeHead(status, [...headers, ...framing].flat())
    if (streams) this.#response.flushHeaders()
    await this.more(body)
  }

  /** The head of a connection that is no longer HTTP from here on (RFC 9110, 15.2.2). */
  switch(bytes: Uint8Array): void {
    const { status, headers } = parseResponse(bytes)
    const { socket } = this.#response
    if (socket === null) return
    this.#response.detachSocket(socket)
    const lines = [...headers, ['connection', 'Upgrade']].map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`HTTP/1.1 ${status} Switching Protocols\r\n${lines.join('')}\r\n`, 'latin1')
  }

  async more(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || this.#response.destroyed) return
    if (this.#response.write(bytes)) return
    await once(this.#response, 'drain', { signal: this.#signal })
  }

  /** Whether everything that was written is out of our hands: else the client has left. */
  async end(): Promise<boolean> {
    await new Promise<void>((resolve) => {
      this.#response.once('close', resolve)
      this.#response.end(resolve)
    })
    return this.#response.writableFinished
  }

  /** A response of our own in the place of the target's; where that has begun, the exchange is cut: a client takes a short body for a broken one. */
  async say(bytes: Uint8Array): Promise<void> {
    if (this.begun || bytes.length === 0) {
      this.cut()
      return
    }
    // What is still to come of the request is not waited for.
    this.#response.setHeader('connection', 'close')
    await this.begin(bytes, false)
    await this.end()
  }

  cut(): void {
    this.#response.destroy()
  }
}

function hasBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304
}

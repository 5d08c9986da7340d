import type { Duplex } from 'node:stream'

/**
 * Read ahead of the gate by at most this much per socket. Two full socket reads keep a bulk stream busy; more would only
 * let one bulk session keep the event loop from the small queries of others.
 */
const MAX_AHEAD_BYTES = 128 * 1024

/**
 * One socket's incoming bytes, pulled. Unlike the stream's own iterator it goes on reading (up to a bound) while nobody
 * pulls, so that the far end's leaving is noticed while one of its messages is held, and it never destroys the socket.
 */
export class Intake {
  readonly #socket: Duplex
  readonly #chunks: Uint8Array[] = []
  readonly #left = new AbortController()
  #bytes = 0
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(socket: Duplex) {
    this.#socket = socket
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onEnd)
    socket.on('error', this.#onError)
    // A socket that was paused on purpose (by the intake before this one) does not flow again just because it is listened to.
    socket.resume()
    // What is over already is not announced again.
    if (socket.readableEnded || socket.destroyed) this.#onEnd()
  }

  /** Aborted as soon as the far end has closed its half or the connection is gone, even when bytes are still unread here. */
  get left(): AbortSignal {
    return this.#left.signal
  }

  /** What the socket broke with, if it did. */
  get error(): Error | undefined {
    return this.#error
  }

  /** The next bytes as they came off the socket; null at the end. Rejects with the socket's error. One caller at a time. */
  async next(): Promise<Uint8Array | null> {
    while (this.#chunks.length === 0) {
      if (this.#error !== undefined) throw this.#error
      if (this.#ended) return null
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return null
    this.#bytes -= chunk.length
    if (this.#bytes < MAX_AHEAD_BYTES && this.#socket.isPaused()) this.#socket.resume()
    return chunk
  }

  /** Stops listening, leaves the socket paused, and gives back what was read and not yet pulled (to be unshifted by whoever reads on). */
  close(): Uint8Array {
    this.#socket.pause()
    this.#socket.off('data', this.#onData)
    this.#socket.off('end', this.#onEnd)
    this.#socket.off('close', this.#onEnd)
    const unread = Buffer.concat(this.#chunks.splice(0))
    this.#onEnd()
    return unread
  }

  readonly #onData = (chunk: Uint8Array): void => {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes >= MAX_AHEAD_BYTES) this.#socket.pause()
    this.#stir()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    this.#left.abort()
    this.#stir()
  }

  // Stays on after close(): a socket without an error listener would take the process with it.
  readonly #onError = (error: Error): void => {
    this.#error ??= error
    this.#onEnd()
  }

  #stir(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

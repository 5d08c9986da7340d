import { ApplianceError } from '../../../schemas/errors.ts'
import { Pieces } from './growing.ts'
import { type Headers, headerOf } from './head.ts'

/** Not read on from the target while so much of an answer waits to be taken. */
const MAX_WAITING_BYTES = 256 * 1024

/** The head of a target's answer; its body follows. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** What stood behind the body (RFC 9110, 6.5), once it has ended. */
  readonly trailers?: () => Headers
  /** The first piece of the body, which stays in it; undefined where it is empty. */
  readonly peek?: () => Promise<Uint8Array | undefined>
  /** Read once, to its end or to `destroy`. */
  readonly body: AsyncIterable<Uint8Array> & { destroy(): void }
}

/** How the pool is told what to do with one request; its headers and trailers stand there, too. */
interface Flow {
  readonly rawHeaders?: unknown
  readonly rawTrailers?: unknown
  pause(): void
  resume(): void
  abort(reason: Error): void
}

/** The body of a target's answer as it comes, in the pieces in which it comes: read once, to its end or to `destroy`. */
export class AnswerBody implements AsyncIterableIterator<Uint8Array, undefined> {
  trailers: Headers = []
  readonly #flow: Flow
  readonly #pieces = new Pieces()
  /** Bytes that are still to come; NaN where its length was not told. */
  #missing: number
  #ended = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  /** `length`: as its head tells it. */
  constructor(flow: Flow, length?: string) {
    this.#flow = flow
    this.#missing = Number(length ?? Number.NaN)
  }

  /** All that its head promised has come (RFC 9112, 6.3), whatever becomes of its connection. */
  get isWhole(): boolean {
    return this.#missing === 0
  }

  push(piece: Uint8Array): void {
    this.#missing -= piece.length
    this.#pieces.push(piece)
    if (this.#pieces.size > MAX_WAITING_BYTES) this.#flow.pause()
    this.#wake?.()
  }

  end(error?: Error): void {
    this.#ended = true
    this.#error = error
    this.#wake?.()
  }

  async peek(): Promise<Uint8Array | undefined> {
    await this.#some()
    return this.#pieces.first
  }

  /** The next piece. Rejects TARGET_REFUSED where the target broke off. */
  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#some()
    const piece = this.#pieces.shift()
    if (piece === undefined) {
      if (this.#error === undefined) return { done: true, value: undefined }
      throw new ApplianceError('TARGET_REFUSED', 'the target broke off in the middle of its answer', { cause: this.#error })
    }
    if (this.#pieces.size <= MAX_WAITING_BYTES) this.#flow.resume()
    return { done: false, value: piece }
  }

  async #some(): Promise<void> {
    while (this.#pieces.first === undefined && !this.#ended)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
  }

  /** Nothing more of it is wanted: what is still to come ends with its connection. */
  destroy(): void {
    if (!this.#ended) this.#flow.abort(UNWANTED)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

const UNWANTED = new Error('the answer is not wanted any more')

/** What the pool tells of one request. The first call of `settle` counts: with the answer's head, or why there is none. */
export class Answering {
  readonly #settle: (answer: Answer | Error) => void
  readonly #signal: AbortSignal
  #controller: Flow | undefined
  #body: AnswerBody | undefined

  constructor(settle: (answer: Answer | Error) => void, signal: AbortSignal) {
    this.#settle = settle
    this.#signal = signal
    signal.addEventListener('abort', this.#stop, { once: true })
  }

  readonly #stop = (): void => {
    if (this.#controller === undefined) this.#settle(STOPPED)
    else this.#controller.abort(STOPPED)
  }

  onRequestStart(controller: Flow): void {
    this.#controller = controller
    if (this.#signal.aborted) this.#stop()
  }

  onResponseStart(controller: Flow, status: number): void {
    // 100 and 103 are about this hop.
    if (status < 200) return
    const headers = headersOf(controller.rawHeaders)
    const body = new AnswerBody(controller, headerOf(headers, 'content-length'))
    this.#body = body
    this.#settle({
      status,
      headers,
      trailers: () => body.trailers,
      peek: () => body.peek(),
      body,
    })
  }

  onResponseData(_controller: Flow, piece: Buffer): void {
    this.#body?.push(piece)
  }

  onResponseEnd(controller: Flow): void {
    this.#over()
    if (this.#body === undefined) return
    this.#body.trailers = headersOf(controller.rawTrailers)
    this.#body.end()
  }

  onResponseError(_controller: Flow, error: Error): void {
    this.#over()
    if (this.#body === undefined) this.#settle(error)
    // A connection that is paused behind the last byte, and closed by its target then, is an error to the pool.
    else this.#body.end(this.#body.isWhole && !this.#signal.aborted ? undefined : error)
  }

  #over(): void {
    this.#signal.removeEventListener('abort', this.#stop)
  }
}

const STOPPED = new Error('the exchange is over')

/** Names and values in turns; bytes above ASCII stand for themselves, as in `Headers`. */
function headersOf(raw: unknown): Headers {
  const texts = Array.isArray(raw) ? raw : []
  const headers: [string, string][] = []
  for (let at = 0; at + 1 < texts.length; at += 2) headers.push([textOf(texts[at]), textOf(texts[at + 1])])
  return headers
}

function textOf(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value)
}

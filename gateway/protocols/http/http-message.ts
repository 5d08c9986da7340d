import { randomBytes } from 'node:crypto'
import type { Facts } from '../../../schemas/frame.ts'
import type { Message, Redacted, Redactor, Side } from '../../message.ts'
import { redactBody } from './body.ts'
import { headSize, type ResponseHead } from './head.ts'
import type { JsonFields } from './json-body.ts'
import type { Media } from './media.ts'
import { redactHead } from './redact-head.ts'
import type { StreamedBody } from './streamed-body.ts'

export interface HttpParts {
  readonly from: Side
  /** The exchange. */
  readonly channel: number
  readonly facts: Facts
  readonly media: Media
  /** Of a body in parts: what stands between them. */
  readonly boundary?: string | undefined
  readonly fields: JsonFields
  /** Of the first message; `request` and `response` where absent. */
  readonly kind?: string
  /** What a person reads who decides on it; the message itself where absent. */
  readonly command?: string
  /** The request's line, of what follows it: more of its body, or its answer. */
  readonly asked?: (redactor: Redactor) => string
  /** What an approval is bound to; the message's exact bytes where absent. */
  readonly binding?: Uint8Array
}

/** A head, and how many bytes it takes. */
export interface EncodedHead {
  readonly head: ResponseHead
  readonly size: number
}

/** A request or response: its head with the whole body, or with none where the body follows. */
export class HttpMessage implements Message {
  readonly part = 'whole'
  readonly units = 1
  readonly bytes: Uint8Array
  /** Nobody can approve a body that is still to come. */
  readonly holdLimitMs: number
  readonly #parts: HttpParts
  readonly #exact: Uint8Array
  /** A body follows. */
  readonly streams: boolean
  readonly #head: EncodedHead | undefined

  /** `head`: of a response, that at the beginning of `bytes`. `exact`: as it goes on, where `bytes` are those of its unpacked body. `streams`: a body follows. */
  constructor(
    parts: HttpParts,
    bytes: Uint8Array,
    { exact = bytes, streams = false, head }: { exact?: Uint8Array; streams?: boolean; head?: EncodedHead } = {},
  ) {
    this.#head = head
    this.#parts = parts
    this.bytes = bytes
    this.holdLimitMs = streams ? 0 : Number.POSITIVE_INFINITY
    this.#exact = exact
    this.streams = streams
  }

  get from(): Side {
    return this.#parts.from
  }

  get kind(): string {
    return this.#parts.kind ?? (this.from === 'client' ? 'request' : 'response')
  }

  get channel(): number {
    return this.#parts.channel
  }

  get statement(): number {
    return this.#parts.channel
  }

  /** The head that `bytes` begin with, where that is known because nothing in them is masked. */
  headOf(bytes: Uint8Array): EncodedHead | undefined {
    return bytes === this.bytes ? this.#head : undefined
  }

  facts(): Facts {
    return this.#parts.facts
  }

  redacted(redactor: Redactor): Redacted {
    const { media, boundary, fields } = this.#parts
    const sink = redactor.sink(this.bytes.length, this.bytes)
    const size = redactHead(redactor, sink, this.bytes, { request: this.from === 'client', query: (key) => fields.of(key) })
    redactBody(redactor, sink, [this.bytes, size, this.bytes.length], { media, boundary, fields, answer: this.from === 'server' })
    const redacted = sink.finish()
    return redacted.masks === null ? { bytes: this.bytes, masks: null } : redacted
  }

  /** With a body still to come it is bound to nothing that could be asked for again. */
  binding(): readonly Uint8Array[] {
    if (this.#parts.binding !== undefined) return [this.#parts.binding]
    return this.streams ? [this.#exact, randomBytes(32)] : [this.#exact]
  }

  /** The request as its tape has it: credentials in headers and what is labelled by its key are nobody's to read; a body that is no text by its size alone. */
  command(redactor?: Redactor): string {
    if (redactor === undefined) return `${this.#parts.facts['method']} ${this.#parts.facts['path']}`
    if (this.#parts.command !== undefined) return this.#parts.command
    if (this.from === 'server' && this.#parts.asked !== undefined) return this.#parts.asked(redactor)
    const { bytes } = this.redacted(redactor)
    const size = headSize(bytes)
    const body = this.#parts.media === 'opaque' ? `(${bytes.length - size} bytes)` : bytes.subarray(size)
    return `${Buffer.from(bytes.subarray(0, size)).toString('latin1')}${Buffer.from(body).toString()}`
  }
}

/** More of a body whose head has passed. Each piece is ruled on for itself: a body can be cut anywhere. */
export class BodyMessage implements Message {
  readonly part = 'whole'
  readonly units = 1
  readonly bytes: Uint8Array
  readonly #parts: HttpParts
  readonly #body: StreamedBody
  readonly #last: boolean
  #redacted: Redacted | undefined

  constructor(parts: HttpParts, body: StreamedBody, bytes: Uint8Array, last: boolean) {
    this.#parts = parts
    this.#body = body
    this.bytes = bytes
    this.#last = last
  }

  get from(): Side {
    return this.#parts.from
  }

  get kind(): string {
    return this.from === 'client' ? 'request-body' : 'response-body'
  }

  get channel(): number {
    return this.#parts.channel
  }

  get statement(): number {
    return this.#parts.channel
  }

  facts(): Facts {
    return this.#last ? LAST : MORE
  }

  command(redactor?: Redactor): string {
    return redactor === undefined ? '' : (this.#parts.asked?.(redactor) ?? '')
  }

  /** Each piece goes through the stream once, however often it is asked for. */
  redacted(redactor: Redactor): Redacted {
    this.#redacted ??= this.#body.redact(redactor, this.bytes, this.#last)
    return this.#redacted
  }
}

/** What stands behind the body of a response: headers, and read like them. */
export class TrailersMessage implements Message {
  readonly part = 'whole'
  readonly units = 1
  readonly from = 'server'
  readonly kind = 'response-trailers'
  readonly channel: number
  readonly statement: number
  readonly bytes: Uint8Array
  readonly #fields: HttpParts['fields']

  /** `bytes`: of `encodeTrailers`. */
  constructor({ channel, fields }: HttpParts, bytes: Uint8Array) {
    this.channel = channel
    this.statement = channel
    this.#fields = fields
    this.bytes = bytes
  }

  facts(): Facts {
    return MORE
  }

  redacted(redactor: Redactor): Redacted {
    const sink = redactor.sink(this.bytes.length, this.bytes)
    redactHead(redactor, sink, this.bytes, { request: false, query: (key) => this.#fields.of(key) })
    return sink.finish()
  }
}

const MORE: Facts = {}
const LAST: Facts = { last: true }

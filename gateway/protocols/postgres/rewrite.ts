import { ApplianceError } from '../../../schemas/errors.ts'
import type { Field, Progress, Redacted, RedactionSink, Redactor } from '../../message.ts'

/** A stretch of bytes being redacted: nothing is copied until the first change, and then only once. */
export class Rewrite {
  readonly source: Uint8Array
  readonly redactor: Redactor
  readonly #to: number
  #sink: RedactionSink | undefined
  /** Up to where the source is in the sink. */
  #copied: number

  constructor(source: Uint8Array, from: number, to: number, redactor: Redactor) {
    this.source = source
    this.redactor = redactor
    this.#copied = from
    this.#to = to
  }

  /** The sink, holding everything before `at`. */
  upTo(at: number): RedactionSink {
    this.#sink ??= this.redactor.sink(this.#to - this.#copied)
    if (at > this.#copied) this.#sink.copy(this.source, this.#copied, at)
    this.#copied = Math.max(this.#copied, at)
    return this.#sink
  }

  /** The source up to `at` has been replaced by what the caller wrote. */
  replaced(at: number): void {
    this.#copied = at
  }

  /** Writes what is known of the suspects from this one on, which stands behind `from`. The suspect where that ends, and the first byte not written. */
  suspects(from: number, suspect: number): Progress | undefined {
    const progress = this.redactor.writeSuspects(() => this.upTo(from), from, suspect)
    if (progress !== undefined) this.#copied = progress.at
    return progress
  }

  /** A field in the middle of a message whose length word stands at `lengthAt`; keeps the message's length right. */
  field(from: number, to: number, field: Field, length: MessageLength): void {
    if (this.redactor.clean(this.source, from, to, field)) return
    const sink = this.upTo(from)
    length.found(sink, from)
    const written = this.redactor.write(sink, this.source, from, to, field)
    if (written < 0) throw new ApplianceError('PROTOCOL_MALFORMED', `${field.path} cannot be NULL`)
    this.replaced(to)
    length.change(written - (to - from))
  }

  finish(whole: Uint8Array): Redacted {
    return this.#sink === undefined ? { bytes: whole, masks: null } : this.upTo(this.#to).finish()
  }
}

/** The length word of one message (or row) under rewrite: put right at the end, when it changed. */
export class MessageLength {
  readonly #lengthAt: number
  readonly #length: number
  #sinkAt = -1
  #delta = 0
  #sink: RedactionSink | undefined

  /** `lengthAt`: offset of the length word in the source; `length`: what it says. */
  constructor(lengthAt: number, length: number) {
    this.#lengthAt = lengthAt
    this.#length = length
  }

  /** Called with the sink holding exactly what stood before source offset `at` of this message. */
  found(sink: RedactionSink, at: number): void {
    if (this.#sink !== undefined) return
    this.#sink = sink
    this.#sinkAt = sink.size - (at - this.#lengthAt)
  }

  change(delta: number): void {
    this.#delta += delta
  }

  settle(): void {
    if (this.#sink !== undefined && this.#delta !== 0) this.#sink.setInt32(this.#sinkAt, this.#length + this.#delta)
  }
}

import {
  type Field,
  joined,
  type LiveRedactor,
  type Redacted,
  type RedactionSink,
  type Redactor,
  type StreamRedactor,
} from '../../message.ts'
import { holdsBinary } from './binary.ts'
import { EventHold } from './event-hold.ts'
import { coverEvent, redactEvents } from './events-body.ts'
import { labelledIn, redactJsonRun } from './json-run.ts'
import { JsonRuns, type Run } from './json-runs.ts'
import { isOpaque, promisesNothing } from './media.ts'
import { UNREADABLE } from './multipart-body.ts'
import { type BodyKind, BULK, TEXT } from './text-body.ts'
import { WideWatch } from './wide-text.ts'

/**
 * A body that is passed on while it comes. Texts are masked byte for byte, later by at most the masker's hold-back; of events whole
 * ones are. One for each copy that is made of a body.
 */
export class StreamedBody {
  readonly #how: BodyKind
  #stream: StreamRedactor | undefined
  #live: LiveRedactor | undefined
  #begun = false
  #opaque = false
  readonly #wide = new WideWatch()
  #unread: StreamRedactor | undefined
  readonly #events = new EventHold()
  /** Where something is labelled, by keys that only a reader of JSON finds. */
  readonly #runs: JsonRuns | undefined
  /** Some of it was no text at all: it is none in UTF-16 or UTF-32, and keeps its length, as there may be lengths in it. */
  #narrow: boolean
  /** Bytes kept back of a text that is nothing else. */
  #plain = 0

  constructor(how: BodyKind) {
    this.#how = how
    this.#narrow = how.narrow === true
    if (how.fields.labelled && how.media !== 'events') this.#runs = new JsonRuns(labelledIn(how.fields))
  }

  /** Whether bytes of a live text are kept back that `redact` brings when it is given none. */
  get holding(): boolean {
    return this.#live?.holding === true
  }

  /** How many of the bytes it was given are still kept back: what the others became has come out. */
  get held(): number {
    return this.#plain + this.#events.held + (this.#runs?.held ?? 0)
  }

  /** The next bytes, of events cut anywhere. */
  redact(redactor: Redactor, bytes: Uint8Array, last: boolean): Redacted {
    if (!this.#begun && bytes.length > 0) {
      this.#begun = true
      this.#opaque = isOpaque(this.#how.media, bytes)
    }
    if (this.#opaque) return { bytes, masks: null }
    if (this.#unread !== undefined) return this.#cover(redactor, bytes)
    this.#narrow ||= promisesNothing(this.#how.media) && holdsBinary(bytes)
    if (!this.#narrow && this.#wide.sees(bytes)) return this.#cover(redactor, bytes)
    const sink = redactor.sink(bytes.length)
    this.#take(redactor, sink, bytes, last)
    return sink.finish()
  }

  #take(redactor: Redactor, sink: RedactionSink, bytes: Uint8Array, last: boolean): void {
    if (this.#how.media === 'events') this.#redactEvents(redactor, sink, bytes, last)
    else if (this.#runs === undefined) this.#redactPlain(redactor, sink, bytes, last)
    else this.#redactRuns(redactor, sink, this.#runs.take(bytes, last), last)
  }

  #redactRuns(redactor: Redactor, sink: RedactionSink, runs: readonly Run[], last: boolean): void {
    for (const { is, bytes } of runs) {
      const isPlain = is === 'text' || (this.#narrow && (is === 'lines' || !this.#isMasked(redactor, bytes)))
      if (!isPlain) this.#redactPlain(redactor, sink, NOTHING, true)
      if (isPlain) this.#redactPlain(redactor, sink, bytes, false)
      else if (this.#narrow) this.#star(redactor, sink, bytes)
      else if (is === 'lines') this.#redactEvents(redactor, sink, bytes, last)
      else redactJsonRun(redactor, sink, bytes, this.#how)
    }
    if (last || (runs.length === 0 && this.#how.media === 'live')) this.#redactPlain(redactor, sink, NOTHING, last)
  }

  /** Whether something in JSON is masked, by its key or by what it is. */
  #isMasked(redactor: Redactor, bytes: Uint8Array): boolean {
    const inside = redactor.sink(bytes.length)
    redactJsonRun(redactor, inside, bytes, this.#how)
    return inside.finish().masks !== null
  }

  /** One byte for each, none of which is told. */
  #star(redactor: Redactor, sink: RedactionSink, bytes: Uint8Array): void {
    const stream = redactor.stream(UNREADABLE)
    stream.push(sink, bytes, 0, bytes.length)
    stream.end(sink)
  }

  /** A text that is nothing else, one byte for each; `last`: of it, or before something else. */
  #redactPlain(redactor: Redactor, sink: RedactionSink, bytes: Uint8Array, last: boolean): void {
    const before = sink.size
    if (this.#how.media === 'live') sink.append(this.#redactLive(redactor, bytes, last))
    else {
      this.#stream ??= redactor.stream(this.#text)
      this.#stream.push(sink, bytes, 0, bytes.length)
      if (last) {
        this.#stream.end(sink)
        this.#stream = undefined
      }
    }
    this.#plain += bytes.length - (sink.size - before)
  }

  /** What comes in pieces in UTF-16 or UTF-32 is not looked into: from where that is seen on nothing of it passes. */
  #cover(redactor: Redactor, bytes: Uint8Array): Redacted {
    const sink = redactor.sink(bytes.length)
    if (this.#unread === undefined) this.#take(redactor, sink, NOTHING, true)
    this.#unread ??= redactor.stream(UNREADABLE)
    this.#unread.push(sink, bytes, 0, bytes.length)
    return sink.finish()
  }

  get #text(): Field {
    const { answer, media } = this.#how
    const text = answer ? BULK : TEXT
    return promisesNothing(media) ? { ...text, untyped: true } : text
  }

  #redactEvents(redactor: Redactor, sink: RedactionSink, bytes: Uint8Array, last: boolean): void {
    for (const { bytes: stretch, tooLarge } of this.#events.take(bytes, last)) {
      const piece = [stretch, 0, stretch.length] as const
      if (tooLarge) coverEvent(redactor, sink, piece)
      else redactEvents(redactor, sink, piece, this.#how)
    }
  }

  #redactLive(redactor: Redactor, bytes: Uint8Array, last: boolean): Redacted {
    this.#live ??= redactor.live(this.#text)
    if (bytes.length === 0) return this.#live.settle()
    const pushed = this.#live.push(bytes)
    return last ? joined(redactor, [pushed, this.#live.settle()]) : pushed
  }
}

const NOTHING = new Uint8Array()

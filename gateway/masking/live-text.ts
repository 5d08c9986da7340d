import { putBefore } from '../head-room.ts'
import type { LiveRedactor, Redacted } from '../message.ts'
import { A, DELETE, ESC, NINE, SPACE, Z, ZERO } from './ascii.ts'
import { Escapes, MAX_CUT_SIZE } from './escapes.ts'
import { Sequences } from './sequences.ts'
import { Sink } from './sink.ts'
import type { Stream } from './stream.ts'

/** A run without a blank longer than this is no value that goes on: base64 of a file, a line of dashes. */
const MAX_KEPT_SIZE = 512
/** What a person types ahead of its echo. */
const MAX_TYPED_SIZE = 256
/** Escape sequences that wait for the text before them; a screen is drawn with less. */
const MAX_WAITING_SIZE = 64 * 1024

/** Larger than what one read brings, with what was kept back before it. */
const SHARED_SIZE = 160 * 1024
/** What may be kept back, and more. */
const SLACK_SIZE = 16 * 1024
/** Text is put together here; what goes out of it is copied, and mostly not even that. */
const shared = new Sink(SHARED_SIZE)

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE

const isInGroup = (byte: number | undefined): boolean => isDigit(byte) || (byte !== undefined && byte >= A && byte <= Z)

/** Whether a blank with these beside it may stand between two groups of a card or an IBAN, of which some groups are letters; `after` may be yet to come. */
function isBetweenGroups(before: number | undefined, after: number | undefined): boolean {
  return isInGroup(before) && (after === undefined || (isInGroup(after) && (isDigit(before) || isDigit(after))))
}

const NO_BYTES = Buffer.alloc(0)
const NOTHING: Redacted = { bytes: NO_BYTES, masks: null }

/**
 * Text as a program writes it to a terminal or a pipe. Control sequences are taken out before it is scanned and put back where they
 * were, so that a colour in its middle hides no value. See LiveRedactor for the contract.
 */
export class LiveText implements LiveRedactor {
  readonly #stream: Stream
  readonly #escapes = new Escapes()
  readonly #sequences = new Sequences()
  #typed = Buffer.alloc(0)
  /** Text bytes kept back, and the bytes they came as, with the sequences that wait for them. */
  #kept = 0
  #raw: Uint8Array = NO_BYTES

  constructor(stream: Stream) {
    this.#stream = stream
  }

  get holding(): boolean {
    return this.#kept > 0
  }

  push(source: Uint8Array): Redacted {
    const sink = emptySink(source.length)
    if (source.includes(ESC) || this.#escapes.inside) this.#cut(sink, source)
    else if (source.length > 0) this.#take(sink, source, 0, source.length)
    this.#stream.settle(sink, this.#sequences.size > MAX_WAITING_SIZE ? 0 : this.#mayGoOn())
    return this.#out(sink, source)
  }

  #cut(sink: Sink, source: Uint8Array): void {
    for (let from = 0; from < source.length; from += MAX_CUT_SIZE) {
      const before = this.#kept
      const to = Math.min(from + MAX_CUT_SIZE, source.length)
      const text = this.#escapes.cut(source, from, to, (at, size) => this.#sequences.add(before + at, size))
      if (text.length > 0) this.#take(sink, text, 0, text.length)
    }
  }

  #take(sink: Sink, text: Uint8Array, from: number, to: number): void {
    this.#stream.push(sink, text, from, to)
    this.#kept += to - from
  }

  settle(): Redacted {
    if (!this.holding) return NOTHING
    const sink = emptySink(this.#kept)
    this.#stream.settle(sink, 0)
    return this.#out(sink, NO_BYTES)
  }

  typed(source: Uint8Array): void {
    this.#typed = Buffer.concat([this.#typed, source]).subarray(-MAX_TYPED_SIZE)
  }

  /** How much of the end may be the beginning of a value: a run without blanks, or groups with single blanks between them. */
  #mayGoOn(): number {
    const held = this.#stream.held
    const floor = Math.max(0, held.length - MAX_KEPT_SIZE)
    let at = held.length
    while (at > floor) {
      const byte = held[at - 1] ?? 0
      const between = byte === SPACE && isBetweenGroups(held[at - 2], held[at])
      if ((byte <= SPACE || byte === DELETE) && !between) break
      at--
    }
    if (at === floor && floor > 0) return 0
    const kept = held.subarray(at)
    return this.#typed.includes(Buffer.from(kept)) ? 0 : kept.length
  }

  /** What the sink has, with the sequences that stand before or inside it: where nothing is masked, the bytes as they came. */
  #out(sink: Sink, source: Uint8Array): Redacted {
    const { bytes: text, masks } = sink.finish()
    const sequences = this.#sequences
    const due = sequences.due(text.length)
    const size = text.length + sequences.sizeOf(due)
    const raw = joined(this.#raw, source)
    const redacted =
      masks === null
        ? { bytes: size === raw.length ? raw : raw.subarray(0, size), masks }
        : { bytes: sequences.into(text, raw, due), masks: sequences.moved(masks, due) }
    sequences.drop(due, text.length)
    this.#kept -= text.length
    this.#raw = size === raw.length ? NO_BYTES : Buffer.from(raw.subarray(size))
    return redacted
  }
}

function emptySink(size: number): Sink {
  if (size > SHARED_SIZE - SLACK_SIZE) return new Sink(size)
  shared.reset()
  return shared
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second
  if (second.length === 0) return first
  return putBefore(second, [first], first.length) ?? Buffer.concat([first, second])
}

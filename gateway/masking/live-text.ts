import { MASK_SPAN_SIZE, type Masks } from '../../schemas/frame.ts'
import type { LiveRedactor, Redacted } from '../message.ts'
import { DELETE, ESC, NINE, SPACE, ZERO } from './ascii.ts'
import { Escapes } from './escapes.ts'
import { Sink } from './sink.ts'
import type { Stream } from './stream.ts'

/** A run without a blank longer than this is no value that goes on: base64 of a file, a line of dashes. */
const MAX_KEPT_SIZE = 512
/** What a person types ahead of its echo. */
const MAX_TYPED_SIZE = 256
/** Escape sequences that wait for the text before them; a screen is drawn with less. */
const MAX_WAITING_SIZE = 64 * 1024

/** Text is put together here before it is scanned, which copies it: larger than what one read brings. */
const SCRATCH_SIZE = 64 * 1024
const scratch = Buffer.allocUnsafeSlow(SCRATCH_SIZE)

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE

const NOTHING: Redacted = { bytes: new Uint8Array(), masks: null }

/**
 * Text as a program writes it to a terminal or a pipe. Control sequences are taken out before it is scanned and put back where they
 * were, so that a colour in its middle hides no value. See LiveRedactor for the contract.
 */
export class LiveText implements LiveRedactor {
  readonly #stream: Stream
  readonly #escapes = new Escapes()
  readonly #waiting = new Sequences()
  #typed = Buffer.alloc(0)
  /** Text bytes taken in and given out; sequences wait for those before them. */
  #taken = 0
  #given = 0

  constructor(stream: Stream) {
    this.#stream = stream
  }

  get holding(): boolean {
    return this.#given < this.#taken
  }

  push(source: Uint8Array): Redacted {
    const sink = new Sink(source.length)
    if (source.includes(ESC) || this.#escapes.inside) this.#cut(sink, source)
    else this.#text(sink, source, source.length)
    this.#stream.settle(sink, this.#waiting.size > MAX_WAITING_SIZE ? 0 : this.#kept())
    return this.#out(sink)
  }

  /** The text of it goes on in one piece. */
  #cut(sink: Sink, source: Uint8Array): void {
    const text = source.length <= SCRATCH_SIZE ? scratch : Buffer.allocUnsafe(source.length)
    let size = 0
    this.#escapes.cut(source, {
      text: (from, to) => {
        move(source, from, to, text, size)
        size += to - from
      },
      sequence: (from, to) => this.#waiting.add(this.#taken + size, source, from, to),
    })
    this.#text(sink, text, size)
  }

  #text(sink: Sink, text: Uint8Array, size: number): void {
    if (size > 0) this.#stream.push(sink, text, 0, size)
    this.#taken += size
  }

  settle(): Redacted {
    if (!this.holding) return NOTHING
    const sink = new Sink(this.#taken - this.#given)
    this.#stream.settle(sink, 0)
    return this.#out(sink)
  }

  typed(source: Uint8Array): void {
    this.#typed = Buffer.concat([this.#typed, source]).subarray(-MAX_TYPED_SIZE)
  }

  /** How much of the end may be the beginning of a value: a run without blanks, or groups of digits with single blanks between them. */
  #kept(): number {
    const held = this.#stream.held
    const floor = Math.max(0, held.length - MAX_KEPT_SIZE)
    let at = held.length
    while (at > floor) {
      const byte = held[at - 1] ?? 0
      const between = byte === SPACE && isDigit(held[at - 2]) && isDigit(held[at])
      if ((byte <= SPACE || byte === DELETE) && !between) break
      at--
    }
    if (at === floor && floor > 0) return 0
    const kept = held.subarray(at)
    return this.#typed.includes(Buffer.from(kept)) ? 0 : kept.length
  }

  /** What the sink has, with the sequences that stand before or inside it. */
  #out(sink: Sink): Redacted {
    const text = sink.finish()
    const start = this.#given
    this.#given += text.bytes.length
    const due = this.#waiting.due(this.#given)
    if (due === 0) return text
    const places = text.masks === null ? [] : this.#waiting.places(due)
    return { bytes: this.#waiting.into(text.bytes, start, due), masks: moved(text.masks, start, places) }
  }
}

/** Where a sequence stands, in text bytes before it, and its size. */
interface Place {
  readonly at: number
  readonly size: number
}

/** Control sequences on their way: few objects, as a screen is drawn with thousands. */
class Sequences {
  #places: Place[] = []
  #bytes = Buffer.alloc(0)
  /** bytes[0, size) wait. */
  size = 0

  add(at: number, source: Uint8Array, from: number, to: number): void {
    const size = to - from
    if (this.size + size > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(2 * (this.size + size))
      grown.set(this.#bytes.subarray(0, this.size))
      this.#bytes = grown
    }
    move(source, from, to, this.#bytes, this.size)
    this.size += size
    this.#places.push({ at, size })
  }

  /** How many stand before the text byte `given`, or at it. */
  due(given: number): number {
    let count = this.#places.length
    while (count > 0 && (this.#places[count - 1]?.at ?? 0) > given) count--
    return count
  }

  places(count: number): readonly Place[] {
    return this.#places.slice(0, count)
  }

  /** Text that begins at `start` with the first `count` put back into it, which wait no longer. */
  into(text: Uint8Array, start: number, count: number): Uint8Array {
    let size = 0
    for (let i = 0; i < count; i++) size += this.#places[i]?.size ?? 0
    const whole = Buffer.allocUnsafe(text.length + size)
    let from = 0
    let read = 0
    let at = 0
    for (let i = 0; i < count; i++) {
      const place = this.#places[i] as Place // i < count, which `due` told
      const to = place.at - start
      move(text, from, to, whole, at)
      at += to - from
      from = to
      move(this.#bytes, read, read + place.size, whole, at)
      at += place.size
      read += place.size
    }
    move(text, from, text.length, whole, at)
    this.#bytes.copyWithin(0, size, this.size)
    this.size -= size
    this.#places = count === this.#places.length ? [] : this.#places.slice(count)
    return whole
  }
}

/** A native copy costs more than it saves on short pieces. */
const SHORT_SIZE = 32

function move(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
  if (to - from > SHORT_SIZE) target.set(source.subarray(from, to), at)
  else for (let next = at, i = from; i < to; i++) target[next++] = source[i] as number // from <= i < to
}

/** The spans of text as those of text with sequences in it; one that has a sequence inside covers it too. */
function moved(masks: Masks | null, start: number, sequences: readonly Place[]): Masks | null {
  if (masks === null) return null
  const spans = Buffer.from(masks.spans)
  let next = 0
  let shift = 0
  const place = (offset: number, inclusive: boolean): number => {
    for (let one = sequences[next]; one !== undefined; one = sequences[++next]) {
      if (inclusive ? one.at - start > offset : one.at - start >= offset) break
      shift += one.size
    }
    return offset + shift
  }
  for (let at = 0; at < spans.length; at += MASK_SPAN_SIZE) {
    const from = spans.readUInt32BE(at)
    const to = from + spans.readUIntBE(at + 4, 3)
    const placed = place(from, true)
    spans.writeUInt32BE(placed, at)
    spans.writeUIntBE(place(to, false) - placed, at + 4, 3)
  }
  return { labels: masks.labels, spans }
}

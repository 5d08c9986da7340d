import { MASK_SPAN_SIZE, type Masks } from '../../schemas/frame.ts'
import type { LiveRedactor, Redacted } from '../message.ts'
import { DELETE, NINE, SPACE, ZERO } from './ascii.ts'
import { Escapes } from './escapes.ts'
import { Sink } from './sink.ts'
import type { Stream } from './stream.ts'

/** A run without a blank longer than this is no value that goes on: base64 of a file, a line of dashes. */
const MAX_KEPT_SIZE = 512
/** What a person types ahead of its echo. */
const MAX_TYPED_SIZE = 256
/** Escape sequences that wait for the text before them; a screen is drawn with less. */
const MAX_WAITING_SIZE = 64 * 1024

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE

const NOTHING: Redacted = { bytes: new Uint8Array(), masks: null }

/**
 * Text as a program writes it to a terminal or a pipe. Control sequences are taken out before it is scanned and put back where they
 * were, so that a colour in its middle hides no value. See LiveRedactor for the contract.
 */
export class LiveText implements LiveRedactor {
  readonly #stream: Stream
  readonly #escapes = new Escapes()
  #typed = Buffer.alloc(0)
  /** Text bytes taken in and given out; sequences wait for those before them. */
  #taken = 0
  #given = 0
  #waiting: { readonly at: number; readonly bytes: Uint8Array }[] = []
  #waitingSize = 0

  constructor(stream: Stream) {
    this.#stream = stream
  }

  get holding(): boolean {
    return this.#given < this.#taken
  }

  push(source: Uint8Array): Redacted {
    const sink = new Sink(source.length)
    for (const piece of this.#escapes.cut(source)) {
      if (piece.text) {
        this.#stream.push(sink, source, piece.from, piece.to)
        this.#taken += piece.to - piece.from
      } else {
        // Kept beyond this call, so a copy.
        this.#waiting.push({ at: this.#taken, bytes: source.slice(piece.from, piece.to) })
        this.#waitingSize += piece.to - piece.from
      }
    }
    this.#stream.settle(sink, this.#waitingSize > MAX_WAITING_SIZE ? 0 : this.#kept())
    return this.#out(sink)
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
    const due = this.#waiting.findIndex(({ at }) => at > this.#given)
    const sequences = this.#waiting.splice(0, due < 0 ? this.#waiting.length : due)
    if (sequences.length === 0) return text
    const parts: Uint8Array[] = []
    let at = 0
    for (const { at: before, bytes } of sequences) {
      parts.push(text.bytes.subarray(at, before - start), bytes)
      at = before - start
      this.#waitingSize -= bytes.length
    }
    parts.push(text.bytes.subarray(at))
    return { bytes: Buffer.concat(parts), masks: moved(text.masks, start, sequences) }
  }
}

/** The spans of text as those of text with sequences in it; one that has a sequence inside covers it too. */
function moved(
  masks: Masks | null,
  start: number,
  sequences: readonly { readonly at: number; readonly bytes: Uint8Array }[],
): Masks | null {
  if (masks === null) return null
  const spans = Buffer.from(masks.spans)
  let next = 0
  let shift = 0
  const place = (offset: number, inclusive: boolean): number => {
    for (let one = sequences[next]; one !== undefined; one = sequences[++next]) {
      if (inclusive ? one.at - start > offset : one.at - start >= offset) break
      shift += one.bytes.length
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

import { MASK_SPAN_SIZE, type Masks } from '../../schemas/frame.ts'

/** Control sequences on their way, in order. Numbers and no objects, as a screen is drawn with thousands. */
export class Sequences {
  /** How much text that waits, or has just come, stands before each; and their sizes. */
  readonly #at: number[] = []
  readonly #sizes: number[] = []
  /** Of all of them. */
  size = 0

  add(at: number, size: number): void {
    this.#at.push(at)
    this.#sizes.push(size)
    this.size += size
  }

  /** How many stand before the text byte `given`, or at it. */
  due(given: number): number {
    let count = this.#at.length
    while (count > 0 && (this.#at[count - 1] ?? 0) > given) count--
    return count
  }

  /** How many bytes the first `count` have. */
  sizeOf(count: number): number {
    if (count === this.#at.length) return this.size
    let size = 0
    for (let i = 0; i < count; i++) size += this.#sizes[i] ?? 0
    return size
  }

  /** `text` with the first `count` put back into it. `raw`: what it was made from, with them. */
  into(text: Uint8Array, raw: Uint8Array, count: number): Uint8Array {
    const whole = Buffer.allocUnsafe(text.length + this.sizeOf(count))
    let from = 0
    let at = 0
    for (let i = 0; i < count; i++) {
      const to = this.#at[i] ?? 0
      const size = this.#sizes[i] ?? 0
      move(text, from, to, whole, at)
      at += to - from
      from = to
      move(raw, at, at + size, whole, at)
      at += size
    }
    move(text, from, text.length, whole, at)
    return whole
  }

  /** The spans of text as those of text with the first `count` in it; one that has a sequence inside covers it too. */
  moved({ labels, spans: textSpans }: Masks, count: number): Masks {
    const spans = Buffer.from(textSpans)
    let next = 0
    let shift = 0
    const place = (offset: number, inclusive: boolean): number => {
      for (; next < count; next++) {
        const at = this.#at[next] ?? 0
        if (inclusive ? at > offset : at >= offset) break
        shift += this.#sizes[next] ?? 0
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
    return { labels, spans }
  }

  /** The first `count` wait no longer, nor does the text up to `given`. */
  drop(count: number, given: number): void {
    this.size -= this.sizeOf(count)
    if (count === this.#at.length) {
      this.#at.length = 0
      this.#sizes.length = 0
      return
    }
    this.#at.splice(0, count)
    this.#sizes.splice(0, count)
    for (let i = 0; i < this.#at.length; i++) this.#at[i] = (this.#at[i] ?? 0) - given
  }
}

/** A native copy costs more than it saves on short pieces. */
const SHORT_SIZE = 32

function move(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
  if (to - from > SHORT_SIZE) target.set(source.subarray(from, to), at)
  else for (let next = at, i = from; i < to; i++) target[next++] = source[i] as number // from <= i < to
}

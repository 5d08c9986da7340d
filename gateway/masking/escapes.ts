import { kernel } from './kernel.ts'

// Where things stand in the kernel's memory: see kernel-cut.wat.
const RESULT_AT = 96
const BYTES_AT = 0x180000
const PLACES_AT = 0x190000
const TEXT_AT = 0x188000

/** As much as is cut at once. */
export const MAX_CUT_SIZE = 0x8000

const bytes = new Uint8Array(kernel.memory.buffer, BYTES_AT, MAX_CUT_SIZE)
const text = new Uint8Array(kernel.memory.buffer, TEXT_AT, MAX_CUT_SIZE)
const places = new Uint32Array(kernel.memory.buffer, PLACES_AT, MAX_CUT_SIZE)
/** Whoever looks into the text uses the kernel himself. */
const scratch = Buffer.allocUnsafeSlow(MAX_CUT_SIZE)
const results = new Uint32Array(kernel.memory.buffer, RESULT_AT, 3)

/**
 * Tells control sequences from text (ECMA-48): ESC and one byte, ESC with intermediate bytes, and CSI (`ESC [` ... final byte), also
 * where they are cut. The strings that other sequences begin (titles, links) are text to us: what stands in them is read, and an ESC (or, where it came before
 * this chunk, the byte behind it) stays between them and the text beside them. What goes on for more than 64 bytes is no sequence.
 */
export class Escapes {
  #state = 0
  #seen = 0

  /** Whether the last chunk ended inside of a sequence. */
  get inside(): boolean {
    return this.#state !== 0
  }

  /**
   * The text of source[from, to), MAX_CUT_SIZE bytes at most; only until the next cut. `sequence` is told of each
   * control sequence, or part of one: how much of that text stands before it, and its size.
   */
  cut(source: Uint8Array, from: number, to: number, sequence: (at: number, size: number) => void): Uint8Array {
    bytes.set(source.subarray(from, to))
    const size = kernel.cut(to - from, this.#state, this.#seen)
    const count = results[0] as number // three words
    this.#state = results[1] as number
    this.#seen = results[2] as number
    for (let i = 0; i < count; i++) {
      const place = places[i] as number // i < count
      sequence(place >>> 16, place & 0xffff)
    }
    scratch.set(text.subarray(0, size))
    return scratch.subarray(0, size)
  }
}

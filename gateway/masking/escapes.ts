import { ESC } from './ascii.ts'

/** Told of what is text and what is a control sequence, in order. A stretch may be told in several. */
export interface Pieces {
  text(from: number, to: number): void
  /** (Part of) a control sequence. */
  sequence(from: number, to: number): void
}

/** No terminal knows a longer control sequence; what goes on is no sequence but bytes that happen to begin like one. */
const MAX_SEQUENCE_SIZE = 64
const OPEN_BRACKET = 0x5b

/**
 * Tells control sequences from text (ECMA-48): ESC and one byte, ESC with intermediate bytes, and CSI (`ESC [` ... final byte), also
 * where they are cut. The strings that other sequences begin (titles, links) are text to us: what stands in them is read.
 */
export class Escapes {
  #state: 'text' | 'escape' | 'csi' = 'text'
  #size = 0

  /** Whether the last chunk ended inside of a sequence. */
  get inside(): boolean {
    return this.#state !== 'text'
  }

  /** The whole chunk in pieces, in order. */
  cut(chunk: Uint8Array, pieces: Pieces): void {
    let from = 0
    let at = 0
    while (at < chunk.length) {
      if (this.#state === 'text') {
        const found = chunk.indexOf(ESC, at)
        at = found < 0 ? chunk.length : found
        if (at > from) pieces.text(from, at)
        from = at
        if (found < 0) return
        this.#state = 'escape'
        this.#size = 1
        at++
        continue
      }
      const byte = chunk[at] ?? 0
      this.#size++
      if (this.#state === 'escape') {
        if (byte === OPEN_BRACKET && this.#size === 2) this.#state = 'csi'
        else if (byte < 0x20 || byte > 0x2f) this.#state = 'text'
      } else if (byte < 0x20 || byte > 0x3f) {
        this.#state = 'text'
      }
      // A byte that can be in no sequence ends it and is text: so is the beginning of the next.
      const inside = this.#state !== 'text' || (byte >= 0x30 && byte <= 0x7e)
      if (this.#size > MAX_SEQUENCE_SIZE) this.#state = 'text'
      if (inside) at++
      if (this.#state === 'text') {
        if (at > from) pieces.sequence(from, at)
        from = at
      }
    }
    if (chunk.length > from) pieces.sequence(from, chunk.length)
  }
}

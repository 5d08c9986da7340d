import { Pieces } from './growing.ts'

/** A body as it came: what goes on of it waits here until the tape has as much. */
export class ExactBytes {
  readonly #pieces = new Pieces()
  #size = 0
  /** Of the first piece, which has gone. */
  #gone = 0

  push(piece: Uint8Array): void {
    if (piece.length > 0) this.#pieces.push(piece)
    this.#size += piece.length
  }

  /** All but the last `kept` bytes. */
  *take(kept: number): Generator<Uint8Array> {
    for (let first = this.#pieces.first; first !== undefined && this.#size > kept; first = this.#pieces.first) {
      const from = this.#gone
      const to = Math.min(first.length, from + this.#size - kept)
      this.#size -= to - from
      this.#gone = to
      if (to === first.length) {
        this.#pieces.shift()
        this.#gone = 0
      }
      yield first.subarray(from, to)
    }
  }
}

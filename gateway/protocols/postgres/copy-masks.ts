import { MaskSearch } from '../../masking/sentinel.ts'

const BACKSLASH = 0x5c

/** Looks for masks in the data of a COPY from the client: as they stand, and written as values, in which a delimiter such as `:` has a backslash. */
export class CopyMasks {
  readonly #written = new MaskSearch()
  readonly #unescaped = new MaskSearch()

  /** Whether a mask ends in this piece, or in it and those before. */
  feed(piece: Uint8Array): boolean {
    const isWritten = this.#written.feed(piece)
    // What a piece ends with may go on behind a backslash in the next.
    return this.#unescaped.feed(piece.includes(BACKSLASH) ? piece.filter((byte) => byte !== BACKSLASH) : piece) || isWritten
  }

  /** Whether the pieces so far end with what may be the beginning of a mask. */
  get begun(): boolean {
    return this.#written.begun || this.#unescaped.begun
  }

  /** What comes next belongs to something else. */
  reset(): void {
    this.#written.reset()
    this.#unescaped.reset()
  }
}

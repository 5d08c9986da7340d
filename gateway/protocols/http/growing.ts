/** What a second piece finds room for at the least. */
const MIN_SIZE = 1024
/** A piece of fewer bytes takes more memory for itself than for them. */
const SMALL_SIZE = 512

/** Bytes put together from pieces of any size, each copied: they take no more than twice their own memory, however small the pieces are. */
export class Growing {
  #bytes: Buffer = EMPTY
  #size = 0

  get size(): number {
    return this.#size
  }

  push(piece: Uint8Array): void {
    const size = this.#size + piece.length
    if (size > this.#bytes.length) {
      // The first piece is often all there is.
      const larger = Buffer.allocUnsafe(this.#size === 0 ? size : Math.max(MIN_SIZE, 2 * this.#size, size))
      this.#bytes.copy(larger, 0, 0, this.#size)
      this.#bytes = larger
    }
    this.#bytes.set(piece, this.#size)
    this.#size = size
  }

  /** All of it, which is empty then. */
  take(): Buffer {
    const all = this.#bytes.subarray(0, this.#size)
    this.#bytes = EMPTY
    this.#size = 0
    return all
  }
}

/** Pieces in their order; small ones that wait behind another are put together. */
export class Pieces {
  readonly #pieces: Uint8Array[] = []
  readonly #small = new Growing()
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): Uint8Array | undefined {
    return this.#pieces[0]
  }

  push(piece: Uint8Array): void {
    this.#size += piece.length
    if (this.#pieces.length > 0 && piece.length < SMALL_SIZE) {
      this.#small.push(piece)
      return
    }
    this.#settle()
    this.#pieces.push(piece)
  }

  shift(): Uint8Array | undefined {
    const piece = this.#pieces.shift()
    this.#size -= piece?.length ?? 0
    if (this.#pieces.length === 0) this.#settle()
    return piece
  }

  /** All but the last `kept` bytes. */
  *take(kept: number): Generator<Uint8Array> {
    for (let first = this.first; first !== undefined && this.#size > kept; first = this.first) {
      const due = this.#size - kept
      if (due < first.length) {
        this.#pieces[0] = first.subarray(due)
        this.#size = kept
        first = first.subarray(0, due)
      } else this.shift()
      yield first
    }
  }

  all(): readonly Uint8Array[] {
    this.#settle()
    return this.#pieces
  }

  #settle(): void {
    if (this.#small.size > 0) this.#pieces.push(this.#small.take())
  }
}

const EMPTY = Buffer.alloc(0)

/** What every mask in the forms `tag` and `plain` looks like, as far as it is always the same: `[MASKED:email:` or `[MASKED:card]`. */
const MASK = /\[MASKED:[a-z][a-z0-9_-]{0,60}[:\]]/
const OPENING = Buffer.from('[MASKED:')
/** The longest beginning of a mask that can be told from other text: one byte less than the longest mask up to its tag. */
const MAX_BEGINNING_SIZE = OPENING.length + 61

/** Whether a text holds a mask as this gateway writes it in the place of a value. */
export function holdsMask(text: string): boolean {
  return MASK.test(text)
}

/** As `holdsMask`, for bytes. Most hold none, and that is told by one search for what all masks begin with. */
export function bytesHoldMask(bytes: Uint8Array): boolean {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = whole.indexOf(OPENING)
  return at !== -1 && MASK.test(whole.toString('latin1', at))
}

/** Looks for masks in bytes that come in pieces, also where one is cut in two. */
export class MaskSearch {
  /** The end of what came before, where it may be the beginning of a mask. */
  #beginning: Uint8Array = new Uint8Array()

  /** Whether a mask ends in this piece, or in it and those before. */
  feed(piece: Uint8Array): boolean {
    const head =
      this.#beginning.length === 0 ? piece : Buffer.concat([this.#beginning, piece.subarray(0, MAX_BEGINNING_SIZE + 1)])
    const found = bytesHoldMask(piece) || (head !== piece && bytesHoldMask(head))
    const short = head !== piece && piece.length <= MAX_BEGINNING_SIZE ? head : piece
    const end = short.subarray(Math.max(0, short.length - MAX_BEGINNING_SIZE))
    const at = end.lastIndexOf(OPENING[0] ?? 0)
    this.#beginning = at === -1 ? new Uint8Array() : Uint8Array.prototype.slice.call(end, at)
    return found
  }

  /** Whether the pieces so far end with what may be the beginning of a mask. */
  get begun(): boolean {
    return this.#beginning.length > 0
  }

  /** What comes next belongs to something else. */
  reset(): void {
    this.#beginning = new Uint8Array()
  }
}

/** AES-GCM as SSH has it (RFC 5647): the length in the clear, then what is sealed, then the tag. */
export const LENGTH_SIZE = 4
export const TAG_SIZE = 16

/**
 * Something made of a nonce, made ahead: beginning a cipher takes a fifth of what a key and its echo cost here, and the next nonce is known. It is
 * made once the turn is over and all that was said in it is written.
 */
export class Ahead<T> {
  readonly #make: () => T
  #made: T | undefined
  #due = false

  constructor(make: () => T) {
    this.#make = make
  }

  /** Made of the nonce as it is now: it counts up before this turn is over. */
  take(): T {
    const made = this.#made ?? this.#make()
    this.#made = undefined
    if (!this.#due) {
      this.#due = true
      queueMicrotask(this.#fill)
    }
    return made
  }

  readonly #fill = (): void => {
    this.#due = false
    this.#made = this.#make()
  }
}

/** The last eight bytes of a nonce count the packets. */
export function countUp(nonce: Buffer): void {
  for (let at = nonce.length - 1; at >= nonce.length - 8; at--) {
    nonce[at] = ((nonce[at] ?? 0) + 1) & 0xff
    if (nonce[at] !== 0) return
  }
}

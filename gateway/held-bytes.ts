const NO_BYTES = new Uint8Array()

/**
 * What a client sends, as it came: goes on as far as the recorded copy does, which has a byte for every byte and may lag behind. So
 * whatever the target has is on the tape, whenever its sender breaks off.
 */
export class HeldBytes {
  #held: Uint8Array = NO_BYTES

  /** What goes on by now, where `bytes` came and the recorded copy went on by `size`. */
  pass(bytes: Uint8Array, size: number): Uint8Array {
    if (this.#held.length === 0 && size === bytes.length) return bytes
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    // The memory of what came is used again.
    this.#held = Uint8Array.from(all.subarray(size))
    return all.subarray(0, size)
  }
}

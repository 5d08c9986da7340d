import { isUtf8 } from 'node:buffer'

const NO_BYTES = new Uint8Array()
const BRACKET = 0x5d
const BRACE = 0x7d
/** What is larger is a piece of something larger, and its end is where it was cut. */
const MAX_SAID_SIZE = 4_096
/** Of the end of what came: bytes that are no text are seen by as many. */
const TAIL_SIZE = 64

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

/**
 * Whether what came is short and has most likely come to its end, and its receiver is waited for: closed brackets, or bytes that are no text (TLS, drivers of databases), which
 * would be kept back nearly always.
 */
export function isOver(bytes: Uint8Array): boolean {
  if (bytes.length > MAX_SAID_SIZE) return false
  const last = bytes.at(-1)
  if (last === BRACKET || last === BRACE) return true
  let from = Math.max(0, bytes.length - TAIL_SIZE)
  const tail = bytes.subarray(from)
  for (const byte of tail) if (byte < 0x07 || (byte > 0x0d && byte < 0x20 && byte !== 0x1b)) return true
  // A character may be cut at either end.
  while (from < bytes.length && from > 0 && ((bytes[from] as number) & 0xc0) === 0x80) from++
  for (let cut = 0; cut < 4; cut++) if (isUtf8(bytes.subarray(from, Math.max(from, bytes.length - cut)))) return false
  return true
}

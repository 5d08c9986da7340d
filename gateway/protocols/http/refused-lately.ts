/** Clients that fall back to another protocol do so at once. */
const REMEMBERED_MS = 5_000
/** Of one session at once: a client decides what it asks. */
const MAX_REMEMBERED = 64

/**
 * What people have just been asked about, and said no to or nothing: kubectl takes a refused WebSocket for a server that has none, and asks the same by SPDY.
 * It is answered the same, once, in place of asking people again.
 */
export class RefusedLately {
  readonly #said = new Map<string, { readonly words: Uint8Array; readonly untilMs: number }>()

  /** `binding`: what an approval of it would be bound to. `words`: what the client was told. */
  remember(binding: Uint8Array, words: Uint8Array, nowMs = performance.now()): void {
    const [eldest] = this.#said.keys()
    if (this.#said.size >= MAX_REMEMBERED && eldest !== undefined) this.#said.delete(eldest)
    this.#said.set(keyOf(binding), { words, untilMs: nowMs + REMEMBERED_MS })
  }

  /** What it was told, where that is still so; forgotten with that. */
  take(binding: Uint8Array, nowMs = performance.now()): Uint8Array | undefined {
    const key = keyOf(binding)
    const said = this.#said.get(key)
    this.#said.delete(key)
    return said !== undefined && nowMs < said.untilMs ? said.words : undefined
  }
}

function keyOf(binding: Uint8Array): string {
  return Buffer.from(binding).toString('latin1')
}

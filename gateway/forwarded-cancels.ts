/** Whoever has no key may say they want something cancelled: so many of them bother the other gateways at once. */
const MAX_ASKED = 128
/** From one address, so that nobody takes the place of all others. A key that is known is answered at once, others after seconds. */
const MAX_ASKED_FROM = 16

/** Cancels for sessions that are not here, on their way to the other gateways: a limited number, of each address and in all. */
export class ForwardedCancels {
  readonly #ask: (key: string) => Promise<unknown>
  readonly #onDropped: (client: string) => void
  readonly #asked = new Map<string, number>()

  /** `ask`: by the key in hex, as names are. `onDropped` hears of those beyond the limit, which are not asked for. */
  constructor(ask: (key: string) => Promise<unknown>, onDropped: (client: string) => void) {
    this.#ask = ask
    this.#onDropped = onDropped
  }

  /** `client`: `address:port`. Resolves when it was delivered, found unknown, or dropped. */
  async forward(key: Uint8Array, client: string): Promise<void> {
    const address = client.slice(0, Math.max(0, client.lastIndexOf(':')))
    const asked = this.#asked.get(address) ?? 0
    const all = [...this.#asked.values()].reduce((sum, each) => sum + each, 0)
    if (asked >= MAX_ASKED_FROM || all >= MAX_ASKED) return this.#onDropped(client)
    this.#asked.set(address, asked + 1)
    try {
      await this.#ask(Buffer.from(key).toString('hex'))
    } finally {
      const left = (this.#asked.get(address) ?? 0) - 1
      if (left > 0) this.#asked.set(address, left)
      else this.#asked.delete(address)
    }
  }
}

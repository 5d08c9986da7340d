import type { SignedEntry } from '../../schemas/verify/ledger-line.ts'

/** Which gateways are there, from what they say in the ledger. By the clock of this process: those of others decide nothing. */
export class Presence {
  readonly #heard = new Map<string, number>()

  saw({ type, gateway }: SignedEntry['statement']): void {
    if (type === 'gateway.stop') this.#heard.delete(gateway)
    else if (type.startsWith('gateway.')) this.#heard.set(gateway, performance.now())
  }

  /**
   * How long ago, ms, each gateway that has not said gateway.stop was last heard of, as far as the ledger has been read. What was written before
   * this process came counts as heard then.
   */
  silence(): ReadonlyMap<string, number> {
    const nowMs = performance.now()
    return new Map([...this.#heard].map(([gateway, heardMs]) => [gateway, nowMs - heardMs]))
  }
}

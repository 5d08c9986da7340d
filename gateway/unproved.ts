import type { Settings } from './config.ts'

/**
 * Connections of a process that have not proved who they are, by whichever listener they came. Where there are too many the oldest must go: an honest client is through
 * in milliseconds, so the oldest are those that never speak, and however many of them there are, the next one gets in.
 */
export class Unproved {
  readonly #limits: Pick<Settings['limits'], 'connectionsUnproved' | 'connectionsUnprovedPerAddress'>
  readonly #waiting = new Set<{ readonly network: string; readonly turnAway: () => void }>()
  readonly #listeners: (() => number)[] = []
  readonly #byNetwork = new Map<string, number>()

  constructor(limits: Settings['limits']) {
    this.#limits = limits
  }

  /** `count`: sockets of a listener that have not proved who they are, those told to go among them. */
  join(count: () => number): void {
    this.#listeners.push(count)
  }

  /** Of all listeners. */
  get sockets(): number {
    return this.#listeners.reduce((sum, count) => sum + count(), 0)
  }

  /** Returns what takes it out again; calling that twice is harmless. */
  add(network: string, turnAway: () => void): () => void {
    const { connectionsUnproved, connectionsUnprovedPerAddress } = this.#limits
    if ((this.#byNetwork.get(network) ?? 0) >= connectionsUnprovedPerAddress) this.#evict((each) => each.network === network)
    else if (this.#waiting.size >= connectionsUnproved) this.#evict(() => true)
    const entry = { network, turnAway }
    this.#waiting.add(entry)
    this.#byNetwork.set(network, (this.#byNetwork.get(network) ?? 0) + 1)
    return () => this.#remove(entry)
  }

  #evict(which: (entry: { readonly network: string }) => boolean): void {
    for (const entry of this.#waiting) {
      if (!which(entry)) continue
      this.#remove(entry)
      entry.turnAway()
      return
    }
  }

  #remove(entry: { readonly network: string; readonly turnAway: () => void }): void {
    if (!this.#waiting.delete(entry)) return
    const left = (this.#byNetwork.get(entry.network) ?? 1) - 1
    if (left > 0) this.#byNetwork.set(entry.network, left)
    else this.#byNetwork.delete(entry.network)
  }
}

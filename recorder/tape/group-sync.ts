/** Nobody waits longer than this for others to join: two syncs of a quick disk. */
const MAX_GATHERING_MS = 2

interface Group {
  readonly done: PromiseWithResolvers<void>
  size: number
}

/**
 * Group commit: one sync at a time, for all that wait when it begins. Those whom the last one served are waited for a moment, no
 * longer than a sync takes: without it, clients that ask again as soon as they are served fall into two halves, each of which
 * waits for the other's sync as well as for its own.
 */
export class GroupSync {
  readonly #sync: () => Promise<void>
  #next: Group | undefined
  #running: Promise<void> | undefined
  #gathering: NodeJS.Timeout | undefined
  /** How many there are to wait: those of the last sync, and those that came while it ran. */
  #expected = 1
  #tookMs = MAX_GATHERING_MS

  /** `sync` brings to the disk what was written when it is called. */
  constructor(sync: () => Promise<void>) {
    this.#sync = sync
  }

  /** Resolves when a sync is over that began after this call; rejects with its error. */
  wait(): Promise<void> {
    this.#next ??= { done: Promise.withResolvers(), size: 0 }
    const { done } = this.#next
    this.#next.size += 1
    if (this.#running === undefined) this.#gather(this.#next)
    return done.promise
  }

  /** Resolves when no sync runs and nobody waits for one; never rejects. */
  async idle(): Promise<void> {
    while (this.#next !== undefined || this.#running !== undefined) {
      await (this.#running ?? this.#next?.done.promise.catch(() => undefined))
    }
  }

  #gather({ size }: Group): void {
    if (size >= this.#expected) this.#begin()
    else this.#gathering ??= setTimeout(() => this.#begin(), Math.min(this.#tookMs, MAX_GATHERING_MS))
  }

  #begin(): void {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    // Whoever asks within the same turn of the loop is served as well.
    await Promise.resolve()
    const group = this.#next
    this.#next = undefined
    if (group === undefined) return
    const startMs = performance.now()
    try {
      await this.#sync()
      group.done.resolve()
    } catch (error) {
      group.done.reject(error)
    }
    this.#tookMs = performance.now() - startMs
    this.#running = undefined
    this.#after(group.size)
  }

  #after(servedCount: number): void {
    this.#expected = servedCount + (this.#next?.size ?? 0)
    if (this.#next !== undefined) this.#gather(this.#next)
  }
}

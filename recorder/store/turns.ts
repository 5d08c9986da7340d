/** Work on one object at a time, in the order of the calls; on several objects side by side. */
export class Turns {
  /** The tail of each object's queue. */
  readonly #tails = new Map<string, Promise<void>>()

  async take<T>(object: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(object)
    const turn = before === undefined ? work() : before.then(work)
    const settled = turn.then(
      () => undefined,
      () => undefined,
    )
    this.#tails.set(object, settled)
    try {
      return await turn
    } finally {
      if (this.#tails.get(object) === settled) this.#tails.delete(object)
    }
  }
}

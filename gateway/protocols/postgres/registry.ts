/**
 * What a name (prepared statement, portal) stands for at the server, as far as the client's requests and the server's
 * answers tell. Requests are pipelined, and the server skips what follows an error, so a name may stand for more than one
 * thing at a time: whoever judges it must then judge all of them. Believing the latest request alone would let a client
 * have one text judged and another executed.
 *
 *   propose --confirm--> confirmed        (ParseComplete, BindComplete, in request order)
 *           --fail-----> gone             (ErrorResponse: everything not yet answered in that group was skipped)
 *   confirmed --forget--> gone            (Close)
 */
export class Registry<T> {
  readonly #confirmed = new Map<string, T>()
  #pendingNameCount = 0
  #pending: { readonly name: string; readonly value: T; readonly group: number }[] = []

  /** A request to define `name` went to the server in sync group `group`. */
  propose(name: string, value: T, group: number): void {
    this.#pending.push({ name, value, group })
    if (name !== '') this.#pendingNameCount++
  }

  /** The server did the oldest pending request. */
  confirm(): void {
    const done = this.#pending.shift()
    if (done === undefined) return
    this.#confirmed.set(done.name, done.value)
    if (done.name !== '') this.#pendingNameCount--
  }

  /** The server failed somewhere in `group` and skips the rest of it. */
  fail(group: number): void {
    this.#pending = this.#pending.filter((request) => request.group !== group)
    this.#pendingNameCount = this.#pending.filter((request) => request.name !== '').length
  }

  forget(name: string): void {
    this.#confirmed.delete(name)
  }

  /** All that `name` may stand for when the server comes to a request of `group`. Empty: unknown here. */
  candidates(name: string, group: number): readonly T[] {
    if (this.#pending.length === 0) {
      const only = this.#confirmed.get(name)
      return only === undefined ? [] : [only]
    }
    // Within its own group a definition is certain: had it failed, the server would skip the use as well.
    const own = this.#pending.findLast((request) => request.name === name && request.group === group)
    if (own !== undefined) return [own.value]
    const pending = this.#pending.filter((request) => request.name === name)
    const confirmed = this.#confirmed.get(name)
    return [...(confirmed === undefined ? [] : [confirmed]), ...pending.map((request) => request.value)]
  }

  /** Names; the unnamed is replaced by each use, however many of them are under way. */
  get size(): number {
    return this.#confirmed.size + this.#pendingNameCount
  }
}

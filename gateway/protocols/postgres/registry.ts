/**
 * What a name (prepared statement, portal) stands for at the server, as far as the client's requests and the server's
 * answers tell. Requests are pipelined, and the server skips what follows an error, so a name may stand for more than one
 * thing at a time: whoever judges it must then judge all of them. Believing the latest request alone would let a client
 * have one text judged and another executed.
 *
 *   propose --confirm--> confirmed        (ParseComplete, BindComplete, in request order)
 *           --fail-----> gone             (ErrorResponse: everything not yet answered in that group was skipped)
 *   confirmed --forget--> gone            (Close, DEALLOCATE)
 *             --clear---> gone            (of portals: their transaction is over)
 */
export class Registry<T> {
  readonly #confirmed = new Map<string, T>()
  readonly #sizeOf: (value: T) => number
  /** Of what has a name, together; the unnamed goes with its next use. */
  #namedSize = 0
  #pendingNameCount = 0
  #pending: { readonly name: string; readonly value: T; readonly group: number }[] = []

  /** `sizeOf`: how much memory one holds, in bytes. */
  constructor(sizeOf: (value: T) => number) {
    this.#sizeOf = sizeOf
  }

  /** A request to define `name` went to the server in sync group `group`. */
  propose(name: string, value: T, group: number): void {
    this.#pending.push({ name, value, group })
    if (name === '') return
    this.#pendingNameCount++
    this.#namedSize += this.#sizeOf(value)
  }

  /** The server did the oldest pending request. */
  confirm(): void {
    const done = this.#pending.shift()
    if (done === undefined) return
    this.forget(done.name)
    this.#confirmed.set(done.name, done.value)
    if (done.name !== '') this.#pendingNameCount--
  }

  /** The server failed somewhere in `group` and skips the rest of it. */
  fail(group: number): void {
    for (const { name, value, group: own } of this.#pending) if (own === group) this.#release(name, value)
    this.#pending = this.#pending.filter((request) => request.group !== group)
    this.#pendingNameCount = this.#pending.filter((request) => request.name !== '').length
  }

  forget(name: string): void {
    const known = this.#confirmed.get(name)
    if (known !== undefined) this.#release(name, known)
    this.#confirmed.delete(name)
  }

  /** The unnamed stays. */
  forgetNamed(): void {
    for (const name of this.#confirmed.keys()) if (name !== '') this.forget(name)
  }

  /** The server has none of those any more that it has confirmed. */
  clear(): void {
    for (const [name, value] of this.#confirmed) this.#release(name, value)
    this.#confirmed.clear()
  }

  #release(name: string, value: T): void {
    if (name !== '') this.#namedSize -= this.#sizeOf(value)
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

  get namedSize(): number {
    return this.#namedSize
  }
}

import type { Message } from '../message.ts'

/** What one threshold has let through: in one statement, or in the whole session. */
export class Counter {
  readonly #step: { readonly rows: number; readonly bytes: number }
  #rows = 0
  #bytes = 0
  #rowsAllowed: number
  #bytesAllowed: number

  /** `limits` in units and bytes; Infinity where there is none. */
  constructor(limits: { readonly rows: number; readonly bytes: number }) {
    this.#step = limits
    this.#rowsAllowed = limits.rows
    this.#bytesAllowed = limits.bytes
  }

  get over(): boolean {
    return this.#rows > this.#rowsAllowed || this.#bytes > this.#bytesAllowed
  }

  /** Counts a message; of one that crosses the limit, the units that still pass. undefined: all of it passes. */
  count(message: Message): number | undefined {
    const rowsLeft = Math.max(0, this.#rowsAllowed - this.#rows)
    const bytesLeft = Math.max(0, this.#bytesAllowed - this.#bytes)
    this.#rows += message.units
    this.#bytes += message.bytes.length
    if (!this.over) return undefined
    const byRows = Math.min(message.units, rowsLeft)
    return message.bytes.length <= bytesLeft ? byRows : Math.min(byRows, unitsWithin(message, bytesLeft))
  }

  /** An approver let it go on: as much again, from here. */
  extend(): void {
    this.#rowsAllowed = this.#rows + this.#step.rows
    this.#bytesAllowed = this.#bytes + this.#step.bytes
  }
}

/** How many of the first units fit into so many bytes: exactly, by halving, where the message can be split. */
function unitsWithin(message: Message, bytes: number): number {
  if (message.split === undefined) return 0
  let fits = 0
  let tooMany = message.units
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1
    const [head] = message.split(middle)
    if ((head?.bytes.length ?? 0) <= bytes) fits = middle
    else tooMany = middle
  }
  return fits
}

import { codeBytes } from '../masking/code-share.ts'
import type { Message } from '../message.ts'

/** In units, bytes, different values, and bytes of source code and configuration; Infinity where there is no limit. */
export interface Limits {
  readonly rows: number
  readonly bytes: number
  readonly distinct: number
  readonly code: number
}

interface Amount {
  readonly rows: number
  readonly bytes: number
}

/** The rows and bytes a threshold has let through. */
export interface Passed {
  sum(): Amount
  /** What may pass now, where so much is allowed. */
  left(allowed: Amount): Amount
  add(rows: number, bytes: number): void
  /** Where it is agreed on with others: undefined where enough may pass now; else resolves once more may, or (true) once it is known that no more will. */
  wants?(need: Amount, allowed: Amount): Promise<boolean> | undefined
  /** Whether those others did not answer, and so nothing passes. */
  unanswered?(): boolean
}

/** What one threshold has let through: in one statement, in the whole session, or by an identity within a window. */
export class Counter {
  readonly #step: Limits
  readonly #passed: Passed
  /** Made with the first: most statements have a counter and nothing masked. */
  #values: Set<bigint> | undefined
  /** Of these it is known that no more can be had for them. */
  #final: WeakSet<Message> | undefined
  #rowsAllowed: number
  #bytesAllowed: number
  #valuesAllowed: number
  #code = 0
  #codeAllowed: number

  constructor(limits: Limits, passed: Passed = new OwnCount()) {
    this.#step = limits
    this.#passed = passed
    this.#rowsAllowed = limits.rows
    this.#bytesAllowed = limits.bytes
    this.#valuesAllowed = limits.distinct
    this.#codeAllowed = limits.code
  }

  /** What was counted so far, under other limits. */
  under(limits: Limits): Counter {
    const counter = new Counter(limits, this.#passed)
    for (const value of this.#values ?? []) counter.seen(value)
    counter.#code = this.#code
    return counter
  }

  get over(): boolean {
    const { rows, bytes } = this.#passed.sum()
    return (
      rows > this.#rowsAllowed ||
      bytes > this.#bytesAllowed ||
      this.#valueCount > this.#valuesAllowed ||
      this.#code > this.#codeAllowed
    )
  }

  get #valueCount(): number {
    return this.#values === undefined ? 0 : this.#values.size
  }

  get #allowed(): Amount {
    return { rows: this.#rowsAllowed, bytes: this.#bytesAllowed }
  }

  /** What has to be waited for before this message can be counted, if anything; asked again afterwards. */
  waits(message: Message): Promise<void> | undefined {
    if (this.#passed.wants === undefined || this.#final?.has(message) === true) return undefined
    const waiting = this.#passed.wants({ rows: message.units, bytes: message.bytes.length }, this.#allowed)
    return waiting?.then((final) => {
      if (!final) return
      this.#final ??= new WeakSet()
      this.#final.add(message)
    })
  }

  /** Whether what others let through could not be asked for. */
  get unanswered(): boolean {
    return this.#passed.unanswered?.() === true
  }

  /** Counts a message; of one that crosses the limit, the units that still pass. undefined: all of it passes. */
  count(message: Message): number | undefined {
    if (this.#valueCount > this.#valuesAllowed) return 0
    if (this.#codeAllowed < Number.POSITIVE_INFINITY) {
      // The message that is too much stays back whole: where in it a file begins is not known.
      if (this.#code <= this.#codeAllowed) this.#code += codeBytes(message.bytes)
      if (this.#code > this.#codeAllowed) return 0
    }
    const { rows, bytes } = this.#passed.sum()
    const left = this.#passed.left(this.#allowed)
    const rowsLeft = Math.max(0, left.rows)
    const bytesLeft = Math.max(0, left.bytes)
    this.#passed.add(message.units, message.bytes.length)
    if (
      message.units <= rowsLeft &&
      message.bytes.length <= bytesLeft &&
      rows <= this.#rowsAllowed &&
      bytes <= this.#bytesAllowed
    )
      return undefined
    const byRows = Math.min(message.units, rowsLeft)
    return message.bytes.length <= bytesLeft ? byRows : Math.min(byRows, unitsWithin(message, bytesLeft))
  }

  /** A value that was masked in what passed, by its fingerprint. Whether it was one too many shows with the next message. */
  seen(value: bigint): void {
    if (this.#valueCount > this.#valuesAllowed) return
    this.#values ??= new Set()
    this.#values.add(value)
  }

  /** An approver let it go on: as much again, from here. */
  extend(): void {
    const { rows, bytes } = this.#passed.sum()
    this.#rowsAllowed = rows + this.#step.rows
    this.#bytesAllowed = bytes + this.#step.bytes
    this.#valuesAllowed = this.#valueCount + this.#step.distinct
    this.#codeAllowed = this.#code + this.#step.code
  }
}

class OwnCount implements Passed {
  #rows = 0
  #bytes = 0

  sum(): Amount {
    return { rows: this.#rows, bytes: this.#bytes }
  }

  left(allowed: Amount): Amount {
    return { rows: allowed.rows - this.#rows, bytes: allowed.bytes - this.#bytes }
  }

  add(rows: number, bytes: number): void {
    this.#rows += rows
    this.#bytes += bytes
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

import { type Field, joined, type LiveRedactor, type Redacted, type Redactor } from '../../../message.ts'
import { NOTHING, parts } from './spans.ts'

const CONTENT: Field = { path: 'ssh.file', action: 'scan' }

/**
 * Read ahead of what the client asked for, so that a value is whole where a block of the client ends in it: as much as is kept back
 * of a live stream.
 */
const AHEAD_SIZE = 512
/** Read before it where the client begins in the middle: private keys of every usual kind are shorter. */
const BEFORE_SIZE = 8 * 1024
/** OpenSSH's server gives no more at once, and its clients take no more; a packet of more would end the channel here, too. */
export const MAX_READ_SIZE = 256 * 1024 - 1024

/** What the target is asked for in the place of what the client asked for, in one question or more. */
export interface ReadPlan {
  readonly offset: number
  readonly length: number
  /** Of the client: what it is given of the answer, at most. */
  readonly from: number
  readonly to: number
}

/**
 * What is read of one open file, masked in place. The way a client cuts its reads decides nothing: every block is read with what
 * stands before and behind it. A file that is read from its middle on by more than the two allow for is masked as far as they reach.
 */
export class ReadContent {
  #next = 0
  /** Whether the next can go on behind what was planned last. */
  #sure = false
  #live: LiveRedactor | undefined
  /** Up to where the file was given to `#live`, and what came out of it and is not needed yet. */
  #pushed = -1
  #out: readonly Redacted[] = []
  #outFrom = 0

  plan(offset: number, length: number): ReadPlan {
    const before = offset === this.#next && this.#sure ? 0 : Math.min(offset, BEFORE_SIZE)
    const to = offset + Math.min(length, MAX_READ_SIZE)
    const whole = before + (to - offset) + AHEAD_SIZE
    // Of what asks for no byte nothing is pushed, and nothing goes on behind it.
    this.#sure = to > offset
    this.#next = to
    return { offset: offset - before, length: whole, from: offset, to }
  }

  /**
   * Of what the target answered, and what stands behind it, what the client is given; undefined where that is as it came, or the file ends before.
   * Called in the order of the answers. `apart`: what was to go on behind another does not, as that came short, out of turn or not at all: nobody can tell what it is.
   */
  redact(
    plan: ReadPlan,
    [data, ahead]: readonly [data: Uint8Array, ahead: Uint8Array],
    redactor: Redactor,
  ): Redacted | 'apart' | undefined {
    const to = Math.min(plan.to, plan.offset + data.length)
    if (to <= plan.from) return undefined
    // Going on behind the last block is the rule; all else begins anew, with what was read before it.
    const goesOn =
      plan.offset <= this.#pushed && plan.from >= this.#outFrom && plan.from <= this.#pushed && plan.offset === plan.from
    if (!goesOn && plan.offset === plan.from && plan.from > 0) {
      this.#sure = false
      return 'apart'
    }
    if (this.#live === undefined || !goesOn) {
      this.#live = redactor.live(CONTENT)
      this.#pushed = plan.offset
      this.#out = []
      this.#outFrom = plan.offset
    }
    const live = this.#live
    const out = [...this.#out]
    let at = plan.offset
    for (const piece of [data, ahead]) {
      const end = at + piece.length
      if (end > this.#pushed) {
        out.push(live.push(piece.subarray(this.#pushed - at)))
        this.#pushed = end
      }
      at = end
    }
    const size = out.reduce((sum, { bytes }) => sum + bytes.length, 0)
    if (this.#outFrom + size < to) out.push(live.settle())
    const given = parts(out, plan.from - this.#outFrom, to - this.#outFrom)
    this.#out = parts(out, to - this.#outFrom, Number.POSITIVE_INFINITY)
    this.#outFrom = to
    return given.every(({ masks }) => masks === null) ? undefined : joined(redactor, given)
  }
}

/** What is written to one open file, as the tape has it: masked in place, and later by what may be the beginning of a value. */
export class WriteContent {
  #live: LiveRedactor | undefined
  #next = 0
  /** Whether anything in it was masked. */
  masked = false

  get holding(): boolean {
    return this.#live?.holding === true
  }

  push(offset: number, data: Uint8Array, redactor: Redactor): Redacted {
    const rest = this.#live !== undefined && offset !== this.#next ? this.#settle() : NOTHING
    if (this.#live === undefined || offset !== this.#next) this.#live = redactor.live(CONTENT)
    this.#next = offset + data.length
    const pushed = this.#live.push(data)
    if (pushed.masks !== null) this.masked = true
    return rest.bytes.length === 0 ? pushed : joined(redactor, [rest, pushed])
  }

  rest(): Redacted {
    return this.#settle()
  }

  #settle(): Redacted {
    const rest = this.#live?.settle() ?? NOTHING
    if (rest.masks !== null) this.masked = true
    return rest
  }
}

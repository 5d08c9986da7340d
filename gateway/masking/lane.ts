import type { Automaton } from './automaton.ts'
import { KernelAutomaton, MAX_SCAN_SIZE, MIN_SCAN_SIZE } from './kernel-automaton.ts'

const NOWHERE = -1
/** Room for as many triggers at first. */
const FEW_FOUND = 64

/** One automaton on its way over a field. It stops behind each trigger, and stands there until it is told to go on. */
export class Lane {
  /** The next byte to read. */
  position = 0
  /** It stands behind a trigger nobody has asked about yet. */
  pending = false
  readonly #automaton: Automaton
  readonly #table: Uint16Array | Uint32Array
  readonly #classes: Uint8Array
  readonly #acceptFrom: number
  #state = 0
  /** Triggers in the bytes before `#aheadTo`, found all at once; those up to `#ownTo` are told by its own way. Offsets are from `#aheadFrom`. */
  #ahead: Uint32Array | undefined
  #aheadCount = 0
  #aheadAt = 0
  #aheadFrom = 0
  #aheadTo = NOWHERE
  #aheadState = 0
  #ownTo = NOWHERE

  constructor(automaton: Automaton) {
    this.#automaton = automaton
    this.#table = automaton.table
    this.#classes = automaton.classes
    this.#acceptFrom = automaton.acceptFrom
  }

  begin(position: number): void {
    this.#restart(position)
    this.#aheadTo = NOWHERE
  }

  /** The bytes have been moved towards the beginning. */
  shift(by: number): void {
    this.position -= by
    this.#aheadFrom -= by
    this.#aheadTo -= by
    this.#ownTo -= by
  }

  #restart(position: number): void {
    this.position = position
    this.#state = this.#automaton.start
    this.pending = false
  }

  /** Goes on behind something masked that ends at `end`. What lies further ahead has been read as it stands, and stays read. */
  resume(end: number): void {
    if (this.position > end) return
    // The last masked byte is read again: it may be what a trigger begins with.
    this.#restart(end - 1)
    // So far what was found ahead may have begun before it; from there on the state is what it would have been anyway.
    this.#ownTo = this.position + this.#automaton.longest
  }

  /** Which accepting state it stands in: an index into the automaton's `accepts`. */
  get accepted(): number {
    return (this.#state - this.#acceptFrom) / this.#automaton.classCount
  }

  /** On to `until`, or to the byte behind the next trigger, where it is then `pending`. */
  advance(source: Uint8Array, until: number): void {
    while (this.position < until) {
      if (this.position < this.#aheadTo) {
        if (this.position < this.#ownTo) this.#step(source, Math.min(until, this.#ownTo, this.#aheadTo))
        else this.#follow(until)
      } else if (until - this.position >= MIN_SCAN_SIZE) {
        this.#look(source, Math.min(until, this.position + MAX_SCAN_SIZE))
      } else this.#step(source, until)
      if (this.pending) return
    }
  }

  /** Finds all triggers up to `to`, in a quarter of the time it takes to walk there. */
  #look(source: Uint8Array, to: number): void {
    const { count, words, state } = KernelAutomaton.of(this.#automaton).scan(source, this.position, to, this.#state)
    // Between two triggers others may use the kernel.
    if (count > 0) {
      if (this.#ahead === undefined || this.#ahead.length < count) this.#ahead = new Uint32Array(Math.max(count, FEW_FOUND))
      this.#ahead.set(words.subarray(0, count))
    }
    this.#aheadCount = count
    this.#aheadAt = 0
    this.#aheadFrom = this.position
    this.#aheadTo = to
    this.#aheadState = state
    this.#ownTo = NOWHERE
  }

  /** As `#step`, over what has been found ahead. */
  #follow(until: number): void {
    for (; this.#aheadAt < this.#aheadCount; this.#aheadAt++) {
      const word = this.#ahead?.[this.#aheadAt] ?? 0
      const position = this.#aheadFrom + (word >>> 16) + 1
      if (position > until) break
      if (position <= this.position) continue
      this.#aheadAt++
      this.#state = word & 0xffff
      this.position = position
      this.pending = true
      return
    }
    // In the middle of what has been found the state is not known, and not needed.
    this.position = Math.min(until, this.#aheadTo)
    if (this.position === this.#aheadTo) this.#state = this.#aheadState
  }

  /** The scanning loop, alone in its function so that it stays in registers. */
  #step(source: Uint8Array, until: number): void {
    const table = this.#table
    const classes = this.#classes
    const acceptFrom = this.#acceptFrom
    let state = this.#state
    let i = this.position
    let last = -1
    while (i < until) {
      // In bounds by construction: there are 256 classes, and a row for every state.
      const byte = source[i++] as number
      const next = table[state + (classes[byte] as number)] as number
      if (next >= acceptFrom) {
        this.#state = next
        this.position = i
        this.pending = true
        return
      }
      // A byte that changes nothing changes nothing however often it comes: padding and indentation are a comparison each. Asked in
      // this order, as a state that stays the same is as likely as not in any text, and a branch that nobody can predict costs a dozen bytes.
      if (byte === last && next === state) while (i < until && source[i] === byte) i++
      last = byte
      state = next
    }
    this.#state = state
    this.position = i
  }

  /**
   * Whether no trigger ends anywhere in source[from, to). One lane of `advance` waits for each byte's state before it can look up
   * the next; here four wait at the same time. Each but the first begins as many bytes early as the longest pattern has, behind which
   * its state is what it would have been had it begun with the field.
   */
  quiet(source: Uint8Array, from: number, to: number): boolean {
    const table = this.#table
    const classes = this.#classes
    const acceptFrom = this.#acceptFrom
    const { longest, start } = this.#automaton
    const quarter = (to - from) >> 2
    let a = start
    let b = a
    let c = a
    let d = a
    const from2 = from + quarter
    const from3 = from2 + quarter
    const from4 = from3 + quarter
    // In bounds by construction, as in `advance`; a quarter is no shorter than the longest pattern.
    for (let back = longest; back > 0; back--) {
      b = table[b + (classes[source[from2 - back] as number] as number)] as number
      c = table[c + (classes[source[from3 - back] as number] as number)] as number
      d = table[d + (classes[source[from4 - back] as number] as number)] as number
    }
    for (let i = 0; i < quarter; i++) {
      a = table[a + (classes[source[from + i] as number] as number)] as number
      b = table[b + (classes[source[from2 + i] as number] as number)] as number
      c = table[c + (classes[source[from3 + i] as number] as number)] as number
      d = table[d + (classes[source[from4 + i] as number] as number)] as number
      if (a >= acceptFrom || b >= acceptFrom || c >= acceptFrom || d >= acceptFrom) return false
    }
    for (let i = from4 + quarter; i < to; i++) {
      d = table[d + (classes[source[i] as number] as number)] as number
      if (d >= acceptFrom) return false
    }
    return true
  }
}

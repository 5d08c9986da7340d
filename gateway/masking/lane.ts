import type { Automaton } from './automaton.ts'

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

  constructor(automaton: Automaton) {
    this.#automaton = automaton
    this.#table = automaton.table
    this.#classes = automaton.classes
    this.#acceptFrom = automaton.acceptFrom
  }

  begin(position: number): void {
    this.position = position
    this.#state = this.#automaton.start
    this.pending = false
  }

  /** Goes on behind something masked that ends at `end`. What lies further ahead has been read as it stands, and stays read. */
  resume(end: number): void {
    if (this.position > end) return
    // The last masked byte is read again: it may be what a trigger begins with.
    this.begin(end - 1)
  }

  /** Which accepting state it stands in: an index into the automaton's `accepts`. */
  get accepted(): number {
    return (this.#state - this.#acceptFrom) / this.#automaton.classCount
  }

  /**
   * On to `until`, or to the byte behind the next trigger, where it is then `pending`. The scanning loop, alone in its function so
   * that it stays in registers.
   */
  advance(source: Uint8Array, until: number): void {
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

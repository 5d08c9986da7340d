import type { Automaton } from './automaton.ts'
import { AUTOMATON } from './detectors.ts'
import { type Kernel, kernel, newKernel } from './kernel.ts'

// Where things stand in the kernel's memory: see kernel.wat.
const CLASSES_AT = 0x10000
const TABLE_AT = 0x10400
const MAX_TABLE_ENTRIES = 0x10000
const BYTES_AT = 0x180000
const LISTS_AT = 0x188000
const LIST_WORDS = 0x2000
const COUNTS_AT = 0x1a8000
const HALVES_AT = 0x1c4000
const LONGEST_AT = 0x1c4100
/** Bytes after which the kernel's automaton is in the same state, whatever came before. */
const MAX_LONGEST = 32
/** As much as one call takes. */
export const MAX_SCAN_SIZE = 0x8000
/** Below, copying and calling cost more than they save. */
export const MIN_SCAN_SIZE = 1024

/** Where little can be told ahead the next that many calls do not try. */
const PAUSE = 31

/** What is found ahead: places behind triggers and the accepting states, in order. */
export interface Found {
  readonly count: number
  /** Of `count` triggers: the offset of the last byte in the upper half, the state in the lower. The kernel's own memory: gone with its next use. */
  readonly words: Uint32Array
  /** The state behind the last byte. */
  readonly state: number
}

/** A kernel that has this automaton in its memory. */
export class KernelAutomaton {
  readonly kernel: Kernel
  readonly #automaton: Automaton
  readonly #bytes: Uint8Array
  readonly #lists: readonly Uint32Array[]
  readonly #counts: Uint32Array
  readonly #words = new Uint32Array(MAX_SCAN_SIZE)
  #pause = 0

  private constructor(own: Kernel, automaton: Automaton) {
    const { classes, table, longest, prefilter } = automaton
    if (!(table instanceof Uint16Array) || table.length > MAX_TABLE_ENTRIES || longest > MAX_LONGEST)
      throw new RangeError(`an automaton of ${table.length} entries and patterns of ${longest} bytes does not fit the kernel`)
    const { buffer } = own.memory
    new Uint8Array(buffer, CLASSES_AT, classes.length).set(classes)
    new Uint16Array(buffer, TABLE_AT, table.length).set(table)
    new Uint8Array(buffer, HALVES_AT, prefilter.halves.length).set(prefilter.halves)
    new Uint8Array(buffer, LONGEST_AT, prefilter.longest.length).set(prefilter.longest)
    this.kernel = own
    this.#automaton = automaton
    this.#bytes = new Uint8Array(buffer, BYTES_AT, MAX_SCAN_SIZE)
    this.#lists = [0, 1, 2, 3].map((lane) => new Uint32Array(buffer, LISTS_AT + 4 * LIST_WORDS * lane, LIST_WORDS))
    this.#counts = new Uint32Array(buffer, COUNTS_AT, 4)
  }

  static of(automaton: Automaton): KernelAutomaton {
    let known = loaded.get(automaton)
    if (known === undefined) {
      known = new KernelAutomaton(automaton === AUTOMATON ? kernel : newKernel(), automaton)
      loaded.set(automaton, known)
    }
    return known
  }

  /** Triggers that end in source[from, to), MIN_SCAN_SIZE bytes at least and MAX_SCAN_SIZE at most; `state`: the automaton's before it. */
  scan(source: Uint8Array, from: number, to: number, state: number): Found {
    const { start, acceptFrom } = this.#automaton
    this.#bytes.set(source.subarray(from, to))
    const last = this.#filter(to - from, state) ?? this.kernel.scan(to - from, state, start, acceptFrom)
    let count = 0
    for (let lane = 0; lane < 4; lane++) {
      const size = this.#counts[lane] ?? 0
      const list = this.#lists[lane]
      if (list === undefined || size === 0) continue
      this.#words.set(list.subarray(0, size), count)
      count += size
    }
    return { count, words: this.#words, state: last }
  }

  /** The state at the end, or undefined where that is not the quicker way. */
  #filter(size: number, state: number): number | undefined {
    if (this.#pause > 0) {
      this.#pause--
      return undefined
    }
    const last = this.kernel.filter(size, state, this.#automaton.acceptFrom)
    if (last >= 0) return last
    this.#pause = PAUSE
    return undefined
  }
}

/** One for the built-in detectors, and one for each set policies make up: as long as it is in force. */
const loaded = new WeakMap<Automaton, KernelAutomaton>()

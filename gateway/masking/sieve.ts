import type { Sieve } from '../message.ts'
import type { Automaton } from './automaton.ts'
import { MIN_FIELD_SIZE } from './detector.ts'
import { AUTOMATON } from './detectors.ts'
import type { Kernel } from './kernel.ts'
import { KernelAutomaton } from './kernel-automaton.ts'
import type { OwnDetectors } from './own.ts'

// Where things stand in the kernel's memory: see kernel.wat.
const BYTES_AT = 0x40000
const FIELDS_AT = 0x88000
const FOUND_AT = 0x148000
/** Any message that is held whole, and a run of what one read brings; with a line feed before every six, all that fits where they are gathered. */
const MAX_BYTES = 0x44000
/** Below, copying and calling cost more than they save. */
const MIN_BYTES = 1024
/** Fields do not overlap, and shorter ones are not looked at. */
const MAX_FIELDS = Math.ceil(MAX_BYTES / MIN_FIELD_SIZE)

/**
 * Tells of many fields at once which may hold something: what costs a call for each of them otherwise is a few nanoseconds, and
 * the automaton runs in four places at the same time. Nothing is awaited while it is in use.
 */
class KernelSieve implements Sieve {
  readonly #sift: Kernel['sift']
  readonly #start: number
  readonly #acceptFrom: number
  readonly #bytes: Uint8Array
  readonly #fields: Int32Array
  readonly #found: Int32Array
  #count = 0
  #origin = 0
  #size = 0

  constructor(automaton: Automaton) {
    const { memory, sift } = KernelAutomaton.of(automaton).kernel
    const { start, acceptFrom } = automaton
    this.#sift = sift
    this.#start = start
    this.#acceptFrom = acceptFrom
    this.#bytes = new Uint8Array(memory.buffer, BYTES_AT, MAX_BYTES)
    this.#fields = new Int32Array(memory.buffer, FIELDS_AT, 2 * MAX_FIELDS)
    this.#found = new Int32Array(memory.buffer, FOUND_AT, MAX_FIELDS)
  }

  begin(source: Uint8Array, from: number, to: number): this {
    this.#bytes.set(source.subarray(from, to))
    this.#count = 0
    this.#origin = from
    this.#size = to - from
    return this
  }

  add(from: number, to: number): void {
    if (to - from < MIN_FIELD_SIZE) return
    if (this.#count === MAX_FIELDS || from < this.#origin || to > this.#origin + this.#size)
      throw new RangeError(`field [${from}, ${to}) is not inside what is sifted`)
    const at = 2 * this.#count++
    this.#fields[at] = from - this.#origin
    this.#fields[at + 1] = to - from
  }

  suspects(): Int32Array {
    const found = this.#found
    const count = this.#count === 0 ? 0 : this.#sift(this.#count, this.#start, this.#acceptFrom)
    for (let i = 0; i < count; i++) found[i] = this.#origin + (this.#fields[2 * (found[i] as number)] as number) // numbers of fields added
    return found.subarray(0, count)
  }
}

/** What either of two holds back. */
class BothSieves implements Sieve {
  readonly #first: KernelSieve
  readonly #second: KernelSieve

  constructor(first: KernelSieve, second: KernelSieve) {
    this.#first = first
    this.#second = second
  }

  begin(source: Uint8Array, from: number, to: number): this {
    this.#first.begin(source, from, to)
    this.#second.begin(source, from, to)
    return this
  }

  add(from: number, to: number): void {
    this.#first.add(from, to)
    this.#second.add(from, to)
  }

  suspects(): Int32Array {
    const first = this.#first.suspects()
    const second = this.#second.suspects()
    if (second.length === 0) return first
    if (first.length === 0) return second
    return Int32Array.from(new Set([...first, ...second])).sort()
  }
}

const builtIn = new KernelSieve(AUTOMATON)
/** One for each set of detectors policies make up: as long as one of them is in force. */
const withOwn = new WeakMap<OwnDetectors, BothSieves>()

/** A sieve for fields in source[from, to); undefined where that is too much for one, or too little. */
export function sieveOf(source: Uint8Array, from: number, to: number, own?: OwnDetectors): Sieve | undefined {
  if (to - from < MIN_BYTES || to - from > MAX_BYTES) return undefined
  if (own === undefined) return builtIn.begin(source, from, to)
  const both = withOwn.get(own) ?? new BothSieves(builtIn, new KernelSieve(own.automaton))
  withOwn.set(own, both)
  return both.begin(source, from, to)
}

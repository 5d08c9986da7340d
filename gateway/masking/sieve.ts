import type { Sieve } from '../message.ts'
import { AUTOMATON } from './detectors.ts'
import { MIN_FIELD_SIZE } from './engine.ts'
import { memory, sift } from './kernel.ts'

// Where things stand in the kernel's memory: see kernel.wat.
const CLASSES_AT = 0x10000
const TABLE_AT = 0x10400
const MAX_TABLE_ENTRIES = 0x10000
const BYTES_AT = 0x40000
const FIELDS_AT = 0x88000
const FOUND_AT = 0x148000
/** Any message that is held whole, and a run of what one read brings; with a line feed before every six, all that fits where they are gathered. */
const MAX_BYTES = 0x44000
/** Below, copying and calling cost more than they save. */
const MIN_BYTES = 1024
/** Fields do not overlap, and shorter ones are not looked at. */
const MAX_FIELDS = Math.ceil(MAX_BYTES / MIN_FIELD_SIZE)
/** Bytes after which the kernel's automaton is in the same state, whatever came before. */
const MAX_LONGEST = 32

const { classes, table, start, acceptFrom, longest } = AUTOMATON
if (!(table instanceof Uint16Array) || table.length > MAX_TABLE_ENTRIES || longest > MAX_LONGEST) {
  throw new RangeError(`an automaton of ${table.length} entries and patterns of ${longest} bytes does not fit the kernel`)
}
const bytes = new Uint8Array(memory.buffer, BYTES_AT, MAX_BYTES)
const fields = new Int32Array(memory.buffer, FIELDS_AT, 2 * MAX_FIELDS)
const found = new Int32Array(memory.buffer, FOUND_AT, MAX_FIELDS)
new Uint8Array(memory.buffer, CLASSES_AT, classes.length).set(classes)
new Uint16Array(memory.buffer, TABLE_AT, table.length).set(table)

/**
 * Tells of many fields at once which may hold something: what costs a call for each of them otherwise is a few nanoseconds, and
 * the automaton runs in four places at the same time. One for the process; nothing is awaited while it is in use.
 */
class KernelSieve implements Sieve {
  #count = 0
  #origin = 0
  #size = 0

  begin(source: Uint8Array, from: number, to: number): this {
    bytes.set(source.subarray(from, to))
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
    fields[at] = from - this.#origin
    fields[at + 1] = to - from
  }

  suspects(): Int32Array {
    const count = this.#count === 0 ? 0 : sift(this.#count, start, acceptFrom)
    for (let i = 0; i < count; i++) found[i] = this.#origin + (fields[2 * (found[i] as number)] as number) // numbers of fields added
    return found.subarray(0, count)
  }
}

const sieve = new KernelSieve()

/** A sieve for fields in source[from, to); undefined where that is too much for one, or too little. */
export function sieveOf(source: Uint8Array, from: number, to: number): Sieve | undefined {
  return to - from < MIN_BYTES || to - from > MAX_BYTES ? undefined : sieve.begin(source, from, to)
}

import type { Sieve } from '../message.ts'
import type { Automaton } from './automaton.ts'
import { MIN_FIELD_SIZE } from './detector.ts'
import { AUTOMATON } from './detectors.ts'
import { type Judge, loadJudge, loadTables } from './judge.ts'
import type { Kernel } from './kernel.ts'
import { KernelAutomaton } from './kernel-automaton.ts'
import type { OwnDetectors } from './own.ts'

// Where things stand in the kernel's memory: see kernel.wat.
const BYTES_AT = 0x40000
const FIELDS_AT = 0x88000
const FOUND_AT = 0x148000
const FIRST_HITS_AT = 0x220000
const HITS_AT = 0x250000
const MAX_HITS = 0x4000
const UNITS_AT = 0x580000
const MAX_UNITS = 0xa000
const HELD_AT = 0x5a8000
const WRITTEN_AT = 0x300000
const SPANS_AT = 0x4e0000
/** Where the kernel leaves how far it came. */
const REACHED_AT = 0x70
const LABELS_AT = 0x80
/** A unit's framing, as the kernel has it. */
const UNIT_LENGTHS = 1
const ALL_LENGTHS = 2
/** Any message that is held whole, and a run of what one read brings; with a line feed before every six, all that fits where they are gathered. */
const MAX_BYTES = 0x44000
/** Below, copying and calling cost more than they save. */
export const MIN_BYTES = 1024
/** Fields do not overlap, and shorter ones are not looked at. */
const MAX_FIELDS = Math.ceil(MAX_BYTES / MIN_FIELD_SIZE)

/**
 * A hit is eight words: start and end; which of `JUDGED` found it, in the lower half, and in the upper half of a field's first how many there
 * are in it; lower and upper half of the fingerprint; the tag's 12 digits.
 */
export const HIT_WORDS = 8

/** What the kernel wrote of a source, in its own memory: only until the next call. */
export interface Written {
  /** Up to where in the source, and the suspect that comes next. */
  readonly at: number
  readonly next: number
  readonly bytes: Uint8Array
  /** As they stand on the tape. */
  readonly spans: Uint8Array
  /** Of each of `JUDGED`, as far as it has one by now. */
  readonly labels: Uint8Array
}

/** A sieve whose fields may stand in the kernel's memory already. */
export interface FilledSieve extends Sieve {
  /** So many fields were written there. */
  filled(count: number): void
}

/**
 * Tells of many fields at once which may hold something: what costs a call for each of them otherwise is a few nanoseconds, and
 * the automaton runs in four places at the same time. Nothing is awaited while it is in use.
 */
class KernelSieve implements FilledSieve {
  readonly #sift: Kernel['sift']
  readonly #start: number
  readonly #acceptFrom: number
  readonly #bytes: Uint8Array
  readonly #fields: Int32Array
  readonly #found: Int32Array
  readonly #firstHits: Int32Array
  readonly #kernel: Kernel
  /** Whose rules and keys the kernel has. */
  #judge: Judge | undefined
  /** Of each field whether it is left to the detectors. */
  readonly #held: Uint8Array
  readonly #units: Int32Array
  #unitCount = 0
  #framing = 0
  #foundCount = 0
  #count = 0
  #origin = 0
  #size = 0

  constructor(automaton: Automaton) {
    const kernel = KernelAutomaton.of(automaton).kernel
    const { memory, sift } = kernel
    const { start, acceptFrom } = automaton
    this.#kernel = kernel
    this.#sift = sift
    loadTables(kernel)
    loadJudge(kernel, undefined)
    this.#start = start
    this.#acceptFrom = acceptFrom
    this.#bytes = new Uint8Array(memory.buffer, BYTES_AT, MAX_BYTES)
    this.#fields = new Int32Array(memory.buffer, FIELDS_AT, 2 * MAX_FIELDS)
    this.#found = new Int32Array(memory.buffer, FOUND_AT, MAX_FIELDS)
    this.#held = new Uint8Array(memory.buffer, HELD_AT, MAX_FIELDS)
    this.#units = new Int32Array(memory.buffer, UNITS_AT, MAX_UNITS)
    this.#firstHits = new Int32Array(memory.buffer, FIRST_HITS_AT, MAX_FIELDS)
  }

  begin(source: Uint8Array, from: number, to: number, judge?: Judge): this {
    if (judge !== this.#judge) {
      loadJudge(this.#kernel, judge)
      this.#judge = judge
    }
    this.#bytes.set(source.subarray(from, to))
    this.#count = 0
    this.#unitCount = 0
    this.#framing = 0
    this.#origin = from
    this.#size = to - from
    return this
  }

  unit(lengthAt: number, lengths: boolean): void {
    if (this.#unitCount === MAX_UNITS || lengthAt < this.#origin || lengthAt + 4 > this.#origin + this.#size)
      throw new RangeError(`unit at ${lengthAt} is not inside what is sifted`)
    this.#framing = lengths ? ALL_LENGTHS : UNIT_LENGTHS
    this.#units[this.#unitCount++] = BYTES_AT + lengthAt - this.#origin
  }

  add(from: number, to: number, held = false): void {
    if (to - from < MIN_FIELD_SIZE) return
    if (this.#count === MAX_FIELDS || from < this.#origin || to > this.#origin + this.#size)
      throw new RangeError(`field [${from}, ${to}) is not inside what is sifted`)
    this.#held[this.#count] = held ? 1 : 0
    const at = 2 * this.#count++
    this.#fields[at] = from - this.#origin
    this.#fields[at + 1] = to - from
  }

  filled(count: number): void {
    this.#count = count
  }

  /** Takes the fields of another sieve, which has the same bytes. */
  fill(from: KernelSieve): void {
    this.#count = from.#count
    this.#fields.set(from.#fields.subarray(0, 2 * from.#count))
    this.#held.fill(0, 0, from.#count)
  }

  suspects(): Int32Array {
    const count = this.#count === 0 ? 0 : this.#sift(this.#count, this.#origin, this.#start, this.#acceptFrom)
    this.#foundCount = count
    return this.#found.subarray(0, count)
  }

  /** Writes what is known of the suspects from `suspect` on, beginning with the byte at `from`; `labels`: of each of `JUDGED` in what is written to. */
  write(from: number, suspect: number, base: number, labels: Uint8Array, nextLabel: number): Written {
    const { memory, cover } = this.#kernel
    new Uint8Array(memory.buffer, LABELS_AT, labels.length).set(labels)
    const words = new Int32Array(memory.buffer, REACHED_AT, 6)
    words[5] = nextLabel
    cover(from, suspect, this.#foundCount, base, this.#framing, this.#unitCount)
    const [at = 0, next = 0, end = 0, spansEnd = 0] = words
    return {
      at,
      next,
      bytes: new Uint8Array(memory.buffer, WRITTEN_AT, end - WRITTEN_AT),
      spans: new Uint8Array(memory.buffer, SPANS_AT, spansEnd - SPANS_AT),
      labels: new Uint8Array(memory.buffer, LABELS_AT, labels.length),
    }
  }

  get judge(): Judge | undefined {
    return this.#judge
  }

  /** Per suspect the number of its first hit, or -1 where detectors have to be asked that the kernel does not have. */
  get firstHits(): Int32Array {
    return this.#firstHits
  }
}

/** What either of two holds back. */
class BothSieves implements FilledSieve {
  readonly #first: KernelSieve
  readonly #second: KernelSieve

  constructor(first: KernelSieve, second: KernelSieve) {
    this.#first = first
    this.#second = second
  }

  begin(source: Uint8Array, from: number, to: number, judge: Judge | undefined): this {
    this.#first.begin(source, from, to, judge)
    this.#second.begin(source, from, to)
    return this
  }

  unit(lengthAt: number, lengths: boolean): void {
    this.#first.unit(lengthAt, lengths)
  }

  add(from: number, to: number, held = false): void {
    this.#first.add(from, to, held)
    this.#second.add(from, to)
  }

  filled(count: number): void {
    this.#first.filled(count)
    this.#second.fill(this.#first)
  }

  suspects(): Int32Array {
    const first = this.#first.suspects()
    const second = this.#second.suspects()
    if (second.length === 0) return first
    // Where both hold a field back, which hit comes first is not the kernel's to tell.
    const firstHits = this.#first.firstHits
    const all = new Int32Array(first.length + second.length)
    const hits = new Int32Array(all.length)
    let count = 0
    for (let i = 0, k = 0; i < first.length || k < second.length; count++) {
      const one = first[i] ?? Number.MAX_SAFE_INTEGER
      const other = second[k] ?? Number.MAX_SAFE_INTEGER
      all[count] = Math.min(one, other)
      hits[count] = one < other ? (firstHits[i] ?? -1) : -1
      if (one <= other) i++
      if (other <= one) k++
    }
    lastFirstHits = hits
    return all.subarray(0, count)
  }
}

const builtIn = new KernelSieve(AUTOMATON)
/** One for each set of detectors policies make up: as long as one of them is in force. */
const withOwn = new WeakMap<OwnDetectors, BothSieves>()
/** Of the suspects told last. */
let lastFirstHits = builtIn.firstHits

const { buffer } = KernelAutomaton.of(AUTOMATON).kernel.memory
/** All hits of the suspects told last. */
export const hitWords: Int32Array = new Int32Array(buffer, HITS_AT, HIT_WORDS * MAX_HITS)
/** A sieve for fields in source[from, to); undefined where that is too much for one, or too little. `judge`: of whom its hits are. */
export function sieveOf(source: Uint8Array, from: number, to: number, judge?: Judge, own?: OwnDetectors): Sieve | undefined {
  return to - from < MIN_BYTES || to - from > MAX_BYTES ? undefined : openSieve(source, from, to, judge, own)
}

/** One for source[from, to), which has to fit. */
export function openSieve(source: Uint8Array, from: number, to: number, judge?: Judge, own?: OwnDetectors): FilledSieve {
  lastFirstHits = builtIn.firstHits
  if (own === undefined) return builtIn.begin(source, from, to, judge)
  const both = withOwn.get(own) ?? new BothSieves(builtIn, new KernelSieve(own.automaton))
  withOwn.set(own, both)
  return both.begin(source, from, to, judge)
}

/** The number of the first hit in a suspect of the last sieve; -1 where the kernel does not know all that may stand in it, or hashed for another. */
export function firstHitOf(judge: Judge | undefined, suspect: number): number {
  return judge !== undefined && builtIn.judge === judge ? (lastFirstHits[suspect] ?? -1) : -1
}

/** Whether the kernel can write what it knows of this suspect of the last sieve, and maybe of those behind it. */
export function isWritable(judge: Judge | undefined, suspect: number): boolean {
  return judge?.texts !== undefined && lastFirstHits === builtIn.firstHits && firstHitOf(judge, suspect) >= 0
}

/** The kernel's masks for a source from `from` on; `isWritable` was asked. */
export function writeSuspects(from: number, suspect: number, base: number, labels: Uint8Array, nextLabel: number): Written {
  return builtIn.write(from, suspect, base, labels, nextLabel)
}

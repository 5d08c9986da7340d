import { KERNEL_CODE } from './kernel-code.ts'

/** What the runtime has and neither `node` nor the language's own library declares. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

export interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer }
  sip(at: number, size: number, total: number, first: number, last: number, keys: number, to: number): void
  sift(count: number, origin: number, start: number, accept: number): number
  scan(size: number, state: number, start: number, accept: number): number
  filter(size: number, state: number, accept: number): number
  cover(from: number, suspect: number, count: number, base: number, framing: number, units: number): void
  cut(size: number, state: number, seen: number): number
  json(size: number, last: number, min: number): number
  learn(field: number, clean: number, min: number): void
}

const code = new WebAssembly.Module(Buffer.from(KERNEL_CODE, 'base64'))

/** A kernel with a memory of its own, for a table of its own. What it exports stands in kernel*.wat. */
export function newKernel(): Kernel {
  return new WebAssembly.Instance(code).exports as Kernel
}

/** The one of the hashes and of the built-in detectors. One for the process: nothing is awaited while it is in use. */
export const kernel = newKernel()
const { memory, sip } = kernel

const KEY_WORDS = 8
const KEYS_AT = 0
const RESULT_AT = 96
const VALUE_AT = 1024
/** A multiple of 8, and room to read 8 at its end. */
const VALUE_SIZE = 0x10000 - VALUE_AT - 8

const bytes = new Uint8Array(memory.buffer)
const keyWords = new Int32Array(memory.buffer, KEYS_AT, KEY_WORDS)
const resultWords = new Uint32Array(memory.buffer, RESULT_AT, 4)
const SHORT_VALUE = 64

/** The keys of two hashes, as the kernel has them. */
export type KeyPair = Int32Array

/** `first`, `second`: 16 bytes each, little endian as in the paper. */
export function keyPair(first: Uint8Array, second: Uint8Array): KeyPair {
  const words = new Int32Array(KEY_WORDS)
  for (const [index, key] of [first, second].entries()) {
    if (key.length !== 16) throw new RangeError(`a SipHash key has 16 bytes, not ${key.length}`)
    const view = new DataView(key.buffer, key.byteOffset, 16)
    for (let half = 0; half < 2; half++) {
      words[4 * half + 2 * index] = view.getInt32(8 * half, true)
      words[4 * half + 2 * index + 1] = view.getInt32(8 * half + 4, true)
    }
  }
  return words
}

let current: KeyPair | undefined

/**
 * SipHash-2-4 of source[from, to) under both keys: lower and upper 32 bits of the first, then of the second, until the next call.
 * Twice as quick as one of them is in JavaScript, an order of magnitude quicker than both.
 */
export function hashPair(keys: KeyPair, source: Uint8Array, from: number, to: number): Uint32Array {
  if (keys !== current) {
    for (let i = 0; i < KEY_WORDS; i++) keyWords[i] = keys[i] as number // a pair has as many
    current = keys
  }
  const size = to - from
  if (size <= SHORT_VALUE) {
    let at = VALUE_AT
    for (let i = from; i < to; i++) bytes[at++] = source[i] as number // from <= i < to
    sip(VALUE_AT, size, size, 1, 1, KEYS_AT, RESULT_AT)
    return resultWords
  }
  for (let at = from; ; at += VALUE_SIZE) {
    const end = Math.min(at + VALUE_SIZE, to)
    bytes.set(source.subarray(at, end), VALUE_AT)
    sip(VALUE_AT, end - at, size, at === from ? 1 : 0, end === to ? 1 : 0, KEYS_AT, RESULT_AT)
    if (end === to) return resultWords
  }
}

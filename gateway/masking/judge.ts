import { ALNUM, DIGIT, WORD } from './bytes.ts'
import { CARD_SIZES, DOMAIN, IBAN_CHARACTER, IBAN_SIZES, LABEL_EDGE, LOCAL, PII_DETECTORS, TOP_LEVEL } from './detect-pii.ts'
import { AUTOMATON } from './detectors.ts'
import { type Accepts, acceptsOf } from './engine.ts'
import type { Kernel, KeyPair } from './kernel.ts'
import type { MaskingRules } from './rules.ts'

// Where things stand in the kernel's memory: see kernel.wat.
const PARTS_AT = 0x1b0000
const IBAN_SIZES_AT = 0x1b0100
const KEYS_AT = 0x1b0400
const TAGGED_AT = 0x1b0480
const TEXTS_AT = 0x1b0500
const TEXT_ROOM = 128
const ASKED_AT = 0x1b1000
const CARD_SIZES_AT = 0x1c1000
const MAX_ASKED_SIZE = 0x10000
/** Somebody who is not in the kernel. */
const OTHERS = 0x80

/** What a byte can be part of, in the order of the kernel's bits. */
const PARTS = [LOCAL, DOMAIN, LABEL_EDGE, TOP_LEVEL, WORD, ALNUM, DIGIT, IBAN_CHARACTER]

/** The detectors the kernel has, in the order of its bits, by what they find. */
export const JUDGED = ['email', 'us-ssn', 'card', 'iban'] as const

/** What the kernel has to know of a session to tell what stands in a field, and to hash it. */
export interface Judge {
  /** By the distance of an accepting state from the first. */
  readonly asked: Uint8Array
  /** Of each of `JUDGED`, and whether its masks have tags: else only the first hash is made. */
  readonly keys: readonly KeyPair[]
  readonly tagged: readonly boolean[]
  /** What the mask of each begins with, or is, if it has no tag: `MAX_TEXT_SIZE` bytes at most. Undefined where the kernel cannot write one of them. */
  readonly texts?: readonly Uint8Array[]
}

/** Of all the hits there is room for with a mask as long as this there is room for the output. */
export const MAX_TEXT_SIZE = 64

const BITS = new Map<object, number>(PII_DETECTORS.map((detector, bit) => [detector, 1 << bit]))

/** One for each set of detectors that are on. */
const known = new WeakMap<Accepts, Uint8Array>()

export function judgeOf(rules: MaskingRules, { keys, tagged, texts }: Omit<Judge, 'asked'>): Judge {
  const accepts = acceptsOf(rules)
  let asked = known.get(accepts)
  if (asked === undefined) {
    asked = new Uint8Array(accepts.length * AUTOMATON.classCount)
    for (const [index, owners] of accepts.entries()) {
      for (const { detector } of owners) {
        const at = index * AUTOMATON.classCount
        asked[at] = (asked[at] ?? 0) | (BITS.get(detector) ?? OTHERS)
      }
    }
    known.set(accepts, asked)
  }
  return texts === undefined ? { asked, keys, tagged } : { asked, keys, tagged, texts }
}

/** Gives a kernel the tables its detectors share with those in TypeScript. */
export function loadTables({ memory }: Kernel): void {
  const bytes = new Uint8Array(memory.buffer)
  for (const [bit, set] of PARTS.entries())
    for (let byte = 0; byte < 256; byte++) bytes[PARTS_AT + byte] = (bytes[PARTS_AT + byte] ?? 0) | ((set[byte] ?? 0) << bit)
  bytes.set(IBAN_SIZES, IBAN_SIZES_AT)
  bytes.set(CARD_SIZES, CARD_SIZES_AT)
}

/** What is asked from now on; undefined: others than the kernel's detectors, of everything. */
export function loadJudge({ memory }: Kernel, judge: Judge | undefined): void {
  const bytes = new Uint8Array(memory.buffer)
  const asked = bytes.subarray(ASKED_AT, ASKED_AT + MAX_ASKED_SIZE)
  if (judge === undefined) {
    asked.fill(OTHERS)
    return
  }
  asked.set(judge.asked)
  for (const [index, keys] of judge.keys.entries())
    new Int32Array(memory.buffer, KEYS_AT + index * keys.byteLength, keys.length).set(keys)
  for (const [index, tagged] of judge.tagged.entries()) bytes[TAGGED_AT + index] = tagged ? 1 : 0
  for (const [index, text] of (judge.texts ?? []).entries()) {
    new DataView(memory.buffer).setUint32(TEXTS_AT + index * TEXT_ROOM, text.length, true)
    bytes.set(text, TEXTS_AT + index * TEXT_ROOM + 4)
  }
}

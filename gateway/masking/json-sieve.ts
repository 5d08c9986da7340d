import type { Field, JsonTold } from '../message.ts'
import { MIN_FIELD_SIZE } from './detector.ts'
import { kernel } from './kernel.ts'
import { type FilledSieve, MIN_BYTES } from './sieve.ts'

// Where things stand in the kernel's memory: see kernel-json.wat.
const STATE_AT = 0x5c0000
const TREATED_AT = 0x5c0100
const MAX_FIELDS = 0x100
const KNOWN_AT = 0x5c1000
const KNOWN_SIZE = 0x2000
const KNOWN_BYTES = 8
const TOKENS_AT = 0x5d8000
const TOKEN_WORDS = 0x8000
const BYTES_AT = 0x40000
/** Words of its state. */
const AT = 0
const DEPTH = 2
const FIELD_COUNT = 4
const TOKEN_COUNT = 5
const KEY_FROM = 6
const KEY_TO = 7
const KEY_ESCAPED = 8
const KEY_PLACE = 9
const STATE_WORDS = 11
/** The field that what is open stands in, a byte for each depth. */
const INSIDE_AT = 0x5c0600
/** Of the first word of a token; the second has its field in the upper 8 bits. */
const IS_TEXT = 0x80000000
const IS_ESCAPED = 0x40000000
const IS_KEY = 0x20000000
const PLACE = 0xfffff

const NO_JSON = 0
const OVER = 1
const CUT = 2
const ASKED = 3
const SIFTED = 0
const SKIPPED = 1
const TOLD = 2

/** What is read and sifted at once: what the sieve takes. */
const WINDOW_BYTES = 256 * 1024

const { buffer } = kernel.memory
const state = new Int32Array(buffer, STATE_AT, STATE_WORDS)
const treated = new Uint8Array(buffer, TREATED_AT, MAX_FIELDS)
const known = new Uint8Array(buffer, KNOWN_AT, KNOWN_SIZE)
const tokens = new Int32Array(buffer, TOKENS_AT, TOKEN_WORDS)
const inside = new Uint8Array(buffer, INSIDE_AT, MAX_FIELDS << 2)

/**
 * Reads the bytes [from, to) of JSON in UTF-8, and sifts what stands in them, as `Redactor.siftJson` says. `sieve`: of a part of them, which brings them into
 * the kernel; `clean`: whether nothing in a key has to be masked.
 */
export function siftJson(
  [from, to]: readonly [from: number, to: number],
  { fieldOf, isApart, unnamed, found }: JsonTold,
  {
    sieve,
    clean,
    windowBytes = WINDOW_BYTES,
  }: {
    readonly sieve: (from: number, to: number) => FilledSieve
    readonly clean: (from: number, to: number) => boolean
    readonly windowBytes?: number
  },
): boolean | undefined {
  if (to - from < MIN_BYTES) return undefined
  const fields: Field[] = [unnamed]
  const numbers = new Map<Field, number>([[unnamed, 0]])
  state.fill(0)
  known.fill(0)
  treated[0] = treatmentOf(unnamed, isApart)
  inside[0] = 0
  for (let start = from; ; ) {
    const size = Math.min(windowBytes, to - start)
    const last = start + size === to
    const sifted = sieve(start, start + size)
    state[AT] = BYTES_AT
    state[FIELD_COUNT] = 0
    const origin = start - BYTES_AT
    for (;;) {
      const status = kernel.json(size, last ? 1 : 0, MIN_FIELD_SIZE)
      if (status === NO_JSON) return false
      if (status === ASKED) {
        const [keyFrom, keyTo] = [origin + (state[KEY_FROM] ?? 0), origin + (state[KEY_TO] ?? 0)]
        const escaped = state[KEY_ESCAPED] === 1
        const field = fieldOf(keyFrom, keyTo, escaped, fields[inside[state[DEPTH] ?? 0] ?? 0] ?? unnamed)
        let number = numbers.get(field)
        if (number === undefined) {
          number = fields.length
          // More kinds of values than anybody labels: read by other means.
          if (number === MAX_FIELDS) return undefined
          fields.push(field)
          numbers.set(field, number)
          treated[number] = treatmentOf(field, isApart)
        }
        const place = state[KEY_PLACE] ?? -1
        // Where another is known already it is sifted like a value, each time.
        const isNew = place >= 0 && known[KNOWN_BYTES * place] === 0
        kernel.learn(number, isNew && clean(keyFrom, keyTo) ? 1 : 0, MIN_FIELD_SIZE)
        continue
      }
      tellTokens(start, fields, found)
      if (status === OVER || status === CUT) {
        sifted.filled(state[FIELD_COUNT] ?? 0)
        for (const suspect of sifted.suspects()) found(suspect, undefined, undefined)
      }
      if (status === OVER) return true
      if (status !== CUT) continue
      const at = (state[AT] ?? 0) - BYTES_AT
      // A text longer than all that fits.
      if (at === 0) return undefined
      start += at
      break
    }
  }
}

function treatmentOf(field: Field, isApart: JsonTold['isApart']): number {
  if (field.action === 'skip') return SKIPPED
  return field.action === 'mask' || isApart(field) ? TOLD : SIFTED
}

function tellTokens(origin: number, fields: readonly Field[], found: JsonTold['found']): void {
  const count = state[TOKEN_COUNT] ?? 0
  for (let index = 0; index < count; index++) {
    const first = tokens[2 * index] ?? 0
    const second = tokens[2 * index + 1] ?? 0
    const value = { string: (first & IS_TEXT) !== 0, escaped: (first & IS_ESCAPED) !== 0 }
    const field = (first & IS_KEY) !== 0 ? undefined : fields[second >>> 24]
    found(origin + (first & PLACE), origin + (second & PLACE), { field, ...value })
  }
  state[TOKEN_COUNT] = 0
}

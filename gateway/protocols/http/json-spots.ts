import { promising } from '../../masking/promised.ts'
import type { Field, JsonTold, Redactor, Sieve } from '../../message.ts'
import type { JsonFields } from './json-body.ts'
import { JsonKeys } from './json-keys.ts'
import { type JsonReader, readJson, textStart } from './json-text.ts'
import { named } from './named.ts'

/** Sifted at once: what the masker takes in one go at the most. */
const WINDOW_BYTES = 256 * 1024

const QUOTE = 0x22
const COMMA = 0x2c
const SPACE = 0x20
const CLOSE_BRACKET = 0x5d
const CLOSE_BRACE = 0x7d

/** A value that may have to be masked: source[from, to) without its quotes, or a number or word. */
export interface Spot {
  readonly from: number
  readonly to: number
  readonly field: Field
  readonly string: boolean
  readonly escaped: boolean
}

const KEY: Field = { path: 'body.key', action: 'scan' }
export const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** What the string source[from, to) says; its quotes stand around it. */
export function decoded(source: Uint8Array, from: number, to: number): Buffer {
  return Buffer.from(JSON.parse(UTF8.decode(source.subarray(from - 1, to + 1))))
}

const PLAIN: Field = { path: 'body', action: 'scan' }

/** Of the text between two punctuation marks: a number, `true`, `false`, `null`. */
function endsLiteral(byte: number): boolean {
  return byte <= SPACE || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET
}

/** What has to be looked at closely, in order: nearly nothing, as a rule. Undefined where it is no JSON. */
export function spotsIn(
  redactor: Redactor,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  { fields, answer }: { readonly fields: JsonFields; readonly answer: boolean },
): readonly Spot[] | undefined {
  const start = textStart(source, from, to)
  if (start === undefined) return undefined
  const key = named(KEY, '', answer)
  const spots: Spot[] = []
  const told: JsonTold = {
    unnamed: fields.unnamed,
    fieldOf: (at, end, escaped, inside) => fieldAt(fields, [source, at, end], escaped, inside),
    isApart: (field) => isApart(fields, field),
    found: (at, end, value) => {
      if (value === undefined || end === undefined) spots.push(suspectAt(source, at, to))
      else spots.push({ ...value, from: at, to: end, field: value.field ?? KEY })
    },
  }
  const sifted = redactor.siftJson(source, start, to, told, key)
  if (sifted === true) return inOrder(spots)
  if (sifted === false) return undefined
  const reader = new Spots(redactor, source, to, { fields, answer })
  return readJson(source, start, to, reader) ? reader.all() : undefined
}

function inOrder(spots: Spot[]): readonly Spot[] {
  return spots.sort((a, b) => a.from - b.from)
}

function fieldAt(
  fields: JsonFields,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  escaped: boolean,
  inside: Field | undefined,
): Field {
  if (escaped) {
    const key = decoded(source, from, to)
    return fieldAt(fields, [key, 0, key.length], false, inside)
  }
  return promising(fields.labelled ? fields.at(source, from, to, inside) : fields.unnamed, [source, from, to])
}

/** Whether its values are looked at one by one. */
function isApart(fields: JsonFields, field: Field): boolean {
  return field.promised !== undefined || fields.rewrite?.(field) !== undefined
}

/** What a sieve held back: a text without an escape, a number or a word. */
function suspectAt(source: Uint8Array, from: number, end: number): Spot {
  const string = source[from - 1] === QUOTE
  let to = from
  while (string ? source[to] !== QUOTE : to < end && !endsLiteral(source[to] as number)) to++
  return { from, to, field: PLAIN, string, escaped: false }
}

/** The same by other means, for what is too small or too large for a sieve, and where none tells what is asked for. */
class Spots implements JsonReader {
  readonly #redactor: Redactor
  readonly #source: Uint8Array
  readonly #to: number
  readonly #fields: JsonFields
  readonly #keys: JsonKeys
  readonly #spots: Spot[] = []
  #sieve: Sieve | undefined
  /** What the sieve was made for ends here. */
  #windowEnd = 0
  /** Of the last key; and those of what is open around it. */
  #field: Field
  readonly #outer: Field[] = []

  constructor(
    redactor: Redactor,
    source: Uint8Array,
    to: number,
    { fields, answer }: { readonly fields: JsonFields; readonly answer: boolean },
  ) {
    this.#redactor = redactor
    this.#source = source
    this.#to = to
    this.#fields = fields
    this.#field = fields.unnamed
    const key = named(KEY, '', answer)
    this.#keys = new JsonKeys(source, (from, end) => redactor.clean(source, from, end, key))
  }

  key(from: number, to: number, escaped: boolean): void {
    const known = escaped ? undefined : this.#keys.find(from, to)
    const outer = this.#outer
    const inside = outer.length === 0 ? undefined : outer[outer.length - 1]
    if (known === undefined) this.#field = this.#fieldAt(from, to, escaped, inside)
    else {
      if (known.field === undefined || known.inside !== inside) {
        known.field = this.#fieldAt(from, to, false, inside)
        known.inside = inside
      }
      this.#field = known.field
    }
    if (known?.clean !== true) this.#note(from, to, KEY, true, escaped)
  }

  #fieldAt(from: number, to: number, escaped: boolean, inside: Field | undefined): Field {
    return fieldAt(this.#fields, [this.#source, from, to], escaped, inside)
  }

  value(from: number, to: number, string: boolean, escaped: boolean): void {
    this.#note(from, to, this.#field, string, escaped)
  }

  open(): void {
    this.#outer.push(this.#field)
  }

  close(): void {
    this.#field = this.#outer.pop() ?? this.#fields.unnamed
  }

  /** In order. */
  all(): readonly Spot[] {
    this.#settle()
    return inOrder(this.#spots)
  }

  #note(from: number, to: number, field: Field, string: boolean, escaped: boolean): void {
    if (from === to || field.action === 'skip') return
    if (field.action === 'mask' || escaped || isApart(this.#fields, field)) {
      this.#spots.push({ from, to, field, string, escaped })
      return
    }
    if (to > this.#windowEnd) {
      this.#settle()
      this.#windowEnd = Math.min(from + WINDOW_BYTES, this.#to)
      this.#sieve = this.#redactor.sieve(this.#source, from, this.#windowEnd)
    }
    if (this.#sieve === undefined || to > this.#windowEnd) this.#spots.push({ from, to, field, string, escaped })
    else this.#sieve.add(from, to)
  }

  #settle(): void {
    for (const from of this.#sieve?.suspects() ?? []) this.#spots.push(suspectAt(this.#source, from, this.#to))
    this.#sieve = undefined
  }
}

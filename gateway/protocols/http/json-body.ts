import type { Field, RedactionSink, Redactor, Sieve } from '../../message.ts'
import { JsonKeys } from './json-keys.ts'
import { type JsonReader, readJson } from './json-text.ts'
import { MAX_NAME_SIZE, named } from './named.ts'

/** Sifted at once: what the masker takes in one go at the most. */
const WINDOW_BYTES = 256 * 1024

const QUOTE = 0x22
const COMMA = 0x2c
const SPACE = 0x20
const CLOSE_BRACKET = 0x5d
const CLOSE_BRACE = 0x7d

/** How the value of a key is treated; the key of what stands in an array is the array's. */
export interface JsonFields {
  /** Whether any key is treated unlike the others; keys are not even read where none is. */
  readonly labelled: boolean
  /** Of no key at all. */
  readonly unnamed: Field
  /** Of the key source[from, to), `inside` the field of what it stands in. */
  at(source: Uint8Array, from: number, to: number, inside?: Field): Field
  /** Of a key of a form or query. */
  of(key: string): Field
  /** What is written in the place of a text of this field, which is given without its escapes; undefined: as the field says. */
  rewrite?(field: Field): Rewrite | undefined
  /** How what is no JSON is treated; looked at as text where absent. */
  readonly unreadable?: Field
}

/** Appends what stands for `plain`. */
export type Rewrite = (redactor: Redactor, sink: RedactionSink, plain: Uint8Array) => void

/** A value that may have to be masked: source[from, to) without its quotes, or a number or word. */
interface Spot {
  readonly from: number
  readonly to: number
  readonly field: Field
  readonly string: boolean
  readonly escaped: boolean
}

/**
 * Appends source[from, to), JSON, to `sink` with its strings and numbers redacted, everything else as it stands. Linear.
 * False where it is no JSON: nothing was appended then, and the caller withholds it or reads it as text.
 */
export function redactJson(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  { fields, answer = false }: { readonly fields: JsonFields; readonly answer?: boolean },
): boolean {
  const spots = new Spots(redactor, source, to, { fields, answer })
  if (!readJson(source, from, to, spots)) return false
  let copied = from
  for (const found of spots.all()) {
    // By the field as it was given: those that are written otherwise are known by themselves.
    const rewrite = found.string ? fields.rewrite?.(found.field) : undefined
    const spot = { ...found, field: named(found.field, keyBefore(source, from, found), answer && found.string) }
    if (rewrite === undefined && isClean(redactor, source, spot)) continue
    sink.copy(source, copied, spot.from)
    if (rewrite !== undefined) rewriteText(redactor, sink, [source, spot], rewrite)
    else if (spot.escaped) writeEscaped(redactor, sink, source, spot)
    else if (spot.string) redactor.write(sink, source, spot.from, spot.to, spot.field)
    else writeQuoted(redactor, sink, source, spot)
    copied = spot.to
  }
  sink.copy(source, copied, to)
  return true
}

/** What has to be looked at closely: nearly nothing, as a rule. Values that are only scanned are sifted, many at a time. */
class Spots implements JsonReader {
  readonly #redactor: Redactor
  readonly #source: Uint8Array
  readonly #to: number
  readonly #fields: JsonFields
  readonly #labelled: boolean
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
    this.#labelled = fields.labelled
    this.#field = fields.unnamed
    const key = named(KEY, '', answer)
    this.#keys = new JsonKeys(source, (from, end) => redactor.clean(source, from, end, key))
  }

  key(from: number, to: number, escaped: boolean): void {
    const known = escaped ? undefined : this.#keys.find(from, to)
    if (this.#labelled) {
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
    }
    if (known?.clean !== true) this.#note(from, to, KEY, true, escaped)
  }

  #fieldAt(from: number, to: number, escaped: boolean, inside: Field | undefined): Field {
    if (!escaped) return this.#fields.at(this.#source, from, to, inside)
    const key = decoded(this.#source, from, to)
    return this.#fields.at(key, 0, key.length, inside)
  }

  value(from: number, to: number, string: boolean, escaped: boolean): void {
    this.#note(from, to, this.#field, string, escaped)
  }

  open(): void {
    if (this.#labelled) this.#outer.push(this.#field)
  }

  close(): void {
    if (this.#labelled) this.#field = this.#outer.pop() ?? this.#fields.unnamed
  }

  /** In order. */
  all(): readonly Spot[] {
    this.#settle()
    return this.#spots.sort((a, b) => a.from - b.from)
  }

  #note(from: number, to: number, field: Field, string: boolean, escaped: boolean): void {
    if (from === to || field.action === 'skip') return
    if (field.action === 'mask' || escaped) {
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
    const source = this.#source
    for (const from of this.#sieve?.suspects() ?? []) {
      const string = source[from - 1] === QUOTE
      let to = from
      while (string ? source[to] !== QUOTE : to < this.#to && !endsLiteral(source[to] as number)) to++
      this.#spots.push({ from, to, field: PLAIN, string, escaped: false })
    }
    this.#sieve = undefined
  }
}

const COLON = 0x3a
const OPEN_BRACKET = 0x5b

/** The key that stands before a value, or before the list that begins with it; '' where none does, or one too long for a name. */
function keyBefore(source: Uint8Array, floor: number, { from, string }: Spot): string {
  const skip = (at: number): number => {
    while (at > floor && (source[at] as number) <= SPACE) at--
    return at
  }
  let at = skip(from - (string ? 2 : 1))
  if (source[at] === OPEN_BRACKET) at = skip(at - 1)
  if (source[at] !== COLON) return ''
  const end = skip(at - 1)
  if (source[end] !== QUOTE) return ''
  const start = source.lastIndexOf(QUOTE, end - 1)
  return start < floor || end - start > MAX_NAME_SIZE ? '' : Buffer.from(source.subarray(start + 1, end)).toString('latin1')
}

const PLAIN: Field = { path: 'body', action: 'scan' }

/** Of the text between two punctuation marks: a number, `true`, `false`, `null`. */
function endsLiteral(byte: number): boolean {
  return byte <= SPACE || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET
}

function isClean(redactor: Redactor, source: Uint8Array, { from, to, field, escaped }: Spot): boolean {
  if (!escaped || field.action === 'mask') return redactor.clean(source, from, to, field)
  const plain = decoded(source, from, to)
  return redactor.clean(plain, 0, plain.length, field)
}

const KEY: Field = { path: 'body.key', action: 'scan' }
const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** What the string source[from, to) says; its quotes stand around it. */
function decoded(source: Uint8Array, from: number, to: number): Buffer {
  return Buffer.from(JSON.parse(UTF8.decode(source.subarray(from - 1, to + 1))))
}

/** The inside of a string as what it decodes to, escaped again. */
function writeEscaped(redactor: Redactor, sink: RedactionSink, source: Uint8Array, { from, to, field }: Spot): void {
  const plain = decoded(source, from, to)
  const masked = redactor.sink(plain.length)
  redactor.write(masked, plain, 0, plain.length, field)
  sink.append(masked.finish(), escaped)
}

function rewriteText(
  redactor: Redactor,
  sink: RedactionSink,
  [source, { from, to }]: readonly [source: Uint8Array, spot: Spot],
  rewrite: Rewrite,
): void {
  const plain = decoded(source, from, to)
  const written = redactor.sink(plain.length)
  rewrite(redactor, written, plain)
  sink.append(written.finish(), escaped)
}

function escaped(bytes: Uint8Array): Uint8Array {
  return Buffer.from(JSON.stringify(UTF8.decode(bytes)).slice(1, -1))
}

/** A number or word becomes a text: `null` would say that there is none. */
function writeQuoted(redactor: Redactor, sink: RedactionSink, source: Uint8Array, { from, to, field }: Spot): void {
  sink.copy(QUOTES, 0, 1)
  redactor.write(sink, source, from, to, field)
  sink.copy(QUOTES, 0, 1)
}

const QUOTES = Buffer.from('"')

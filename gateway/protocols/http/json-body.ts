import { promising, unquoted } from '../../masking/promised.ts'
import type { Field, RedactionSink, Redactor } from '../../message.ts'
import { decoded, type Spot, spotsIn, UTF8 } from './json-spots.ts'
import { MAX_NAME_SIZE, named } from './named.ts'

const QUOTE = 0x22
const SPACE = 0x20

/** How the value of a key is treated; the key of what stands in an array is the array's. */
export interface JsonFields {
  /** Whether any key has a label. */
  readonly labelled: boolean
  /** Of no key at all. */
  readonly unnamed: Field
  /** Of the key source[from, to), `inside` the field of what it stands in. */
  at(source: Uint8Array, from: number, to: number, inside?: Field): Field
  /** Of a key of a form or query. */
  of(key: string): Field
  /** What is written in the place of a text of this field, which is given without its escapes; undefined: as the field says. */
  rewrite?(field: Field): Rewrite | undefined
  /** Of a field whose key says nothing: the one whose key is the text that stands before it in its object, behind the key `name`. */
  byName?(field: Field): Field | undefined
  /** How what is no JSON is treated; looked at as text where absent. */
  readonly unreadable?: Field
}

/** Appends what stands for `plain`. */
export type Rewrite = (redactor: Redactor, sink: RedactionSink, plain: Uint8Array) => void

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
  const spots = spotsIn(redactor, [source, from, to], { fields, answer })
  if (spots === undefined) return false
  let copied = from
  for (const found of spots) {
    // By the field as it was given: those that are written otherwise are known by themselves.
    const rewrite = found.string ? fields.rewrite?.(found.field) : undefined
    const field = found.string ? fieldByName(fields, source, from, found) : unquoted(found.field)
    const spot = { ...found, field: named(field, keyBefore(source, from, found), answer && found.string) }
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

const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
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

const NAME = Buffer.from('"name"')

/** The field of a value, by what `{"name": "...", "value": ...}` calls it where that is its name, which may also stand behind it. */
function fieldByName({ byName }: JsonFields, source: Uint8Array, floor: number, { from, to, field }: Spot): Field {
  const named = byName?.(field)
  if (named === undefined) return field
  // Back over `"value"`, a comma, the text and `"name"`.
  const key = stringBefore(source, floor, skipBack(source, floor, from - 2, COLON))
  const text = stringBefore(source, floor, skipBack(source, floor, key - 1, COMMA))
  const end = skipBack(source, floor, text - 1, COLON)
  if (end >= floor && NAME.equals(source.subarray(end - NAME.length + 1, end + 1)))
    return promising(named, [source, text + 1, source.indexOf(QUOTE, text + 1)])
  const behind = NAME_BEHIND.exec(Buffer.from(source.subarray(to + 1, to + 1 + MAX_BEHIND_SIZE)).toString('latin1'))
  const name = Buffer.from(behind?.[1] ?? '', 'latin1')
  return name.length === 0 ? field : promising(named, [name, 0, name.length])
}

const NAME_BEHIND = /^\s*,\s*"name"\s*:\s*"([^"\\]+)"/
/** A name, and what may stand around it. */
const MAX_BEHIND_SIZE = MAX_NAME_SIZE + 256

/** What stands before `mark` and the blanks around it, where it stands at `at`; else what is before all. */
function skipBack(source: Uint8Array, floor: number, at: number, mark: number): number {
  while (at > floor && (source[at] as number) <= SPACE) at--
  if (at <= floor || source[at] !== mark) return floor - 1
  at--
  while (at > floor && (source[at] as number) <= SPACE) at--
  return at
}

/** Where the text begins whose last quote stands at `at`; one with an escape is nobody's name. */
function stringBefore(source: Uint8Array, floor: number, at: number): number {
  if (at <= floor || source[at] !== QUOTE) return floor - 1
  const start = source.lastIndexOf(QUOTE, at - 1)
  return start > floor && at - start <= MAX_NAME_SIZE && source[start - 1] !== BACKSLASH ? start : floor - 1
}

function isClean(redactor: Redactor, source: Uint8Array, { from, to, field, escaped }: Spot): boolean {
  if (!escaped || field.action === 'mask') return redactor.clean(source, from, to, field)
  const plain = decoded(source, from, to)
  return redactor.clean(plain, 0, plain.length, field)
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

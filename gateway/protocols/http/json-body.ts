import type { Field, RedactionSink, Redactor } from '../../message.ts'

/** Deeper than any API nests; beyond it the text is not read as JSON. */
const MAX_DEPTH = 512

const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COLON = 0x3a
const COMMA = 0x2c
const SPACE = 0x20

/** How the value of a key is treated; the key of what stands in an array is the array's. */
export interface JsonFields {
  /** Whether any key is treated unlike the others; keys are not even read where none is. */
  readonly labelled: boolean
  of(key: string | undefined): Field
}

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
  fields: JsonFields,
): boolean {
  const spots = isJson(source, from, to) ? spotsOf(redactor, [source, from, to], fields) : undefined
  if (spots === undefined) return false
  let copied = from
  for (const spot of spots) {
    if (isClean(redactor, source, spot)) continue
    sink.copy(source, copied, spot.from)
    if (spot.escaped) writeEscaped(redactor, sink, source, spot)
    else if (spot.string) redactor.write(sink, source, spot.from, spot.to, spot.field)
    else writeQuoted(redactor, sink, source, spot)
    copied = spot.to
  }
  sink.copy(source, copied, to)
  return true
}

/** What has to be looked at closely, in order: nearly nothing, as a rule. Undefined where it is nested too deep. */
function spotsOf(
  redactor: Redactor,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  fields: JsonFields,
): Spot[] | undefined {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
  const spots: Spot[] = []
  const sieve = redactor.sieve(source, from, to)
  // Of the values given to the sieve; most are never looked at again.
  const plain: number[] = []
  const open: { readonly object: boolean; readonly key: string | undefined }[] = []
  let key: string | undefined
  let expectsKey = false
  let at = BOM.every((byte, index) => source[from + index] === byte) ? from + BOM.length : from
  const note = (start: number, end: number, field: Field, string: boolean, escaped: boolean): void => {
    if (start === end || field.action === 'skip') return
    if (field.action === 'mask' || escaped || sieve === undefined) spots.push({ from: start, to: end, field, string, escaped })
    else {
      sieve.add(start, end)
      plain.push(start, end)
    }
  }
  while (at < to) {
    const byte = source[at] as number // from <= at < to
    if (byte === QUOTE) {
      let escaped = false
      let end = at + 1
      for (; source[end] !== QUOTE; end++) {
        if (source[end] !== BACKSLASH) continue
        escaped = true
        end++
      }
      if (expectsKey && fields.labelled) key = escaped ? textOf(source, at, end + 1) : bytes.toString('utf8', at + 1, end)
      note(at + 1, end, expectsKey ? KEY : fields.of(key), true, escaped)
      expectsKey = false
      at = end + 1
    } else if (byte === BRACE || byte === BRACKET) {
      if (open.length === MAX_DEPTH) return undefined
      open.push({ object: byte === BRACE, key })
      expectsKey = byte === BRACE
      at++
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      key = open.pop()?.key
      expectsKey = false
      at++
    } else if (byte === COMMA) {
      const inside = open.at(-1)
      expectsKey = inside?.object === true
      if (inside?.object === false) key = inside.key
      at++
    } else if (byte === COLON || byte <= SPACE) {
      at++
    } else {
      const start = at
      while (at < to && !endsLiteral(source[at] as number)) at++
      note(start, at, fields.of(key), false, false)
    }
  }
  const suspects = sieve?.suspects() ?? NONE
  if (suspects.length === 0) return spots
  let index = 0
  for (const start of suspects) {
    while (plain[index] !== start) index += 2
    const end = plain[index + 1] as number // they come in pairs
    spots.push({
      from: start,
      to: end,
      field: PLAIN,
      string: source[start - 1] === QUOTE && source[end] === QUOTE,
      escaped: false,
    })
  }
  return spots.sort((a, b) => a.from - b.from)
}

const PLAIN: Field = { path: 'body', action: 'scan' }

const NONE = new Int32Array()

/** Of the text between two punctuation marks: a number, `true`, `false`, `null`. */
function endsLiteral(byte: number): boolean {
  return byte <= SPACE || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET
}

function isClean(redactor: Redactor, source: Uint8Array, { from, to, field, escaped }: Spot): boolean {
  if (!escaped || field.action === 'mask') return redactor.clean(source, from, to, field)
  const decoded = Buffer.from(textOf(source, from - 1, to + 1))
  return redactor.clean(decoded, 0, decoded.length, field)
}

const BOM = [0xef, 0xbb, 0xbf]
const KEY: Field = { path: 'body.key', action: 'scan' }

function isJson(source: Uint8Array, from: number, to: number): boolean {
  try {
    // What the other end would read: a text two parsers understand differently hides something.
    JSON.parse(UTF8.decode(source.subarray(from, to)))
    return true
  } catch {
    return false
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function textOf(source: Uint8Array, from: number, to: number): string {
  return JSON.parse(UTF8.decode(source.subarray(from, to)))
}

/** The inside of a string as what it decodes to, escaped again. */
function writeEscaped(redactor: Redactor, sink: RedactionSink, source: Uint8Array, { from, to, field }: Spot): void {
  const decoded = Buffer.from(textOf(source, from - 1, to + 1))
  const masked = redactor.sink(decoded.length)
  redactor.write(masked, decoded, 0, decoded.length, field)
  sink.append(masked.finish(), escaped)
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

import type { Field, RedactionSink, Redactor } from '../../message.ts'

/** Deeper than any API nests; beyond it the text is not read as JSON. */
const MAX_DEPTH = 512

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])
const COLON = 0x3a
const COMMA = 0x2c
const BRACE = 0x7b

/** How the value of a key is treated; the key of what stands in an array is the array's. */
export type FieldOf = (key: string | undefined) => Field

/**
 * Appends source[from, to), JSON, to `sink` with its strings and numbers redacted, everything else as it stands. Linear.
 * False where it is no JSON (then what was appended means nothing): the caller withholds it or reads it as text.
 */
export function redactJson(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  fieldOf: FieldOf,
): boolean {
  if (!isJson(source, from, to)) return false
  const open: { readonly object: boolean; readonly key: string | undefined }[] = []
  let key: string | undefined
  let expectsKey = false
  let copied = from
  let at = BOM.every((byte, index) => source[from + index] === byte) ? from + BOM.length : from
  while (at < to) {
    const byte = source[at] as number // from <= at < to
    if (byte === QUOTE) {
      const end = stringEnd(source, at, to)
      const isKey = expectsKey
      if (isKey) {
        key = textOf(source, at, end)
        expectsKey = false
      }
      const field: Field = isKey ? KEY : fieldOf(key)
      if (!cleanString(redactor, source, at, end, field)) {
        sink.copy(source, copied, at + 1)
        writeString(redactor, sink, [source, at + 1, end - 1], field)
        copied = end - 1
      }
      at = end
      continue
    }
    if (OPEN.has(byte)) {
      if (open.length === MAX_DEPTH) return false
      open.push({ object: byte === BRACE, key })
      expectsKey = byte === BRACE
    } else if (CLOSE.has(byte)) {
      key = open.pop()?.key
      expectsKey = false
    } else if (byte === COMMA) {
      const inside = open.at(-1)
      expectsKey = inside?.object === true
      if (inside?.object === false) key = inside.key
    } else if (byte !== COLON && byte > 0x20) {
      const end = literalEnd(source, at, to)
      const field = fieldOf(key)
      // `true`, `false` and `null` have nothing to find, but a label covers them too.
      if (field.action !== 'skip' && !redactor.clean(source, at, end, field)) {
        sink.copy(source, copied, at)
        writeNumber(redactor, sink, [source, at, end], field)
        copied = end
      }
      at = end
      continue
    }
    at++
  }
  sink.copy(source, copied, to)
  return true
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

/** Behind the closing quote. The text is known to be JSON. */
function stringEnd(source: Uint8Array, from: number, to: number): number {
  for (let at = from + 1; at < to; at++) {
    if (source[at] === BACKSLASH) at++
    else if (source[at] === QUOTE) return at + 1
  }
  return to
}

function literalEnd(source: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to) {
    const byte = source[at] as number // from <= at < to
    if (byte <= 0x20 || byte === COMMA || CLOSE.has(byte)) break
    at++
  }
  return at
}

function textOf(source: Uint8Array, from: number, to: number): string {
  return JSON.parse(UTF8.decode(source.subarray(from, to)))
}

/** Of source[from, to), quotes included. */
function cleanString(redactor: Redactor, source: Uint8Array, from: number, to: number, field: Field): boolean {
  if (field.action !== 'scan' || !source.subarray(from + 1, to - 1).includes(BACKSLASH))
    return redactor.clean(source, from + 1, to - 1, field)
  const decoded = Buffer.from(textOf(source, from, to))
  return redactor.clean(decoded, 0, decoded.length, field)
}

/** Inside of a string, without its quotes. */
function writeString(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  field: Field,
): void {
  if (!source.subarray(from, to).includes(BACKSLASH)) {
    redactor.write(sink, source, from, to, field)
    return
  }
  const decoded = Buffer.from(textOf(source, from - 1, to + 1))
  const masked = redactor.sink(decoded.length)
  redactor.write(masked, decoded, 0, decoded.length, field)
  sink.append(masked.finish(), escaped)
}

function escaped(bytes: Uint8Array): Uint8Array {
  return Buffer.from(JSON.stringify(UTF8.decode(bytes)).slice(1, -1))
}

/** A number becomes a text: `null` would say that there is none. */
function writeNumber(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: readonly [source: Uint8Array, from: number, to: number],
  field: Field,
): void {
  sink.copy(QUOTES, 0, 1)
  redactor.write(sink, source, from, to, field)
  sink.copy(QUOTES, 0, 1)
}

const QUOTES = Buffer.from('"')

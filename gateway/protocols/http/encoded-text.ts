import { promising } from '../../masking/promised.ts'
import type { Field, RedactionSink, Redactor } from '../../message.ts'
import { named } from './named.ts'

type Part = readonly [source: Uint8Array, from: number, to: number]

const PERCENT = 0x25
const PLUS = 0x2b
const AND = 0x26
const EQUALS = 0x3d

/** Appends `name=value&name=value` (WHATWG URL, 5: form or query), each value redacted as what it decodes to. */
export function redactPairs(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: Part,
  fieldOf: (key: string) => Field,
): void {
  for (let start = from; start < to; ) {
    const end = indexOf(source, AND, start, to)
    const equals = indexOf(source, EQUALS, start, end)
    if (equals > start) redactEncoded(redactor, sink, [source, start, equals], NAME)
    if (equals < end) {
      sink.copy(source, equals, equals + 1)
      const key = decoded(source, start, equals)
      const name = key.toString()
      redactEncoded(redactor, sink, [source, equals + 1, end], named(promising(fieldOf(name), [key, 0, key.length], true), name))
    }
    if (end < to) sink.copy(source, end, end + 1)
    start = end + 1
  }
}

/** Appends percent-encoded text, redacted as what it decodes to; as it came where it is clean. */
export function redactEncoded(redactor: Redactor, sink: RedactionSink, [source, from, to]: Part, field: Field): void {
  const plain = decoded(source, from, to)
  if (redactor.clean(plain, 0, plain.length, field)) {
    sink.copy(source, from, to)
    return
  }
  const masked = redactor.sink(plain.length)
  redactor.write(masked, plain, 0, plain.length, field)
  sink.append(masked.finish(), encode)
}

const NAME: Field = { path: 'query.name', action: 'scan' }

/** Bytes, as they need not be UTF-8. What is no valid escape stands for itself. */
export function decoded(source: Uint8Array, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(to - from)
  let size = 0
  for (let at = from; at < to; at++) {
    const byte = source[at] as number // from <= at < to
    const value = byte === PERCENT && at + 2 < to ? hexAt(source, at + 1) : -1
    bytes[size++] = value >= 0 ? value : byte === PLUS ? 0x20 : byte
    if (value >= 0) at += 2
  }
  return bytes.subarray(0, size)
}

function hexAt(source: Uint8Array, at: number): number {
  const text = String.fromCharCode(source[at] ?? 0, source[at + 1] ?? 0)
  return /^[0-9a-f]{2}$/i.test(text) ? Number.parseInt(text, 16) : -1
}

/** Brackets and colons may stand in queries, and a mask is to be read by people. */
function encode(bytes: Uint8Array): Uint8Array {
  let text = ''
  for (const byte of bytes) {
    const char = String.fromCharCode(byte)
    text += /[A-Za-z0-9\-._~[\]:@*]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return Buffer.from(text)
}

function indexOf(source: Uint8Array, byte: number, from: number, to: number): number {
  const at = source.subarray(from, to).indexOf(byte)
  return at === -1 ? to : from + at
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { siftJson } from '../../../gateway/masking/json-sieve.ts'
import { openSieve } from '../../../gateway/masking/sieve.ts'
import type { Field } from '../../../gateway/message.ts'
import { type JsonReader, readJson } from '../../../gateway/protocols/http/json-text.ts'

const UNNAMED: Field = { path: 'body', action: 'mask', label: 'none' }
/** Of the first two bytes of a key, and of where it stands. */
const fields = new Map<string, Field>()
function fieldFor(key: string, inside: Field): Field {
  const label = `${key.slice(0, 2)} in ${inside.label?.slice(0, 1)}`
  const known = fields.get(label) ?? { path: 'body', action: 'mask', label }
  fields.set(label, known)
  return known
}

/** Behind spaces, so that it is long enough for a sieve and begins anywhere in a window. */
function padded(text: Uint8Array, before: number): Buffer {
  return Buffer.concat([Buffer.alloc(1024 + before, ' '), text])
}

/** What it is told of, as text; undefined where it has to be read by other means. */
function sifted(source: Buffer, windowBytes: number): { readonly json: boolean | undefined; readonly told: readonly string[] } {
  const told: [at: number, text: string][] = []
  const text = (from: number, to: number): string => source.subarray(from, to).toString('latin1')
  const json = siftJson(
    [0, source.length],
    {
      unnamed: UNNAMED,
      fieldOf: (from, to, _escaped, inside) => fieldFor(text(from, to), inside),
      isApart: () => false,
      found(from, to, value) {
        // A key in the place of another is sifted; values are all told of.
        if (to === undefined || value === undefined) return
        const kind = value.field?.label ?? 'key'
        told.push([from, `${from} ${value.string} ${value.escaped} ${kind} ${text(from, to)}`])
      },
    },
    { sieve: (from, to) => openSieve(source, from, to), clean: () => true, windowBytes },
  )
  return { json, told: told.sort(([a], [b]) => a - b).map(([, line]) => line) }
}

/** The same by the reader that needs no kernel. */
function read(source: Buffer): { readonly json: boolean; readonly told: readonly string[] } {
  const told: string[] = []
  const text = (from: number, to: number): string => source.subarray(from, to).toString('latin1')
  let field = UNNAMED
  const outer: Field[] = []
  const reader: JsonReader = {
    key(from, to, escaped) {
      if (escaped && from < to) told.push(`${from} true true key ${text(from, to)}`)
      field = fieldFor(text(from, to), outer.at(-1) ?? UNNAMED)
    },
    value(from, to, string, escaped) {
      if (from < to) told.push(`${from} ${string} ${escaped} ${field.label} ${text(from, to)}`)
    },
    open: () => void outer.push(field),
    close() {
      field = outer.pop() ?? UNNAMED
    },
  }
  return { json: readJson(source, 0, source.length, reader), told }
}

const CHARACTERS = Buffer.from('{}[],:"\\ue+-.0123456789truefalsn \n\t\x00\x1f\x7f')
/** Few keys, as rows have them, some longer than a word of memory, one with an escape; and a few values of each kind. */
const { json: text } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.oneof(fc.constantFrom('', 'a"\\', 'x\ny', 'tr\u00fcb', 'a text of some length, longer than sixteen', -1.5e300, 0, 12, true, false, null), fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)), fc.string()),
    fc.array(tie('json'), { maxLength: 5 }),
    fc.array(fc.tuple(fc.oneof(fc.constantFrom('id', 'name', 'a', 'b', 'sixteen_letters_', 'a_key_of_thirty-three_characters.', '', 'a\n'), fc.string()), tie('json')), { maxLength: 5 }).map((pairs) => Object.fromEntries(pairs)),
  ),
})) // biome-ignore format: one line for each kind

test('JSON is read as by the reader that needs no kernel, wherever windows end, and with a byte or two changed', () => {
  fc.assert(
    fc.property(
      fc.array(text, { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      fc.array(fc.tuple(fc.nat(), fc.nat(CHARACTERS.length - 1)), { maxLength: 2 }),
      fc.nat(64),
      fc.integer({ min: 64, max: 1400 }),
      (values, pretty, changes, before, windowBytes) => {
        const bytes = Buffer.from(JSON.stringify(values, null, pretty ? 1 : 0))
        for (const [at, which] of changes) bytes[at % bytes.length] = CHARACTERS[which] as number // below its length
        const source = padded(bytes, before)
        const found = sifted(source, windowBytes)
        const expected = read(source)
        // A token may be longer than the window.
        if (found.json === undefined) assert.ok(windowBytes < bytes.length)
        else {
          assert.equal(found.json, expected.json)
          if (expected.json) assert.deepEqual(found.told, expected.told)
        }
      },
    ),
    { numRuns: 3000 },
  )
})

test('every byte in every place of a token is taken or refused as JSON.parse does it', () => {
  const tokens = [
    '"ab"',
    '"a\\u00e9b"',
    '"\\n"',
    '-12.5e+7',
    '0',
    '0.25',
    '1234567890123456.75',
    '12.1234567890123456',
    'true',
    'false',
    'null',
    '{"a":1}',
    '[1,2]',
    '[]',
    '{}',
  ]
  for (const token of tokens) {
    for (let at = 0; at <= token.length; at++) {
      for (let byte = 0; byte < 0x80; byte++) {
        for (const changed of [
          `${token.slice(0, at)}${String.fromCharCode(byte)}${token.slice(at)}`,
          `${token.slice(0, at)}${String.fromCharCode(byte)}${token.slice(at + 1)}`,
          token.slice(0, at),
        ]) {
          const source = padded(Buffer.from(changed), 0)
          assert.equal(sifted(source, 2048).json, parses(changed), JSON.stringify(changed))
          // Cut behind each of its bytes.
          assert.equal(sifted(source, 1024 + at).json ?? parses(changed), parses(changed), JSON.stringify(changed))
        }
      }
    }
  }
})

function parses(json: string): boolean {
  try {
    JSON.parse(json)
    return true
  } catch {
    return false
  }
}

test('deeper than anybody nests is none, wherever the window ends', () => {
  for (const depth of [512, 513]) {
    const source = padded(Buffer.from(`${'[{"a":'.repeat(depth / 2)}${depth % 2 === 1 ? '[]' : '1'}${'}]'.repeat(depth / 2)}`), 0)
    for (const windowBytes of [64, 1500, 1 << 16]) assert.equal(sifted(source, windowBytes).json, depth === 512)
  }
})

test('more tokens than there is room for, more keys than are remembered, and more fields than there are numbers', () => {
  const many = Buffer.from(JSON.stringify(Array.from({ length: 20_000 }, (_, id) => ({ [`k${id % 3000}`]: id }))))
  const source = padded(many, 0)
  const found = sifted(source, 1 << 18)
  assert.equal(found.json, true)
  assert.deepEqual(found.told, read(source).told)
  const kinds = Array.from({ length: 400 }, (_, id) => [String.fromCharCode(0x100 + id), 1])
  assert.equal(sifted(padded(Buffer.from(JSON.stringify(Object.fromEntries(kinds))), 0), 1 << 18).json, undefined)
})

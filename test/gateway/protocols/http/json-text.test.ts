import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type JsonReader, readJson, textStart } from '../../../../gateway/protocols/http/json-text.ts'

/** What the reader was told, as text. */
function told(bytes: Uint8Array): { readonly read: boolean; readonly parts: readonly string[] } {
  const source = Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')])
  const parts: string[] = []
  const text = (from: number, to: number): string => source.subarray(from, to).toString()
  const reader: JsonReader = {
    key: (from, to, escaped) => void parts.push(`key ${text(from, to)}${escaped ? ' escaped' : ''}`),
    value: (from, to, string, escaped) =>
      void parts.push(`${string ? 'text' : 'word'} ${text(from, to)}${escaped ? ' escaped' : ''}`),
    open: () => void parts.push('open'),
    close: () => void parts.push('close'),
  }
  return { read: reads(source, 1, source.length - 1, reader), parts }
}

function reads(source: Uint8Array, from: number, to: number, reader: JsonReader): boolean {
  const start = textStart(source, from, to)
  return start !== undefined && readJson(source, start, to, reader)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(UTF8.decode(bytes))
    return true
  } catch {
    return false
  }
}

test('keys and values are told in order, each with where it stands', () => {
  assert.deepEqual(told(Buffer.from(' { "a\\n": [-1.5e3, true, {"b":""}], "c":null } ')), {
    read: true,
    parts: [
      'open',
      'key a\\n escaped',
      'open',
      'word -1.5e3',
      'word true',
      'open',
      'key b',
      'text ',
      'close',
      'close',
      'key c',
      'word null',
      'close',
    ],
  })
})

test('what JSON.parse takes is taken, and nothing else', () => {
  const hostile = [
    '01', '1.', '.5', '+1', '-', '1e', '1e+', '0x1', '1 2', 'tru', 'truee', 'NaN', '"', '"\\', '"\\u12', '"\\u12g4"', '"\\x"', '"a\tb"',
    '{', '}', '{]', '[}', '[,]', '[1,]', '{,}', '{"a"}', '{"a":}', '{"a":1,}', '{"a" 1}', '{1:2}', ',', ':', '"a":1', '[1 2]', '[]]',
    '\u00a0 1', '\u2028[]', '\f1', '0', '-0', '1E5', '0.10', '""', '[]', '{}', ' [ ] ', '"\\ud800"', '"\u2028"', '\ufeff1', '1\ufeff',
  ].map((text) => Buffer.from(text)) // biome-ignore format: a list
  hostile.push(Buffer.from([0x22, 0xc3, 0x28, 0x22]), Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), Buffer.from([0xff]))
  for (const bytes of hostile) assert.equal(told(bytes).read, parses(bytes), JSON.stringify(bytes.toString('latin1')))
})

test('a text with a byte or two changed is read as JSON.parse reads it', () => {
  const characters = Buffer.from('{}[],:"\\ue+-.0123456789truefalsn \n\t\x00\x1f\x7f\xc3\xa9', 'latin1')
  fc.assert(
    fc.property(fc.json(), fc.array(fc.tuple(fc.nat(), fc.nat(characters.length - 1)), { maxLength: 2 }), (text, changes) => {
      const bytes = Buffer.from(text)
      for (const [at, which] of changes) bytes[at % bytes.length] = characters[which] as number // below its length
      assert.equal(told(bytes).read, parses(bytes))
    }),
    { numRuns: 2000 },
  )
})

test('wherever a text lies in memory, each byte of a string is looked at, and none behind it', () => {
  for (let skew = 0; skew < 8; skew++) {
    for (let length = 1; length < 14; length++) {
      for (let byte = 0; byte < 0x80; byte++) {
        for (const at of new Set([0, length >> 1, length - 1])) {
          const text = Buffer.alloc(length, 'a').fill(byte, at, at + 1)
          const source = Buffer.concat([Buffer.alloc(skew), Buffer.from('"'), text, Buffer.from('"'), Buffer.from('"\\\x01"')])
          const view = source.subarray(skew)
          let seen = ''
          const reader = {
            key() {},
            open() {},
            close() {},
            value: (from: number, to: number) => (seen = view.toString('latin1', from, to)),
          }
          const [from, to] = [0, length + 2]
          assert.equal(reads(view, from, to, reader), parses(view.subarray(from, to)), `${skew} ${length} ${byte} ${at}`)
          if (parses(view.subarray(from, to))) assert.equal(seen, text.toString('latin1'))
        }
      }
    }
  }
})

test('deeper than anybody nests is none', () => {
  assert.equal(told(Buffer.from(`${'['.repeat(512)}${']'.repeat(512)}`)).read, true)
  assert.equal(told(Buffer.from(`${'['.repeat(513)}${']'.repeat(513)}`)).read, false)
})

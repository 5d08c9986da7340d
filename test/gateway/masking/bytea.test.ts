import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeBytea } from '../../../gateway/masking/bytea.ts'
import { Masker } from '../../../gateway/masking/masker.ts'
import { DEFAULT_RULES } from '../../../gateway/masking/rules.ts'
import type { Field } from '../../../gateway/message.ts'
import { MASK_SPAN_SIZE } from '../../../schemas/frame.ts'

const MAIL = ['lovelace', 'example.org'].join('@')
const field: Field = { path: 'row.body', action: 'scan', encoding: 'bytea' }
const masker = new Masker({ rules: DEFAULT_RULES, tagKey: Buffer.alloc(16, 1), fingerprintKey: Buffer.alloc(16, 2) })
const hex = (text: string | Uint8Array): string => `\\x${Buffer.from(text).toString('hex')}`
const decoded = (text: string): string =>
  Buffer.from(decodeBytea(Buffer.from(`..${text}`), 2, 2 + text.length)).toString('latin1')

test('both formats of a bytea are the bytes they stand for', () => {
  assert.equal(decoded('\\x6162'), 'ab')
  assert.equal(decoded('\\\\x6162'), 'ab', 'as COPY has it')
  assert.equal(decoded('a\\\\b\\000\\377'), 'a\\b\0\u00ff')
  for (const text of ['', '\\', '\\x', '\\x6', 'plain', '\\9', 'a\\']) assert.ok(decoded(text).length <= text.length)
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) =>
      assert.deepEqual(decodeBytea(Buffer.from(hex(bytes)), 0, 2 + 2 * bytes.length), Buffer.from(bytes)),
    ),
  )
})

test('a bytea that holds something is masked whole, or NULL; any other passes as it came', () => {
  for (const text of [hex(`write to ${MAIL}`), `write to ${MAIL}\\012`]) {
    const bytes = Buffer.from(text)
    assert.equal(masker.clean(bytes, 0, bytes.length, field), false)
    const sink = masker.sink(bytes.length)
    masker.write(sink, bytes, 0, bytes.length, field)
    assert.match(Buffer.from(sink.finish().bytes).toString(), /^\[MASKED:email:[0-9a-f]{12}\]$/)
    assert.equal(masker.write(masker.sink(9), bytes, 0, bytes.length, { ...field, nullOnly: true }), -1)
  }
  const clean = Buffer.from(hex('nothing to see'))
  assert.ok(masker.clean(clean, 0, clean.length, field))
})

/** What comes out when `text` goes in by these pieces. */
function streamed(
  text: string,
  sizes: readonly number[],
): { readonly out: string; readonly spans: readonly (readonly number[])[] } {
  const stream = masker.stream(field)
  const sink = masker.sink(text.length)
  const bytes = Buffer.from(text)
  let at = 0
  for (const size of [...sizes, bytes.length]) {
    const to = Math.min(bytes.length, at + size)
    stream.push(sink, bytes, at, to)
    at = to
  }
  stream.end(sink)
  const { bytes: out, masks } = sink.finish()
  const spans = Buffer.from(masks?.spans ?? [])
  return {
    out: Buffer.from(out).toString('latin1'),
    spans: Array.from({ length: spans.length / MASK_SPAN_SIZE }, (_, index) => {
      const from = index * MASK_SPAN_SIZE
      return [spans.readUInt32BE(from), spans.readUInt32BE(from + 4) >>> 8]
    }),
  }
}

test('one too large to hold is masked at the same length, however it comes: stars in its bytes, a valid value', () => {
  const before = 'word '.repeat(2_000)
  const text = hex(`${before}${MAIL} and more`)
  const stars = '2a'.repeat(MAIL.length)
  const expected = text.replace(Buffer.from(MAIL).toString('hex'), stars)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9_000 }), { maxLength: 12 }), (sizes) => {
      const { out, spans } = streamed(text, sizes)
      assert.equal(out, expected)
      const from = spans[0]?.[0] ?? -1
      assert.equal(from, 2 + 2 * before.length)
      assert.equal(
        spans.reduce((sum, [, length = 0]) => sum + length, 0),
        stars.length,
      )
    }),
    { numRuns: 30 },
  )
})

test('what is no bytea keeps its length, and nothing of it passes behind the place', () => {
  const { out } = streamed(`\\x6162zz${Buffer.from(MAIL).toString('hex')}`, [5])
  assert.match(out, /^\\x6162\*+$/)
  assert.equal(streamed(`escape ${MAIL}`, [3, 4]).out, `escape ${'*'.repeat(MAIL.length)}`)
  for (const text of ['', '\\', '\\x', '\\x6']) assert.equal(streamed(text, [1, 1]).out, text)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Field, Redactor } from '../../../../gateway/message.ts'
import { redactJson } from '../../../../gateway/protocols/http/json-body.ts'
import { MASK_SPAN_SIZE } from '../../../../schemas/frame.ts'
import { testMasker } from '../../../support/fakes.ts'
import { HOSTILE_UNITS } from '../../masking/corpora.ts'
import { SAMPLES } from '../../masking/samples.ts'

const SCAN: Field = { path: 'body', action: 'scan' }
const NICK: Field = { path: 'body.nick', action: 'mask', label: 'pii.nick', entity: 'nick' }
const AT = String.fromCharCode(64)
const MAIL = `ann${AT}example.org`
const HORSE = ['correct', 'Horse9', 'battery'].join('-')

function redact(text: string, fieldOf: (key: string | undefined) => Field = () => SCAN) {
  const source = Buffer.from(`..${text}..`)
  const cover = testMasker()
  const sink = cover.sink(source.length)
  const read = redactJson(cover, sink, [source, 2, source.length - 2], {
    fields: {
      labelled: true,
      unnamed: SCAN,
      of: fieldOf,
      at: (bytes, from, to) => fieldOf(Buffer.from(bytes.subarray(from, to)).toString()),
    },
  })
  const { bytes, masks } = sink.finish()
  return { read, text: Buffer.from(bytes).toString(), masks }
}

test('values with a finding are masked, everything else keeps its bytes', () => {
  const { read, text } = redact(` { "a" : [1, 2.50, "x", "${MAIL}"],\n"b":null } `)
  assert.equal(read, true)
  assert.match(text, /^ { "a" : \[1, 2\.50, "x", "\[MASKED:email:[0-9a-f]{12}\]"\],\n"b":null } $/)
})

test('a value is what it decodes to, and its mask stands where its span says', () => {
  const written = `{"note":"one\\nline with ann\\u0040example.org and \\"quotes\\" \\\\"}`
  const { text, masks } = redact(written)
  assert.match(text, /^{"note":"one\\nline with \[MASKED:email:[0-9a-f]{12}\] and \\"quotes\\" \\\\"}$/)
  assert.ok(masks !== null)
  assert.equal(masks.spans.length, MASK_SPAN_SIZE)
  const view = new DataView(masks.spans.buffer, masks.spans.byteOffset)
  const from = view.getUint32(0)
  assert.match(text.slice(from, from + (view.getUint32(4) >>> 8)), /^\[MASKED:email:[0-9a-f]{12}\]$/)
})

test('a label covers texts, numbers, booleans, null and what stands in lists, by the nearest key', () => {
  const { text } = redact('{"nick":"bo","x":{"nick":[12,true,null,{"y":1}]},"z":"bo"}', (key) => (key === 'nick' ? NICK : SCAN))
  const values = JSON.parse(text)
  const mask = /^\[MASKED:nick:[0-9a-f]{12}\]$/
  assert.match(values.nick, mask)
  for (const value of values.x.nick.slice(0, 3)) assert.match(value, mask)
  assert.deepEqual([values.x.nick[3], values.z], [{ y: 1 }, 'bo'])
})

test('a value is judged by its key, where nothing is labelled as well, and stays JSON', () => {
  const one = {
    password: HORSE,
    client_secret: 'abc123def456',
    token_type: 'bearer',
    n: [{ api_key: 'k3y-9981-x' }, HORSE],
    token: null,
  }
  const text = redact(JSON.stringify(one)).text.replaceAll(/:[0-9a-f]{12}\]/g, ']')
  const expected = {
    ...one,
    password: '[MASKED:password]',
    client_secret: '[MASKED:secret]',
    n: [{ api_key: '[MASKED:secret]' }, HORSE],
  }
  assert.deepEqual(JSON.parse(text), expected)
  const odd = redact(`{"pass\\u0077ord":["a\\"b\\n9", "${HORSE}"],"pwd":12345678,"DB_PASSWORD":{"note":"${HORSE}"}}`).text
  assert.deepEqual(JSON.parse(odd.replaceAll(/:[0-9a-f]{12}\]/g, ']')), {
    password: ['[MASKED:password]', '[MASKED:password]'],
    pwd: '[MASKED:password]',
    DB_PASSWORD: { note: HORSE },
  })
})

test('keys are texts, too', () => {
  assert.match(redact(`{"${MAIL}":1}`).text, /^{"\[MASKED:email:[0-9a-f]{12}\]":1}$/)
  const rows = redact(JSON.stringify(Array.from({ length: 300 }, (_, id) => ({ id, [MAIL]: 1, nick: 'bo' }))), (key) => {
    return key === 'nick' ? NICK : SCAN
  })
  assert.ok(!rows.text.includes(MAIL) && !rows.text.includes('"bo"'))
  assert.equal(rows.text.match(/"\[MASKED:email:[0-9a-f]{12}\]":1/g)?.length, 300, 'in every row')
})

test('what is no JSON, or deeper than anybody nests, is not read as JSON', () => {
  for (const text of ['', '{', '{"a":1}{"b":2}', "{'a':1}", '[1,]', '\u0000', `${'['.repeat(600)}${']'.repeat(600)}`])
    assert.equal(redact(text).read, false, JSON.stringify(text))
})

test('a byte order mark is no value', () => {
  const { read, text } = redact(`\ufeff{"a":"${MAIL}"}`)
  assert.equal(read, true)
  assert.match(text, /^\ufeff{"a":"\[MASKED/)
})

test('whatever JSON comes in, JSON with the same shape goes out, and without the planted value', () => {
  const planted = fc.jsonValue().map((value) => JSON.stringify([value, { deep: [{ mail: `x ${MAIL} y` }] }, value]))
  fc.assert(
    fc.property(planted, fc.boolean(), (json, pretty) => {
      const written = pretty ? JSON.stringify(JSON.parse(json), null, 2) : json
      const { read, text } = redact(written)
      assert.equal(read, true)
      assert.ok(!text.includes(MAIL))
      assert.deepEqual(shape(JSON.parse(text)), shape(JSON.parse(written)))
    }),
  )
})

/** Reads JSON without the kernel: what is slower, and what the kernel is compared with. */
function withoutKernel(masker: Redactor): Redactor {
  return {
    clean: (...args) => masker.clean(...args),
    sieve: (...args) => masker.sieve(...args),
    siftJson: () => undefined,
    write: (...args) => masker.write(...args),
    writeSuspects: (...args) => masker.writeSuspects(...args),
    sink: (...args) => masker.sink(...args),
    stream: (field) => masker.stream(field),
    live: (field) => masker.live(field),
  }
}

test('with the kernel and without it the same is masked, however large the body', () => {
  const masker = testMasker()
  const fields = {
    labelled: true,
    unnamed: SCAN,
    of: () => SCAN,
    at: (bytes: Uint8Array, from: number, to: number) =>
      Buffer.from(bytes.subarray(from, to)).toString() === 'nick' ? NICK : SCAN,
  }
  const redacted = (redactor: Redactor, source: Uint8Array) => {
    const sink = redactor.sink(source.length, source)
    const read = redactJson(redactor, sink, [source, 0, source.length], { fields, answer: true })
    const { bytes, masks } = sink.finish()
    return { read, bytes: Buffer.from(bytes).toString('latin1'), masks }
  }
  const values = [
    ...Object.values(SAMPLES).flatMap((samples) => samples.map(([text]) => text)),
    ...HOSTILE_UNITS,
    MAIL,
    `one\n${MAIL}`,
    'x'.repeat(300_000),
  ]
  const value = fc.oneof(
    { weight: 20, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
    { weight: 5, arbitrary: fc.constantFrom(...values) },
    { weight: 5, arbitrary: fc.constantFrom(HORSE, [HORSE, 1234567], { password: HORSE }, 1234567) },
  )
  const row = fc.dictionary(
    fc.oneof(fc.constantFrom('nick', 'note', 'id', 'password', 'token', 'tok\n_token', MAIL), fc.string()),
    value,
    { maxKeys: 5 },
  )
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), fc.nat(40), fc.boolean(), (rows, times, whole) => {
      const text = JSON.stringify(Array.from({ length: times }, () => rows))
      const source = Buffer.from(whole ? text : text.slice(0, -1))
      assert.deepEqual(redacted(masker, source), redacted(withoutKernel(masker), source))
    }),
    { numRuns: 150 },
  )
})

/** Lists and keys; of values only that there is one. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape)
  if (typeof value === 'object' && value !== null) return Object.values(value).map(shape)
  return 'value'
}

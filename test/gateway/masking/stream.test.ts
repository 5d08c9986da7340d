import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Masker } from '../../../gateway/masking/masker.ts'
import { DEFAULT_RULES, ENTITY_NAMES } from '../../../gateway/masking/rules.ts'
import { MAX_HOLD_BACK } from '../../../gateway/masking/stream.ts'
import type { Field } from '../../../gateway/message.ts'
import { IN_CONFIGURATION, pemKey, SAMPLES } from './samples.ts'

const starred = {
  ...DEFAULT_RULES,
  forms: Object.fromEntries([...ENTITY_NAMES, 'overload'].map((entity) => [entity, 'length'] as const)),
}
const STAR = 0x2a
const masker = new Masker({ rules: starred, tagKey: new Uint8Array(16), fingerprintKey: new Uint8Array(16).fill(1) })
const field: Field = { path: 'row.note', action: 'scan' }

function whole(bytes: Uint8Array): Buffer {
  const sink = masker.sink(bytes.length)
  masker.write(sink, bytes, 0, bytes.length, field)
  return Buffer.from(sink.finish().bytes)
}

/** The pieces' outputs, one per push and one for the end. */
function streamed(bytes: Uint8Array, cuts: readonly number[], how: Field = field, by: Masker = masker): Buffer[] {
  const stream = by.stream(how)
  const outputs: Buffer[] = []
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  for (let i = 0; i + 1 < edges.length; i++) {
    const sink = masker.sink(64)
    stream.push(sink, bytes, edges[i] ?? 0, edges[i + 1] ?? 0)
    outputs.push(Buffer.from(sink.finish().bytes))
  }
  const sink = masker.sink(64)
  stream.end(sink)
  return [...outputs, Buffer.from(sink.finish().bytes)]
}

const samples = ENTITY_NAMES.flatMap((entity) => SAMPLES[entity].map(([value, frame]) => frame.replace('{}', () => value)))
const filler = fc.oneof(
  fc.stringMatching(/^[a-z0-9 .,:=\n@-]{0,40}$/),
  fc.constantFrom('password', 'token=', '://', ' eyJ', '-----', '219-44', '4111 ', '"', "'", '\\"'),
  fc.integer({ min: 1, max: 9000 }).map((size) => 'lorem ipsum '.repeat(size / 12)),
)
const document = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: filler },
      { weight: 2, arbitrary: fc.constantFrom(...samples, pemKey(100), pemKey(150, 'RSA PRIVATE KEY', true)) },
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.from(parts.join(' ')))

test('however a field is cut, the same bytes come out, and they are those of the whole field', () => {
  fc.assert(
    fc.property(document, fc.array(fc.nat({ max: 20_000 }), { maxLength: 8 }), (bytes, cuts) => {
      const outputs = streamed(
        bytes,
        cuts.filter((cut) => cut <= bytes.length),
      )
      const output = Buffer.concat(outputs)
      assert.equal(output.length, bytes.length)
      assert.deepEqual(output, whole(bytes))
    }),
    { numRuns: 300 },
  )
})

test('byte by byte is no different', () => {
  for (const sample of samples) {
    const bytes = Buffer.from(`x ${sample} y ${'z '.repeat(1500)}`)
    assert.deepEqual(
      Buffer.concat(
        streamed(
          bytes,
          Array.from({ length: bytes.length }, (_, i) => i),
        ),
      ),
      whole(bytes),
      sample.slice(0, 60),
    )
  }
})

test('no planted value comes through, wherever it is cut', () => {
  const head = 'lorem ipsum '.repeat(900)
  for (const entity of ENTITY_NAMES) {
    for (const [value, frame] of SAMPLES[entity]) {
      const bytes = Buffer.from(`${head}\n${frame.replace('{}', () => value)}\n${head}`)
      const at = bytes.indexOf(value)
      for (const cut of [at, at + 1, at + (value.length >> 1), at + value.length - 1]) {
        assert.equal(Buffer.concat(streamed(bytes, [cut])).indexOf(value), -1, entity)
      }
    }
  }
})

test('no more is held back than promised, and nothing once a recognised key is on its way', () => {
  const plain = Buffer.from('lorem ipsum '.repeat(5000))
  const cuts = Array.from({ length: 50 }, (_, i) => i * 1000)
  let taken = 0
  let given = 0
  streamed(plain, cuts).forEach((output, i) => {
    taken = cuts[i] ?? plain.length
    given += output.length
    assert.ok(taken - given <= MAX_HOLD_BACK, `${taken - given} bytes held`)
  })
  assert.ok(MAX_HOLD_BACK < 8192)

  const key = Buffer.from(pemKey(2000))
  const [first, second] = streamed(key, [20_000, 60_000])
  assert.equal(first?.length, 20_000)
  assert.equal(second?.toString(), '*'.repeat(40_000))
})

test('a labelled field comes out as stars, one that cannot carry anything as it is', () => {
  const bytes = Buffer.from('Maria Gomez, Lisbon')
  assert.equal(
    Buffer.concat(streamed(bytes, [5], { path: 'row.name', action: 'mask', label: 'pii.name' })).toString(),
    '*'.repeat(bytes.length),
  )
  assert.deepEqual(Buffer.concat(streamed(bytes, [5], { path: 'row.id', action: 'skip' })), bytes)
})

test('a stream that only tries the detectors is hidden from there on', () => {
  const hostile = Buffer.from('password: '.repeat(60_000))
  const output = Buffer.concat(streamed(hostile, [100_000, 300_000]))
  assert.equal(output.length, hostile.length)
  assert.match(output.toString('latin1', output.length - 1000), /^\*+$/)
})

const codeMasker = new Masker({
  rules: { ...starred, code: true },
  tagKey: new Uint8Array(16),
  fingerprintKey: new Uint8Array(16).fill(1),
})
const bulk: Field = { path: 'row.body', action: 'scan', bulk: true }

test('where code is masked, no value that begins in it comes through behind it, wherever it is cut', () => {
  const prose = 'Nobody would take this for a program.\n'.repeat(60)
  for (const [value, file] of IN_CONFIGURATION) {
    const bytes = Buffer.from(`${file}${prose}`)
    // All that the same detectors hide without the code being masked stays hidden.
    const without = whole(bytes)
    assert.equal(without.includes(value), false)
    const check = (cuts: readonly number[]): void => {
      const output = Buffer.concat(streamed(bytes, cuts, bulk, codeMasker))
      assert.equal(output.length, bytes.length)
      const wrong = output.findIndex((byte, at) => byte !== STAR && (byte !== bytes[at] || without[at] === STAR))
      assert.equal(wrong, -1, `cut at ${cuts.join()}`)
    }
    for (let cut = 600; cut <= file.length; cut++) check([cut])
    fc.assert(
      fc.property(fc.array(fc.nat({ max: file.length }), { maxLength: 6 }), (cuts) => check(cuts)),
      { numRuns: 200 },
    )
    const cuts = [file.indexOf(value) + 1, file.length, file.length + 1200]
    const output = Buffer.concat(streamed(bytes, cuts, bulk, codeMasker)).toString()
    assert.match(output.slice(0, file.length), /^\*+$/)
    assert.ok(output.endsWith(prose.slice(-1000)))
  }
})

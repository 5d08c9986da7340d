import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Scanner } from '../../../gateway/masking/engine.ts'
import { DEFAULT_RULES } from '../../../gateway/masking/rules.ts'
import { sieveOf } from '../../../gateway/masking/sieve.ts'
import { HOSTILE_UNITS } from './corpora.ts'
import { SAMPLES } from './samples.ts'

const scanner = new Scanner(DEFAULT_RULES)
const VALUES = Object.values(SAMPLES).flatMap((samples) => samples.map(([text]) => text))

/** Where the fields begin that the sieve does not let pass; they lie in the bytes as they would in rows, `gap` apart. */
function sifted(fields: readonly Buffer[], gap: Buffer): { readonly suspects: ReadonlySet<number>; readonly dirty: number[] } {
  const before = Buffer.alloc(1500, 'x')
  const bytes = Buffer.concat([before, ...fields.flatMap((field) => [gap, field])])
  const sieve = sieveOf(bytes, 7, bytes.length)
  assert.ok(sieve)
  const dirty: number[] = []
  let at = before.length
  for (const field of fields) {
    at += gap.length
    sieve.add(at, at + field.length)
    if (!scanner.clean(bytes, at, at + field.length)) dirty.push(at)
    at += field.length
  }
  return { suspects: new Set(sieve.suspects()), dirty }
}

const piece = fc.oneof(
  fc.constantFrom(...VALUES),
  fc.constantFrom(...HOSTILE_UNITS),
  fc.string({ maxLength: 20 }),
  fc.tuple(fc.constantFrom(' ', 'a', '4', '-', '='), fc.nat(90)).map(([character, count]) => character.repeat(count)),
)
const field = fc.array(piece, { maxLength: 4 }).map((pieces) => Buffer.from(pieces.join('')))

test('no field in which a detector finds something passes the sieve, whatever stands around it', () => {
  fc.assert(
    fc.property(fc.array(field, { minLength: 1, maxLength: 60 }), fc.uint8Array({ maxLength: 5 }), (fields, gap) => {
      const { suspects, dirty } = sifted(fields, Buffer.from(gap))
      for (const at of dirty) assert.ok(suspects.has(at), `the field at ${at}`)
    }),
    { numRuns: 300 },
  )
})

test('every sample is held back behind any number of clean fields, so in every lane, and the clean ones pass', () => {
  for (const value of VALUES) {
    for (const count of [0, 1, 17, 90, 300]) {
      const clean = Array.from({ length: count }, (_, i) => Buffer.from(`plain cell ${i} of no interest`))
      const { suspects, dirty } = sifted([...clean, Buffer.from(value), ...clean], Buffer.from([0, 0, 0, 30]))
      for (const at of dirty) assert.ok(suspects.has(at), `${value.slice(0, 12)} behind ${count}`)
      assert.ok(suspects.size <= 1, `${suspects.size} suspects around ${value.slice(0, 12)}`)
    }
  }
})

test('a value behind a long run of one byte is held back, however long the run', () => {
  const value = VALUES[0] ?? ''
  for (const byte of [' ', 'x', '=', '7', '"']) {
    for (let size = 0; size < 200; size += 1) {
      const { suspects, dirty } = sifted([Buffer.from(`${byte.repeat(size)}${value}${byte.repeat(size)}`)], Buffer.from([1]))
      for (const at of dirty) assert.ok(suspects.has(at), `${size} times ${byte}`)
    }
  }
})

test('too little and too much is not for the sieve, and what lies outside is refused', () => {
  assert.equal(sieveOf(Buffer.alloc(1023), 0, 1023), undefined)
  assert.equal(sieveOf(Buffer.alloc(0x44001), 0, 0x44001), undefined)
  const sieve = sieveOf(Buffer.alloc(4096), 1000, 3000)
  assert.ok(sieve)
  assert.throws(() => sieve.add(990, 1010), RangeError)
  assert.throws(() => sieve.add(2990, 3001), RangeError)
  assert.equal(sieve.suspects().length, 0)
})

test('all a kernel holds is sifted at once', () => {
  const size = 0x44000
  const value = Buffer.from(VALUES[0] ?? '')
  const bytes = Buffer.alloc(size, 'plain words ')
  value.copy(bytes, size - value.length - 3)
  const sieve = sieveOf(bytes, 0, size)
  assert.ok(sieve)
  const last = size - 600
  for (let at = last % 6; at < last; at += 6) sieve.add(at, at + 6)
  sieve.add(last, size)
  assert.deepEqual([...sieve.suspects()], [last])
})

test('triggers at every other byte of all it holds are told of field by field', () => {
  const size = 0x44000
  const bytes = Buffer.alloc(size, '@a')
  const sieve = sieveOf(bytes, 0, size)
  assert.ok(sieve)
  const starts: number[] = []
  for (let at = 0; at + 6 <= size; at += 6) {
    sieve.add(at, at + 6)
    starts.push(at)
  }
  // Without rules nothing is judged: whatever has a trigger is held back.
  assert.deepEqual([...sieve.suspects()], starts)
})

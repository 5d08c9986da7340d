import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CARD_SIZES } from '../../../gateway/masking/detect-pii.ts'
import { AUTOMATON } from '../../../gateway/masking/detectors.ts'
import { Scanner } from '../../../gateway/masking/engine.ts'
import { HIT_ENTITIES, Hits } from '../../../gateway/masking/hits.ts'
import { JUDGED, judgeOf } from '../../../gateway/masking/judge.ts'
import { keyPair } from '../../../gateway/masking/kernel.ts'
import { Masker } from '../../../gateway/masking/masker.ts'
import { DEFAULT_RULES, type MaskingRules } from '../../../gateway/masking/rules.ts'
import { firstHitOf, HIT_WORDS, hitWords, sieveOf } from '../../../gateway/masking/sieve.ts'
import type { Field } from '../../../gateway/message.ts'
import { HOSTILE_UNITS } from './corpora.ts'
import { SAMPLES } from './samples.ts'

const FIELD: Field = { path: 'row.cell', action: 'scan' }
const PERSONAL = JUDGED.flatMap((entity) => SAMPLES[entity].map(([text]) => text))
const OTHERS = Object.values(SAMPLES).flatMap((samples) => samples.map(([text]) => text))

/** Laid out as cells are, behind enough that a sieve takes them. */
function laidOut(fields: readonly Buffer[]): { readonly bytes: Buffer; readonly places: readonly (readonly [number, number])[] } {
  const places: [number, number][] = []
  const pieces: Buffer[] = [Buffer.alloc(1500, 'x')]
  let at = 1500
  for (const field of fields) {
    pieces.push(Buffer.from([0, 0, 0, field.length & 0xff]), field)
    at += 4
    places.push([at, at + field.length])
    at += field.length
  }
  return { bytes: Buffer.concat(pieces), places }
}

/** What the kernel says of each field: its hits, 'clean', or 'ask' where it leaves that to the scanner. */
function judged(fields: readonly Buffer[], rules: MaskingRules): readonly string[] {
  const keys = keyPair(new Uint8Array(16), new Uint8Array(16))
  const judge = judgeOf(rules, { keys: JUDGED.map(() => keys), tagged: JUDGED.map(() => true) })
  const { bytes, places } = laidOut(fields)
  const sieve = sieveOf(bytes, 5, bytes.length, judge)
  assert.ok(sieve)
  for (const [from, to] of places) sieve.add(from, to)
  const suspects = sieve.suspects()
  let next = 0
  return places.map(([from, to]) => {
    if (from === to || suspects[next] !== from) return 'clean'
    const first = firstHitOf(judge, next++)
    if (first === -1) return 'ask'
    const count = (hitWords[first * HIT_WORDS + 2] ?? 0) >>> 16
    return Array.from({ length: count }, (_, i) => {
      const [start = 0, end = 0, by = 0] = hitWords.subarray((first + i) * HIT_WORDS)
      return `${JUDGED[by & 0xffff]} ${start - from}-${end - from}`
    }).join()
  })
}

function scanned(field: Buffer, rules: MaskingRules): string {
  const hits = new Hits()
  new Scanner(rules).collect(field, 0, field.length, hits)
  const found = Array.from({ length: hits.count }, (_, i) => {
    return `${HIT_ENTITIES[hits.entityIdOf(i)]} ${hits.startOf(i)}-${hits.endOf(i)}`
  })
  return found.length === 0 ? 'clean' : found.join()
}

const without = (...names: readonly string[]): MaskingRules => ({
  ...DEFAULT_RULES,
  detectors: Object.fromEntries(
    Object.entries(DEFAULT_RULES.detectors).map(([name, what]) => [name, names.includes(name) ? 'ignore' : what]),
  ) as MaskingRules['detectors'],
})

/** Near misses: a value with one byte changed, taken out, or put in, and what detectors look at around one. */
const near = fc
  .tuple(
    fc.constantFrom(...PERSONAL),
    fc.nat(40),
    fc.constantFrom('', ' ', '-', '.', '@', '0', '9', 'x', 'Z', '_', '\u00e9', '\n'),
    fc.boolean(),
  )
  .map(([value, at, put, replaces]) => value.slice(0, at) + put + value.slice(replaces ? at + 1 : at))
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...PERSONAL) },
  { weight: 4, arbitrary: near },
  fc.constantFrom(...OTHERS),
  fc.constantFrom(...HOSTILE_UNITS),
  fc.string({ maxLength: 12 }),
  fc.tuple(fc.constantFrom(' ', 'a', '4', '-', '@'), fc.nat(90)).map(([character, count]) => character.repeat(count)),
  fc.constantFrom('\\n', '\\\\t', '\\u000a', '\\u00', '\\x', 'x\\r', '\\'),
  fc.constantFrom('xn--p1ai', '.xn--p1ai', '@a.', '4111 1111 1111 ', '3782 822463 10005', 'GB82', ' WEST', '..', '.co', '-'),
)
const field = fc
  .tuple(fc.array(piece, { maxLength: 5 }), fc.constantFrom('', ' ', ',', '.'))
  .map(([pieces, between]) => Buffer.from(pieces.join(between)))

test('what the kernel finds is what the detectors find; where it cannot tell it leaves it to them', () => {
  for (const rules of [DEFAULT_RULES, without('email'), without('us-ssn', 'iban'), without('password', 'secret', 'card')]) {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 40 }), (fields) => {
        const said = judged(fields, rules)
        for (const [index, one] of fields.entries()) {
          if (said[index] !== 'ask') assert.equal(said[index], scanned(one, rules), JSON.stringify(one.toString()))
        }
      }),
      { numRuns: 250 },
    )
  }
})

test('cells that are personal data and nothing else are not left to the detectors', () => {
  for (const entity of JUDGED) {
    for (const [text] of SAMPLES[entity]) {
      const [said] = judged([Buffer.from(text)], DEFAULT_RULES)
      if (scanned(Buffer.from(text), DEFAULT_RULES).startsWith(entity)) assert.ok(said?.startsWith(entity), `${text}: ${said}`)
    }
  }
})

test('every number of digits in every issuer range is told as the detector tells it', () => {
  const rows: Buffer[] = []
  for (let four = 2000; four < 7000; four += 7) {
    const count = 12 + (four % 8)
    const body = `${four}${'5'.repeat(count - 5)}`
    for (let last = 0; last < 10; last++) rows.push(Buffer.from(`${body}${last}`))
  }
  const said = judged(rows, DEFAULT_RULES)
  rows.forEach((row, index) => {
    assert.equal(said[index], scanned(row, DEFAULT_RULES), row.toString())
  })
  assert.equal(CARD_SIZES[4111], 0b1001_0010)
})

test('more work than a field may cost, and more hits than there is room for, are left to the detectors', () => {
  const many = Buffer.from('a@b '.repeat(2000))
  assert.deepEqual(judged([many], DEFAULT_RULES), ['ask'])
  const rows = Array.from({ length: 17_000 }, (_, i) => Buffer.from(`${'abcdefghij'[i % 10]}@b.co`))
  const said = judged(rows, DEFAULT_RULES)
  assert.ok(said.slice(0, 16_384).every((one) => one.startsWith('email 0-')))
  assert.ok(said.slice(16_384).every((one) => one === 'ask'))
})

test('a field behind others leaves the automaton as one alone does, so that the kernel goes on in the middle', () => {
  // It is asked in a state that was reached behind a line feed and whatever came before it.
  const { table, classes, classCount, start } = AUTOMATON
  const rowOf = (state: number): string => table.subarray(state, state + classCount).join()
  const wanted = rowOf(start)
  for (let state = 0; state < table.length; state += classCount)
    assert.equal(rowOf(table[state + (classes[0x0a] ?? 0)] ?? -1), wanted, `state ${state / classCount}`)
})

const keyed = (rules: MaskingRules, byte: number): Masker =>
  new Masker({ rules, tagKey: new Uint8Array(16).fill(byte), fingerprintKey: new Uint8Array(16).fill(9) })

/** All fields through one masker: what comes out with its spans, asked with what the sieve knows and without. */
function covered(masker: Masker, fields: readonly Buffer[], asSuspects: boolean, atOnce = false): object {
  const { bytes, places } = laidOut(fields)
  const sieve = masker.sieve(bytes, 0, bytes.length)
  assert.ok(sieve)
  for (const [from, to] of places) sieve.add(from, to)
  const suspects = sieve.suspects().slice()
  const sink = masker.sink(0)
  let next = 0
  let done = 0
  for (const [from, to] of places) {
    if (from === to || suspects[next] !== from) continue
    sink.copy(bytes, done, from)
    const progress = atOnce ? masker.writeSuspects(() => sink, from, next) : undefined
    if (progress !== undefined) {
      done = progress.at
      next = progress.next
      continue
    }
    const suspect = next++
    done = from
    if (masker.clean(bytes, from, to, FIELD, asSuspects ? suspect : -1)) continue
    masker.write(sink, bytes, from, to, FIELD, asSuspects ? suspect : -1)
    done = to
  }
  sink.copy(bytes, done, bytes.length)
  const { bytes: out, masks } = sink.finish()
  return {
    out: Buffer.from(out).toString('hex'),
    spans: masks && Buffer.from(masks.spans).toString('hex'),
    labels: masks?.labels,
  }
}

test('masks, tags and fingerprints are the same whether the kernel found them or the scanner, session by session and form by form', () => {
  const forms = {
    ...DEFAULT_RULES,
    forms: { email: 'partial', card: 'partial', 'us-ssn': 'length', iban: { text: '(account)' } },
  } as const
  const maskers = [keyed(DEFAULT_RULES, 1), keyed(DEFAULT_RULES, 2), keyed(forms, 1), keyed(without('email'), 1)]
  fc.assert(
    fc.property(fc.array(field, { minLength: 1, maxLength: 40 }), (fields) => {
      for (const masker of maskers) {
        const asked = covered(masker, fields, false)
        assert.deepEqual(covered(masker, fields, true), asked)
        assert.deepEqual(covered(masker, fields, true, true), asked)
      }
    }),
    { numRuns: 100 },
  )
})

test('what the kernel found for one session is not used for another', () => {
  const [one, two] = [keyed(DEFAULT_RULES, 1), keyed(DEFAULT_RULES, 2)]
  const fields = [Buffer.from(PERSONAL[0] ?? '')]
  const { bytes, places } = laidOut(fields)
  const sieve = one.sieve(bytes, 0, bytes.length)
  assert.ok(sieve)
  const [[from, to] = [0, 0]] = places
  sieve.add(from, to)
  assert.equal(sieve.suspects().length, 1)
  const sink = two.sink(0)
  two.write(sink, bytes, from, to, FIELD, 0)
  const other = two.sink(0)
  two.write(other, bytes, from, to, FIELD)
  assert.deepEqual(sink.finish(), other.finish())
})

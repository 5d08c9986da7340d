import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Automaton, buildAutomaton } from '../../../gateway/masking/automaton.ts'
import { AUTOMATON } from '../../../gateway/masking/detectors.ts'
import { KernelAutomaton, MAX_SCAN_SIZE, MIN_SCAN_SIZE } from '../../../gateway/masking/kernel-automaton.ts'
import { Lane } from '../../../gateway/masking/lane.ts'
import { HOSTILE_UNITS } from './corpora.ts'
import { SAMPLES } from './samples.ts'

const VALUES = Object.values(SAMPLES).flatMap((samples) => samples.map(([text]) => text))
const piece = fc.oneof(
  fc.constantFrom(...VALUES).map((text) => Buffer.from(text)),
  fc.constantFrom(...HOSTILE_UNITS).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(fc.constantFrom('plain text, ', 'a', '4', ' '), fc.nat(200)).map(([text, count]) => Buffer.from(text.repeat(count))),
)
const field = fc.array(piece, { minLength: 4, maxLength: 40 }).map((pieces) => Buffer.concat(pieces))

/** Triggers as [position, whose]; behind some of them, told by `masks`, it goes on as behind something masked. `step`: at once. */
function triggers(source: Buffer, step: number, masks: readonly number[]): (readonly [number, string])[] {
  const lane = new Lane(AUTOMATON)
  lane.begin(0)
  const found: [number, string][] = []
  for (let until = Math.min(step, source.length); ; until = Math.min(until + step, source.length)) {
    lane.advance(source, until)
    while (lane.pending) {
      lane.pending = false
      found.push([lane.position, AUTOMATON.accepts[lane.accepted]?.join() ?? ''])
      const mask = masks[found.length % masks.length] ?? 0
      if (mask > 0) lane.resume(Math.min(lane.position + mask, source.length))
      lane.advance(source, until)
    }
    if (until === source.length) return found
  }
}

test('triggers found ahead are those found byte by byte, also behind what was masked', () => {
  fc.assert(
    fc.property(field, fc.array(fc.constantFrom(0, 0, 0, 1, 9, 40, 700), { minLength: 1, maxLength: 9 }), (source, masks) => {
      // Whoever goes on byte by byte never has enough before it to look ahead.
      assert.deepEqual(triggers(source, source.length, masks), triggers(source, 1, masks))
    }),
    { numRuns: 60 },
  )
})

test('the kernel tells every trigger of a stretch in order, in any lane, and the state behind it', () => {
  const value = VALUES[0] ?? ''
  for (const size of [MIN_SCAN_SIZE, MIN_SCAN_SIZE + 3, MAX_SCAN_SIZE]) {
    for (const at of [0, 250, 255, 500, 760, size - value.length]) {
      const source = Buffer.alloc(size + 1, 'x')
      source.write(value, at + 1)
      sameAsSteps(AUTOMATON, source, 1, AUTOMATON.start)
    }
  }
})

/** The kernel tells of source[from, end) what a step a byte does: where triggers end, whose they are, and the state at the end. */
function sameAsSteps(automaton: Automaton, source: Uint8Array, from: number, before: number): void {
  const { acceptFrom, accepts, classCount, classes, table } = automaton
  const told = (at: number, state: number): string => `${at}: ${accepts[(state - acceptFrom) / classCount]?.join()}`
  const { count, words, state } = KernelAutomaton.of(automaton).scan(source, from, source.length, before)
  const expected: string[] = []
  let own = before
  for (let at = from; at < source.length; at++) {
    own = table[own + (classes[source[at] ?? 0] ?? 0)] ?? 0
    if (own >= acceptFrom) expected.push(told(at - from, own))
  }
  assert.deepEqual(
    [...words.subarray(0, count)].map((word) => told(word >>> 16, word & 0xffff)),
    expected,
  )
  assert.equal(state, own)
}

/** Bytes of any kind, in which hardly a trigger ends, with some written into it. */
const noise = (values: readonly string[]): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      fc.integer({ min: 1, max: 0x7ffffffe }),
      fc.integer({ min: MIN_SCAN_SIZE, max: 5000 }),
      fc.array(fc.tuple(fc.constantFrom(...values), fc.nat(5000), fc.boolean()), { maxLength: 3 }),
    )
    .map(([seed, size, written]) => {
      const all = Buffer.alloc(size)
      let next = seed
      for (let at = 0; at < size; at++) {
        next = (next * 48_271) % 0x7fffffff
        all[at] = next >> 8
      }
      for (const [text, at, atEnd] of written) all.write(text, atEnd ? size - (at % 50) : at % size)
      return all
    })

/** Where little could be told ahead that is not tried for a while: it is again after these. */
function rest(automaton: Automaton): void {
  for (let count = 0; count < 40; count++) KernelAutomaton.of(automaton).scan(new Uint8Array(MIN_SCAN_SIZE), 0, MIN_SCAN_SIZE, 0)
}

test('of noise with values in it the kernel tells the same, in whatever state it comes to it', () => {
  fc.assert(
    fc.property(noise(VALUES), fc.constantFrom(...VALUES), fc.nat(40), (source, begun, size) => {
      rest(AUTOMATON)
      let state = AUTOMATON.start
      for (const byte of Buffer.from(begun).subarray(0, size))
        state = AUTOMATON.table[state + (AUTOMATON.classes[byte] ?? 0)] ?? 0
      sameAsSteps(AUTOMATON, source, 0, state)
    }),
    { numRuns: 300 },
  )
})

test('so it does for patterns of any length', () => {
  const automaton = buildAutomaton(
    ['~', 'xyz', 'xyz~', '\\D\\d\\d\\d', 'a'.repeat(31), `${'b'.repeat(31)}[b-d]`].map((text, owner) => ({
      text,
      owner,
      ignoreCase: owner === 1,
    })),
  )
  fc.assert(
    fc.property(noise(['~', 'XyZ~', 'a'.repeat(40), 'b'.repeat(33), `${'b'.repeat(40)}c`, '.1234']), (source) => {
      rest(automaton)
      sameAsSteps(automaton, source, 0, automaton.start)
    }),
    { numRuns: 300 },
  )
})

test('text in turns with noise is told the same: where little can be told ahead, it is not tried for a while', () => {
  const text = Buffer.from(`${VALUES.join(', ')} token=`.repeat(40)).subarray(0, MAX_SCAN_SIZE)
  const bytes = randomBytes(MAX_SCAN_SIZE)
  for (let turn = 0; turn < 80; turn++) sameAsSteps(AUTOMATON, turn % 3 === 0 ? text : bytes, 0, AUTOMATON.start)
})

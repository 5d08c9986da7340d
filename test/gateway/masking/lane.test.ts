import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
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

/** Triggers as [position, state]; behind some of them, told by `masks`, it goes on as behind something masked. `step`: at once. */
function triggers(source: Buffer, step: number, masks: readonly number[]): (readonly [number, number])[] {
  const lane = new Lane(AUTOMATON)
  lane.begin(0)
  const found: [number, number][] = []
  for (let until = Math.min(step, source.length); ; until = Math.min(until + step, source.length)) {
    lane.advance(source, until)
    while (lane.pending) {
      lane.pending = false
      found.push([lane.position, lane.accepted])
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
      const { count, words, state } = KernelAutomaton.of(AUTOMATON).scan(source, 1, size + 1, AUTOMATON.start)
      const found = [...words.subarray(0, count)].map((word) => [(word >>> 16) + 1, word & 0xffff])
      const expected: number[][] = []
      let own = AUTOMATON.start
      for (let i = 0; i < size; i++) {
        own = AUTOMATON.table[own + (AUTOMATON.classes[source[i + 1] ?? 0] ?? 0)] ?? 0
        if (own >= AUTOMATON.acceptFrom) expected.push([i + 1, own])
      }
      assert.deepEqual(found, expected)
      assert.equal(state, own)
    }
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linearPattern, MAX_MATCHED_CHARS } from '../../gateway/linear-pattern.ts'
import { cpuClock } from '../support/cpu-time.ts'

test('a pattern is found anywhere, unless it says where', () => {
  assert.ok(linearPattern('ss[nm]').found('customer_ssn'))
  assert.ok(!linearPattern('^ss[nm]$').found('customer_ssn'))
  assert.ok(linearPattern('(?i)^CARD').found('card_number'))
})

test('patterns that would take exponential time elsewhere take none', () => {
  const found = linearPattern('^(a+)+$')
  const usedMs = cpuClock()
  assert.ok(!found.found(`${'a'.repeat(MAX_MATCHED_CHARS - 1)}!`))
  // Where it is exponential, no machine would see the end of it.
  assert.ok(usedMs() < 30_000)
})

test('what RE2 does not know, what is too costly and what is too long is refused with the reason', () => {
  for (const [source, why] of [
    ['(?=a)', /no pattern in RE2's syntax/],
    ['(a)\\1', /no pattern in RE2's syntax/],
    ['[', /missing closing/],
    ['(a{30}){30}', /too costly/],
    ['a'.repeat(1_001), /1001 characters/],
  ] as const) {
    assert.throws(() => linearPattern(source), { name: 'SyntaxError', message: why }, source)
  }
})

test('a text too long to be looked at is an error, not a miss', () => {
  assert.throws(() => linearPattern('a').found('b'.repeat(MAX_MATCHED_CHARS + 1)), RangeError)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { globs } from '../../../gateway/policy/globs.ts'

test('a star stands for any text, everything else for itself', () => {
  assert.equal(globs('public.*')('public.orders'), true)
  assert.equal(globs('public.*')('public.'), true)
  assert.equal(globs('public.*')('publicXorders'), false)
  assert.equal(globs('*ssn*')('ssn'), true)
  assert.equal(globs('a*b*c')('aXXbYYc'), true)
  assert.equal(globs('a*b*c')('aXXcYYb'), false)
  assert.equal(globs('a*a')('a'), false, 'the ends do not share a letter')
  assert.equal(globs('*a*a*')('a'), false)
  assert.equal(globs('(.+)')('xx'), false, 'no regular expressions')
})

test('one wanted pattern is enough, one unwanted too many', () => {
  const fits = globs(['pg_*', 'x', '!pg_class'])
  assert.deepEqual(['pg_type', 'x', 'pg_class', 'y'].map(fits), [true, true, false, false])
  assert.deepEqual(['app.f', 'g'].map(globs('!app.*')), [false, true])
})

test('case counts unless it is said not to', () => {
  assert.equal(globs('Email')('email'), false)
  assert.equal(globs('E*L', { ignoreCase: true })('eMaiL'), true)
})

test('many stars on a long text stay linear', () => {
  // Two seconds would be a backtracking matcher's first few letters of this.
  assert.equal(globs(`${'*a'.repeat(200)}b`)('a'.repeat(200_000)), false)
})

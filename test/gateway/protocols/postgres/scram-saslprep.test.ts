import assert from 'node:assert/strict'
import { test } from 'node:test'
import { saslPrep } from '../../../../gateway/protocols/postgres/scram-saslprep.ts'

test('the examples of RFC 4013 section 3', () => {
  assert.equal(saslPrep('I\u00ADX'), 'IX')
  assert.equal(saslPrep('user'), 'user')
  assert.equal(saslPrep('USER'), 'USER')
  assert.equal(saslPrep('\u00AA'), 'a')
  assert.equal(saslPrep('\u2168'), 'IX')
})

test('what SASLprep does not allow is used as it is, as the server does', () => {
  for (const text of ['\u0007', '\u0627\u0031', 'a\u0627', '\uFFFD', '\u{E0001}', '\u00AD', '\u0378'])
    assert.equal(saslPrep(text), text)
})

test('spaces are unified and right-to-left text that stands alone is prepared', () => {
  assert.equal(saslPrep('a\u00A0b\u3000c'), 'a b c')
  assert.equal(saslPrep('\u0627\u0628\uFE80'), '\u0627\u0628\u0621')
})

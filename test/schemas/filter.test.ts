import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseTerms, termText } from '../../schemas/filter.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 12)
const said = (source: string): string[] => {
  const parsed = parseTerms(source, NOW_MS)
  assert.ok(parsed.ok, source)
  return parsed.terms.map(({ field, not, op, value }) => `${not ? '-' : ''}${field} ${op} ${value}`)
}

test('terms with names, counts from and to, times ago, what is not, and words as one text', () => {
  assert.deepEqual(said('identity:agent-* -table:orders rows>10 bytes<=5 masked:3 since:24h drop "the table" text:"a bc"'), [
    'identity is agent-*',
    '-table is orders',
    'rows least 11',
    'bytes most 5',
    'masked least 3',
    'since is 2026-11-19T12:00:00.000Z',
    'text is a bc',
    'text is drop the table',
  ])
  assert.deepEqual(said(''), [])
  assert.deepEqual(said('grep --force -> x verb:a:b'), ['verb is a:b', 'text is grep --force -> x'])
  assert.deepEqual(said('drop -temporary -"the table" --cascade'), [
    '-text is temporary',
    '-text is the table',
    'text is drop --cascade',
  ])
  assert.deepEqual(said('"tar -x" identity:"a ""b"" c"'), ['identity is a "b" c', 'text is tar -x'])
  assert.deepEqual(said('SELECT * FROM x WHERE a>5'), ['text is SELECT * FROM x WHERE a>5'])
})

test('what is no filter says why, and how long a filter may be is bounded', () => {
  const wrong = [
    'colour:red',
    'verdict:maybe',
    'rows>x',
    'since:yesterday',
    'identity:',
    'identity>5',
    'in:pocket',
    'until:0000-01-01',
    ':::',
    'text:"@@@" words',
    'ab',
    'tar -x',
    'x'.repeat(2_001),
  ]
  for (const source of [...wrong, 'rows>1 '.repeat(41)]) {
    const parsed = parseTerms(source, NOW_MS)
    assert.ok(!parsed.ok && parsed.what !== '', source)
  }
})

test('what is written for a value reads back as it', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (value) => {
      assert.deepEqual(said(`verb:x ${termText('family', value)} rows>0`), ['verb is x', `family is ${value}`, 'rows least 1'])
    }),
  )
})

test('a text with a colon says how it is written', () => {
  const parsed = parseTerms('http://x.example', NOW_MS)
  assert.ok(!parsed.ok)
  assert.match(parsed.what, /in quotes, "http:\/\/x\.example"/)
  assert.deepEqual(said('"http://x.example"'), ['text is http://x.example'])
})

test('a text has something an index knows', () => {
  for (const text of ['abc', '"a bc d"', 'x=12', '"ab "', 'привет', '日本語']) assert.ok(parseTerms(text, NOW_MS).ok, text)
  for (const text of ['ab', '"::: @@@"', '---', '"a b c"']) assert.ok(!parseTerms(text, NOW_MS).ok, text)
})

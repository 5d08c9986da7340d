import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTerms } from '../../schemas/filter.ts'

const NOW_MS = Date.UTC(2026, 10, 20, 12)
const said = (source: string): string[] => {
  const parsed = parseTerms(source, NOW_MS)
  assert.ok(parsed.ok, source)
  return parsed.terms.map(({ field, not, op, value }) => `${not ? '-' : ''}${field} ${op} ${value}`)
}

test('terms with names, counts from and to, times ago, what is not, and words as one text', () => {
  assert.deepEqual(said('identity:agent-* -table:orders rows>10 bytes<=5 masked:3 since:24h drop "the table" text:"a b"'), [
    'identity is agent-*',
    '-table is orders',
    'rows least 11',
    'bytes most 5',
    'masked least 3',
    'since is 2026-11-19T12:00:00.000Z',
    'text is a b',
    'text is drop the table',
  ])
  assert.deepEqual(said(''), [])
  assert.deepEqual(said('-v --force verb:a:b'), ['verb is a:b', 'text is -v --force'])
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
    'x'.repeat(2_001),
  ]
  for (const source of [...wrong, 'rows>1 '.repeat(41)]) {
    const parsed = parseTerms(source, NOW_MS)
    assert.ok(!parsed.ok && parsed.what !== '', source)
  }
})

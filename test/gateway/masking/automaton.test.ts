import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { buildAutomaton, type Pattern } from '../../../gateway/masking/automaton.ts'
import { AUTOMATON, DETECTORS } from '../../../gateway/masking/detectors.ts'

/** `index:owner` for every pattern that ends at that byte. */
function found(patterns: readonly Pattern[], text: string): string[] {
  const { classes, table, start, acceptFrom, classCount, accepts } = buildAutomaton(patterns)
  const hits: string[] = []
  let state = start
  Buffer.from(text, 'latin1').forEach((byte, i) => {
    state = table[state + (classes[byte] ?? 0)] ?? 0
    if (state >= acceptFrom) for (const owner of accepts[(state - acceptFrom) / classCount] ?? []) hits.push(`${i}:${owner}`)
  })
  return hits
}

test('reports every pattern where it ends, overlapping ones too', () => {
  const patterns = ['abc', 'bc', 'c', 'abcd'].map((text, owner) => ({ text, owner }))
  assert.deepEqual(found(patterns, 'xabcd'), ['3:0', '3:1', '3:2', '4:3'])
})

test('knows classes, sets and cases', () => {
  assert.deepEqual(found([{ text: '\\D\\d\\d', owner: 0 }], '12 345'), ['1:0', '4:0'])
  assert.deepEqual(found([{ text: '\\Wa[0-9_-]', owner: 0 }], 'a1 a- ba1 a_'), ['1:0', '4:0', '11:0'])
  assert.deepEqual(found([{ text: 'PassWord', owner: 0, ignoreCase: true }], 'xpAssword PASSWORD'), ['8:0', '17:0'])
  assert.deepEqual(found([{ text: 'Key', owner: 0 }], 'key Key'), ['6:0'])
})

test('finds exactly what looking for each pattern by itself finds', () => {
  const pattern = fc.stringMatching(/^[ab-]{1,5}$/)
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { minLength: 1, maxLength: 6 }), fc.stringMatching(/^[ab-]{0,60}$/), (texts, input) => {
      const expected: string[] = []
      for (let i = 0; i < input.length; i++) {
        texts.forEach((text, owner) => {
          if (input.slice(0, i + 1).endsWith(text)) expected.push(`${i}:${owner}`)
        })
      }
      assert.deepEqual(
        found(
          texts.map((text, owner) => ({ text, owner })),
          input,
        ),
        expected,
      )
    }),
  )
})

test('the triggers of all detectors stay a small table', () => {
  assert.ok(DETECTORS.length > 60)
  assert.ok(AUTOMATON.table instanceof Uint16Array, `${AUTOMATON.table.length} entries`)
})

test('a table that would not stay in the cache is refused', () => {
  const explosive = Array.from({ length: 12 }, (_, owner) => ({
    text: `[a-${'bcdefghijklm'[owner]}]${'[a-z0-9]'.repeat(14)}${owner}`,
    owner,
  }))
  assert.throws(() => buildAutomaton(explosive), RangeError)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changedAround, runsAround } from '../../../gateway/masking/known-words.ts'

test('runs are everything, in order, and the words that are known apart from what stands around them', () => {
  const runs = (text: string, words?: string): [string, boolean][] => {
    const bytes = Buffer.from(text)
    return [...runsAround(bytes, words)].map(({ from, to, known }) => [bytes.toString('utf8', from, to), known])
  }
  assert.deepEqual(runs('a who b who', 'who'), [
    ['a ', false],
    ['who', true],
    [' b ', false],
    ['who', true],
  ])
  assert.deepEqual(runs('a b'), [['a b', false]])
  assert.deepEqual(runs('a b', ''), [['a b', false]])
  assert.deepEqual(runs('', 'who'), [])
  const loud = (text: string): string => text.toUpperCase()
  assert.deepEqual([changedAround('a who b', 'who', loud), changedAround('a who', undefined, loud)], ['A who B', 'A WHO'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aligned, touched } from '../../../replay-ui/data/compare.ts'
import type { StatementRow } from '../../../schemas/api.ts'

const did = (text: string, objects: readonly string[] = [], rows = 0): StatementRow => ({
  session: 's',
  frame: 0,
  part: 0,
  channel: 0,
  kind: 'query',
  text,
  textCut: false,
  atUs: 0,
  durationUs: null,
  lastFrame: null,
  rows,
  bytesOut: 0,
  masked: 0,
  verdict: null,
  rules: [],
  approval: null,
  outcome: 'complete',
  objects: [...objects],
  verbs: [],
  fingerprint: text.replaceAll(/\d+/g, '?'),
})

test('what two sessions have in common stands side by side, in order', () => {
  const pairs = aligned([did('a 1'), did('b'), did('c'), did('d')], [did('x'), did('a 2'), did('c'), did('e')])
  assert.deepEqual(
    pairs.map(({ left, right }) => `${left?.text ?? '-'}|${right?.text ?? '-'}`),
    ['-|x', 'a 1|a 2', 'b|-', 'c|c', 'd|-', '-|e'],
  )
  assert.deepEqual(aligned([], []), [])
})

test('what only one touched comes first, with how often and how much', () => {
  const list = touched([did('a', ['orders', 'users'], 3), did('b', ['orders'], 2)], [did('c', ['orders'], 1)])
  assert.deepEqual(list, [
    { object: 'users', left: { statements: 1, rows: 3 }, right: undefined },
    { object: 'orders', left: { statements: 2, rows: 5 }, right: { statements: 1, rows: 1 } },
  ])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { folded } from '../../../recorder/catalog/fold.ts'
import { type HitColumns, hitOf } from '../../../recorder/catalog/search.ts'

const result = (text: string): HitColumns => ({
  session: '20261120T105150Z-gw1-00000001',
  frame: 1,
  part: 0,
  place: 'result',
  first_row: 0,
  text,
  at_us: 0,
  started_at: new Date(0),
  subject: 'ada',
  principal: null,
  target: 'shop',
  protocol: 'postgres',
  rows: null,
  bytes_out: null,
  masked: null,
  verdict: null,
  outcome: null,
  approval: null,
  objects: null,
})
const line = fc
  .array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\u0130', '\u03a3', '\u1e9e', 'SS', '\u0130'.repeat(30))))
  .map((parts) => parts.join('').replaceAll('\n', ' '))

test('letters of either case are the same, and every character stays where it was', () => {
  fc.assert(fc.property(line, (text) => assert.equal(folded(text).length, text.length)))
  assert.equal(folded('\u0130STANBUL \u039f\u03a3'), 'istanbul \u03bf\u03c3')
})

test('whatever stands in front of it, a hit is at its own row and marks its own letters', () => {
  fc.assert(
    fc.property(fc.array(line), line, line, fc.array(line), (before, left, right, behind) => {
      const hit = hitOf(result([...before, `${left}HaystackRow${right}`, ...behind].join('\n')), 'hAYSTACKrOW')
      assert.equal(hit.row, before.length)
      const [from = 0, to = 0] = hit.match ?? []
      assert.equal(hit.text.slice(from, to), 'HaystackRow')
    }),
  )
})

test('thirty of a letter that is longer in lower case do not move a hit to another row', () => {
  const rows = ['\u0130'.repeat(30), 'haystackrow', 'aaa', 'bbb', 'ccc', 'ddd', 'eee', 'fff']
  const { row, text, match } = hitOf(result(rows.join('\n')), 'haystackrow')
  assert.deepEqual([row, text, match], [1, 'haystackrow', [0, 11]])
  assert.equal(hitOf(result('\u0130x\nelsewhere'), 'what only a database finds').row, null)
})

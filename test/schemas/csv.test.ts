import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { csvRecord, readCsv } from '../../schemas/csv.ts'

test('whatever is written is read again, and no cell is a formula to a spreadsheet', () => {
  const cell = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('=1+1', '+1', '-1', '@x', "'", "'=x", '\t=x', '\r', '\n=x', '\0=x', '"', 'a"b', 'a,b', 'a\nb', '＝cmd', ''),
  )
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 2 })), (rows) => {
      const text = csvRecord(['a', 'b']) + rows.map((row) => csvRecord(row)).join('')
      assert.deepEqual(
        readCsv(text).map((row) => [row.get('a'), row.get('b')]),
        rows,
      )
    }),
  )
  for (const text of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '\0=1', '＝1'])
    assert.match(csvRecord([text]), /^"?'/)
  assert.equal(csvRecord([-1, 1.5, null, undefined, true]), '-1,1.5,,,true\n')
})

test('a table that is none is refused', () => {
  for (const text of ['a,b\n1\n', 'a,b\n1,2,3\n', 'a\n"x', 'a\n"x"y\n'])
    assert.throws(() => readCsv(text), { code: 'TAPE_MALFORMED' })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statementsCsv } from '../../../recorder/bundle/session-statements.ts'
import { readCsv } from '../../../schemas/csv.ts'
import { rowOf } from '../../support/statements.ts'

test('a table of any length is handed on in pieces, none of them as long as a string can be', () => {
  const rows = Array.from({ length: 2_500 }, (_, frame) => rowOf(`SELECT ${frame}`, { frame }))
  const pieces = [...statementsCsv(rows, 'derived from s1')]
  assert.deepEqual(
    pieces.map((piece) => piece.trimEnd().split('\n').length),
    [1, 1_000, 1_000, 500],
  )
  const table = readCsv(pieces.join(''))
  assert.deepEqual(
    table.map((row) => row.get('text')),
    rows.map(({ text }) => text),
  )
  assert.ok(table.every((row) => row.get('derived') === 'derived from s1'))
  assert.equal([...statementsCsv([])].length, 1)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { describers } from '../../../gateway/protocols/describers.ts'
import { readSession, statementsCsv } from '../../../recorder/bundle/session-statements.ts'
import { openTape } from '../../../recorder/index.ts'
import { readCsv } from '../../../schemas/csv.ts'
import type { Entry } from '../../../schemas/frame.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'
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

test('a session has as many statements beside its recording, and in the console, as the recording’s seal says', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  const asks = (text: string, statement: number, statements?: number, verdict: Entry['verdict'] = null) =>
    entry({ body: serialize.query(text), facts: { statement, ...(statements === undefined ? {} : { statements }) }, verdict })
  const held = (act: 'hold' | 'allow') => ({ act, rules: ['r'], policy: 'abababababab', approval: 'A-1' }) as const
  await recorder.append([
    asks('SELECT 1', 1, 1),
    asks('SELECT 1; SELECT 2', 2, 2),
    asks('DELETE FROM t', 3, 1, held('hold')),
    // As a gate records the end of a hold: the same statement, which has been counted.
    asks('DELETE FROM t', 3, undefined, held('allow')),
  ])
  await recorder.seal('client.left')
  const read = await readSession({ store: folder.store, describers }, info.id, undefined)
  const { summary } = await openTape(folder.store, info.id)
  assert.deepEqual([read?.session.statements, summary?.totals.statements, read?.statements.length], [4, 4, 3])
})

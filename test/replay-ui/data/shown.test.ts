import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { BACKEND, message, nulTerminated } from '../../../gateway/protocols/postgres/messages.ts'
import { contentOf, MAX_CONTEXT_FRAMES, showFrame, summaryOf } from '../../../replay-ui/data/shown.ts'
import type { Frame } from '../../../schemas/frame.ts'

function frame(part: Partial<Frame>): Frame {
  return { seq: 0, atUs: 0, dir: 'out', channel: 0, kind: 'reply', facts: {}, body: null, masks: null, verdict: null, ...part }
}

const u16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value & 0xff)
const u32 = (value: number): Uint8Array => Uint8Array.of(0, 0, value >>> 8, value & 0xff)
const columns = (name: string): Uint8Array => message(BACKEND.rowDescription, u16(1), nulTerminated(name), new Uint8Array(18))
const row = (text: string): Uint8Array => message(BACKEND.dataRow, u16(1), u32(text.length), Buffer.from(text))
const complete = message(BACKEND.commandComplete, nulTerminated('SELECT 1'))

test('rows are gathered into tables, numbered over the frame', () => {
  const contents = contentOf(
    [
      { show: 'columns', names: ['a'] },
      { show: 'row', cells: [{ text: '1' }] },
      { show: 'word', label: 'complete', text: 'SELECT 1' },
      { show: 'row', cells: [{ text: '2' }] },
    ],
    null,
  )
  assert.deepEqual(
    contents.map((one) => (one.what === 'table' ? [one.table.columns, one.table.firstRow] : one.shown.show)),
    [[['a'], 0], 'word', [['a'], 1]],
  )
})

test('a result without rows is still a table with its columns', () => {
  const [only] = contentOf([{ show: 'columns', names: ['a'] }], null)
  assert.deepEqual(only, { what: 'table', table: { columns: ['a'], rows: [], firstRow: 0 } })
})

test('rows far behind their columns are shown with them', () => {
  const frames = [
    frame({ seq: 0, dir: 'in', kind: 'query', body: serialize.query('SELECT a') }),
    frame({ seq: 1, body: Buffer.concat([columns('a'), row('1')]) }),
    ...Array.from({ length: 500 }, (_, at) => frame({ seq: 2 + at, body: row(String(at)) })),
  ]
  const last = frames.at(-1)
  assert.ok(last !== undefined && frames.length > MAX_CONTEXT_FRAMES)
  const { contents, missing } = showFrame('postgres', last, 0, (seq) => frames[seq])
  assert.equal(missing, false)
  assert.ok(contents[0]?.what === 'table' && contents[0].table.columns?.[0] === 'a')
  const without = showFrame('postgres', last, 0, () => undefined)
  assert.ok(without.missing && without.contents[0]?.what === 'table' && without.contents[0].table.columns === null)
})

test('a message continued over frames is shown whole where it ends', () => {
  const whole = Buffer.concat([columns('a'), row('x'.repeat(300))])
  const parts = [
    frame({ seq: 0, facts: { part: 'first' }, body: whole.subarray(0, 100) }),
    frame({ seq: 1, facts: { part: 'middle' }, body: whole.subarray(100, 200) }),
    frame({ seq: 2, facts: { part: 'last' }, body: whole.subarray(200) }),
  ]
  const last = parts[2]
  assert.ok(last !== undefined)
  const { contents } = showFrame('postgres', last, undefined, (seq) => parts[seq])
  assert.ok(contents[0]?.what === 'table')
  assert.equal(contents[0].table.rows[0]?.[0]?.text, 'x'.repeat(300))
})

test('a line tells the command, the answer, or the facts', () => {
  assert.equal(summaryOf('postgres', frame({ dir: 'in', body: serialize.query('SELECT 1') })), 'SELECT 1')
  assert.equal(summaryOf('postgres', frame({ facts: { rows: 3, tag: 'SELECT 3' }, body: complete })), 'SELECT 3')
  assert.equal(summaryOf('postgres', frame({ body: complete })), 'complete SELECT 1')
  assert.equal(summaryOf('postgres', frame({ facts: { rows: 1 } })), '1 row')
  assert.equal(summaryOf('postgres', frame({ facts: { rows: 1617 } })), '1,617 rows')
  const output = frame({ kind: 'terminal-output', channel: 1, body: Buffer.from('seq 1 60') })
  assert.equal(summaryOf('ssh', output), 'seq 1 60', 'the kind stands beside it')
  const colours = '\r\n\u001b[?2004l\r\u001b]0;title\u0007\u001b[31mred\u001b[0m\r\n$ '
  assert.equal(summaryOf('ssh', { ...output, body: Buffer.from(colours) }), 'red $', 'of what a terminal is told, the words')
  assert.equal(summaryOf('ssh', { ...output, body: Buffer.from('\u001b[?2004l\r') }), '\u001b[?2004l\r', 'where there are any')
  assert.equal(summaryOf('postgres', frame({ dir: 'note', facts: { outcome: 'consumed' } })), 'outcome consumed')
  assert.ok(summaryOf('postgres', frame({ dir: 'in', body: serialize.query('x'.repeat(9999)) })).length < 300)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import { BACKEND, message, nulTerminated } from '../../../gateway/protocols/postgres/messages.ts'
import { type Dir, type Frame, MASK_SPAN_SIZE, type Masks } from '../../../schemas/frame.ts'
import type { VerdictNote } from '../../../schemas/verdict.ts'
import { PostgresView } from '../../../schemas/views/postgres.ts'
import type { Shown } from '../../../schemas/views/view.ts'

let seq = 0
function frame(dir: Dir, kind: string, body: Uint8Array | null, more: { masks?: Masks; verdict?: VerdictNote } = {}): Frame {
  return { seq: seq++, atUs: 0, dir, channel: 0, kind, facts: {}, body, masks: more.masks ?? null, verdict: more.verdict ?? null }
}

function row(text: string): Uint8Array {
  const head = Buffer.from([0, 1, 0, 0, 0, 0])
  head.writeInt32BE(Buffer.byteLength(text), 2)
  return message(BACKEND.dataRow, head, Buffer.from(text))
}

const description = message(BACKEND.rowDescription, Buffer.from([0, 1]), nulTerminated('email'), Buffer.alloc(18))
const complete = message(BACKEND.commandComplete, nulTerminated('SELECT 2'))

test('however a reply is spread over frames, the same is shown', () => {
  const bytes = Buffer.concat([description, row('one'), row('two'), complete])
  const whole = new PostgresView().read(frame('out', 'rows', bytes))
  assert.deepEqual(
    whole.map(({ show }) => show),
    ['columns', 'row', 'row', 'word'],
  )
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 6 }), (cuts) => {
      const at = [0, ...[...new Set(cuts)].sort((a, b) => a - b), bytes.length]
      const view = new PostgresView()
      const shown = at.slice(1).flatMap((to, index) => view.read(frame('out', 'rows', bytes.subarray(at[index] ?? 0, to))))
      assert.deepEqual(shown, whole)
      assert.deepEqual(shown, whole)
    }),
  )
})

test('a mask stays with its cell when the message goes on in the next frame', () => {
  const bytes = Buffer.concat([row('clean'), row('[MASKED:email:0123]')])
  const from = bytes.indexOf('[MASKED')
  const span = Buffer.alloc(MASK_SPAN_SIZE)
  span.writeUInt32BE(from, 0)
  span.writeUInt32BE((10 << 8) | 0, 4)
  const view = new PostgresView()
  const masks = { labels: [['email', 'label:pii.email']], spans: span } as const
  const shown: Shown[] = [...view.read(frame('out', 'rows', bytes.subarray(0, from + 10), { masks }))]
  shown.push(...view.read(frame('out', 'rows', bytes.subarray(from + 10))))
  assert.deepEqual(shown, [
    { show: 'row', cells: [{ text: 'clean' }] },
    { show: 'row', cells: [{ text: '[MASKED:email:0123]', masked: 'email', rule: 'label:pii.email' }] },
  ])
})

test('a held message is shown when it is held and again when it is released', () => {
  const view = new PostgresView()
  const held: VerdictNote = { act: 'hold', rules: ['r'], policy: '0', approval: 'A-00000000' }
  const body = serialize.query('DELETE FROM orders')
  const expected = [{ show: 'statement', label: 'query', text: 'DELETE FROM orders' }]
  assert.deepEqual(view.read(frame('in', 'query', body, { verdict: held })), expected)
  assert.deepEqual(view.read(frame('in', 'query', body)), expected)
})

test('a message too long for a terminal is named by its size, and what follows is shown', () => {
  const view = new PostgresView()
  const long = row('x'.repeat(5 * 1024 * 1024))
  const middle = 1_000_000
  assert.deepEqual(view.read(frame('out', 'rows', long.subarray(0, middle))), [
    { show: 'bytes', label: 'message D', size: long.length },
  ])
  assert.deepEqual(view.read(frame('out', 'rows', Buffer.concat([long.subarray(middle), row('after')]))), [
    { show: 'row', cells: [{ text: 'after' }] },
  ])
})

test('any bytes at all are shown somehow', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Dir>('in', 'out'),
      fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }),
      (dir, bodies) => {
        const view = new PostgresView()
        for (const body of bodies) assert.ok(Array.isArray(view.read(frame(dir, 'query', body))))
      },
    ),
  )
})

test('a start-up packet is shown by its names and values, as far as it goes', () => {
  const whole = serialize.startup({ user: 'ada', database: 'shop', application_name: 'psql' })
  const words = (bytes: Uint8Array) =>
    new PostgresView().read(frame('in', 'startup', bytes)).map((shown) => (shown.show === 'word' ? shown.text : shown.show))
  // The driver's own encoding comes behind what it is given.
  assert.deepEqual(words(whole), [
    'protocol 3.0',
    'user = ada',
    'database = shop',
    'application_name = psql',
    'client_encoding = UTF8',
  ])
  for (let size = 1; size < whole.length; size++) {
    const cut = words(whole.subarray(0, size))
    if (size >= 8) assert.deepEqual(cut, words(whole).slice(0, cut.length))
  }
})

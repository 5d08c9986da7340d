import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import { BACKEND, message, nulTerminated } from '../../../gateway/protocols/postgres/messages.ts'
import { dissect, fieldAt, maskMarks } from '../../../replay-ui/data/dissect.ts'
import type { Frame } from '../../../schemas/frame.ts'

function frame(part: Partial<Frame>): Frame {
  return { seq: 0, atUs: 0, dir: 'out', channel: 0, kind: 'reply', facts: {}, body: null, masks: null, verdict: null, ...part }
}

const told = (part: Partial<Frame>): string[] => dissect('postgres', frame(part)).map(({ name, value }) => `${name} = ${value}`)

test('a query, a bind and a startup are told field by field, each with its bytes', () => {
  const body = serialize.query('SELECT 1')
  const fields = dissect('postgres', frame({ dir: 'in', body }))
  assert.deepEqual(
    fields.map(({ name, value, from, to }) => [name, value, from, to]),
    [
      ['Q query', '14 bytes', 0, 14],
      ['sql', 'SELECT 1', 5, 14],
    ],
  )
  const bind = serialize.bind({ statement: 's1', values: ['a', null] })
  assert.deepEqual(told({ dir: 'in', body: bind }).slice(1), [
    'portal = ',
    'statement = s1',
    'parameter formats = 2',
    'parameters = 2',
    'parameter 1 = a',
    'parameter 2 = NULL',
  ])
  const startup = serialize.startup({ user: 'ada', database: 'shop' })
  const names = told({ dir: 'in', kind: 'startup', body: startup })
  assert.ok(names.includes('protocol = 3.0') && names.includes('user = ada') && names.includes('database = shop'))
})

test('errors are told by what their letters mean', () => {
  const body = message(BACKEND.error, ...['SERROR', 'C42501', 'Mblocked', ''].map(nulTerminated))
  assert.deepEqual(told({ body }).slice(1), ['S severity = ERROR', 'C sqlstate = 42501', 'M message = blocked'])
})

test('whatever the bytes are, fields lie within them, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom('in' as const, 'out' as const), (body, dir) => {
      for (const { from, to } of dissect('postgres', frame({ dir, body }))) {
        assert.ok(from >= 0 && from <= to && to <= body.length)
      }
    }),
  )
})

test('a byte belongs to its innermost field', () => {
  const fields = dissect('postgres', frame({ dir: 'in', body: serialize.query('SELECT 1') }))
  assert.equal(fields[fieldAt(fields, 0)]?.name, 'Q query')
  assert.equal(fields[fieldAt(fields, 7)]?.name, 'sql')
  assert.equal(fieldAt(fields, 99), -1)
})

test('a continued body says that it is one', () => {
  assert.match(told({ facts: { part: 'middle' }, body: Uint8Array.of(1, 2) })[0] ?? '', /earlier frame/)
})

test('mask spans are read as they are packed', () => {
  const spans = new Uint8Array(16)
  new DataView(spans.buffer).setUint32(0, 5)
  new DataView(spans.buffer).setUint32(4, (14 << 8) | 1)
  const labels = [
    ['name', 'a'],
    ['email', 'label:pii.email'],
  ] as const
  assert.deepEqual(maskMarks({ masks: { labels, spans } }), [{ from: 5, to: 19, entity: 'email', rule: 'label:pii.email' }])
})

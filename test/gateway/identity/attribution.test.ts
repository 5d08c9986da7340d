import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attributionOf } from '../../../gateway/identity/attribution.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

test('run, purpose and trace are kept as said, cut where they are endless; what is no trace is none', () => {
  assert.deepEqual(attributionOf({ run: 'build-4711', purpose: 'report', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }), {
    run: 'build-4711',
    purpose: 'report',
    trace: TRACE,
    span: '00f067aa0ba902b7',
  })
  assert.deepEqual(attributionOf({}), {})
  assert.deepEqual(attributionOf({ run: '', purpose: undefined }), {})
  assert.equal(attributionOf({ run: 'x'.repeat(500) })['run']?.length, 128)
  for (const traceparent of [
    '',
    'x',
    TRACE,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
  ])
    assert.deepEqual(attributionOf({ traceparent }), {}, traceparent)
})

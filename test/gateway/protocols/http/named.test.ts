import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_NAME_SIZE, named } from '../../../../gateway/protocols/http/named.ts'

test('a field has the name it goes by; labelled ones, and names that are none, change nothing', () => {
  const body = { path: 'body', action: 'scan' } as const
  assert.deepEqual(named(body, 'phone'), { path: 'body.phone', action: 'scan', bulk: false })
  assert.deepEqual(named(body, '', true), { path: 'body', action: 'scan', bulk: true })
  const labelled = { path: 'body.pii', action: 'mask', label: 'pii' } as const
  assert.equal(named(labelled, 'phone'), labelled)
  assert.equal(named(body, ''), body)
  assert.equal(named(body, 'x'.repeat(MAX_NAME_SIZE + 1)), body)
})

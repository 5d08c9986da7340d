import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Collector } from '../../../../gateway/policy/sql/collector.ts'

test('the least bounded query counts', () => {
  const found = new Collector()
  assert.equal(found.limit, undefined)
  found.bound(5)
  found.bound(3)
  assert.equal(found.limit, 5)
  found.bound(null)
  found.bound(9)
  assert.equal(found.limit, null)
})

test('catalogs are known by schema and by name', () => {
  for (const [schema, name] of [
    [undefined, 'pg_class'],
    ['pg_catalog', 'pg_class'],
    ['information_schema', 'tables'],
    ['x', 'pg_y'],
  ] as const) {
    const found = new Collector()
    found.relation(schema, name)
    assert.equal(found.catalogAccess, true, name)
  }
})

test('too many names are noticed', () => {
  const found = new Collector()
  for (let i = 0; i < 1_000; i++) found.columns.add(`c${i}`)
  assert.equal(found.overflowing, false)
  found.columns.add('one more')
  assert.equal(found.overflowing, true)
})

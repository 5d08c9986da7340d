import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ColumnOrigin, columnField, FIRST_USER_OID, readOrigins } from '../../../../gateway/protocols/postgres/columns.ts'
import { answers } from '../../../support/pg-words.ts'

const origin = (type: number): ColumnOrigin => ({ name: 'x', table: 1, attribute: 1, type, format: 0 })
const label = { label: 'pii.x', entity: 'x' }

test('a description says where each column comes from', () => {
  const bytes = answers.columns({ name: 'größe', table: 4_000_000_000, attribute: 3, type: 25, format: 1 }, { name: '' })
  assert.deepEqual(readOrigins(bytes, 0, bytes.length), [
    { name: 'größe', table: 4_000_000_000, attribute: 3, type: 25, format: 1 },
    { name: '', table: 0, attribute: 0, type: 25, format: 0 },
  ])
})

test('a description that ends inside a column is refused', () => {
  const bytes = answers.columns({ name: 'a' }, { name: 'b' })
  for (let end = 8; end < bytes.length; end++) assert.throws(() => readOrigins(bytes, 0, end), { code: 'PROTOCOL_MALFORMED' })
})

test('a labelled column is masked whatever its type, and is NULL where no text would be valid', () => {
  for (const [type, format, nullOnly] of [
    [25, 0, false],
    [25, 1, false],
    [23, 0, true],
    [1082, 1, true],
    [FIRST_USER_OID, 0, false],
    [FIRST_USER_OID, 1, true],
  ] as const) {
    const field = columnField(origin(type), format, label)
    assert.deepEqual([field.action, field.nullOnly], ['mask', nullOnly], `type ${type}`)
  }
})

test('numbers are not looked at, text is, and what is unknown is too', () => {
  assert.equal(columnField(origin(23), 0, undefined).action, 'skip')
  assert.equal(columnField(origin(25), 1, undefined).action, 'scan')
  assert.deepEqual(columnField(origin(17), 0, undefined), { path: 'row.x', action: 'scan', encoding: 'bytea', nullOnly: true })
  assert.equal(columnField(origin(3802), 1, undefined).nullOnly, undefined, 'JSON stays JSON with a mask in its text')
  assert.deepEqual(columnField(origin(99_999), 1, undefined), { path: 'row.x', action: 'scan', nullOnly: true })
})

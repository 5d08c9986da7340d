import assert from 'node:assert/strict'
import { test } from 'node:test'
import { convertsText } from '../../../../gateway/protocols/postgres/conversions.ts'

test('a cast of anything but a constant, or a function that spells, may make a number of a text', () => {
  const conversions = [
    "select replace(ssn, '-', '')::bigint from people",
    'select cast(card as numeric) from people',
    'select array(select ascii(x) from t)',
    "select to_number(card, '9') from people",
    'with w as (select ssn::int8 as n from people) select n from w',
    'select from where',
  ]
  for (const sql of conversions) assert.equal(convertsText(sql), true, sql)
})

test('counting, constants and casts to text are none', () => {
  const harmless = [
    'select count(*)::int from people',
    "select * from t where at > '2024-01-01'::date",
    'select name::text from t',
    'select 1',
  ]
  for (const sql of harmless) assert.equal(convertsText(sql), false, sql)
})

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
    "select int8(replace(ssn, '-', '')) from people",
    "select pg_catalog.date(replace(ssn, '-', '')) from people",
    "select (replace(ssn, '-', '')).int8 from people",
    "select to_timestamp(ssn, 'YYYY') from people",
    "select strpos(ssn, '5') from people",
    "select position('5' in ssn) from people",
    "select length(split_part(ssn, '5', 1)) from people",
    "select length(x) from (select split_part(ssn, '5', 1) from people) as p (x)",
    "with p (x) as (select split_part(ssn, '5', 1) from people) select length(x) from p",
    "select cardinality(string_to_array(ssn, '5')) from people",
    'select a from json_to_record((select to_json(p) from people p)) as x (a bigint)',
    "select (jsonb_populate_record(null::measures, jsonb_build_object('value', ssn))).value from people",
    "select json_value(to_jsonb(ssn), '$' returning bigint) from people",
    "select z from people, json_table(to_jsonb(ssn), '$' columns (z bigint path '$')) as t",
    "select z from people, xmltable('/r' passing xmlelement(name r, ssn) columns z bigint path '.')",
    'select from where',
  ]
  for (const sql of conversions) assert.equal(convertsText(sql), true, sql)
})

test('counting, constants and casts to text are none', () => {
  const harmless = [
    'select count(*)::int from people',
    "select * from t where at > '2024-01-01'::date",
    'select name::text from t',
    'select length(name), char_length(people.email) from people',
    "select date_part('year', born), date '2024-01-01', extract(year from born) from people",
    'select sum(value), max(value), count(distinct name) from people',
    'select 1',
  ]
  for (const sql of harmless) assert.equal(convertsText(sql), false, sql)
})

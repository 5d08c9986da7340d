import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyPlan } from '../../../../gateway/protocols/postgres/copy-plan.ts'

test('a COPY of a table names it, its columns and how its lines are written', () => {
  assert.deepEqual(copyPlan('copy shop.people (id, email) to stdout'), {
    relation: { table: 'people', schema: 'shop' },
    columns: ['id', 'email'],
    format: 'text',
    delimiter: 0x09,
    quote: 0x22,
  })
  assert.deepEqual(copyPlan(`copy people to stdout (format csv, delimiter ';', quote '|')`), {
    relation: { table: 'people' },
    format: 'csv',
    delimiter: 0x3b,
    quote: 0x7c,
  })
})

test('of a query only the lines are known; of several COPYs, or what cannot be read, nothing', () => {
  assert.deepEqual(copyPlan('copy (select 1) to stdout'), { format: 'text', delimiter: 0x09, quote: 0x22 })
  assert.equal(copyPlan('copy a to stdout; copy b to stdout'), undefined)
  assert.equal(copyPlan('copy to'), undefined)
  assert.equal(copyPlan('select 1'), undefined)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CopyLines } from '../../../../gateway/protocols/postgres/copy-fields.ts'
import { copyPlan } from '../../../../gateway/protocols/postgres/copy-plan.ts'
import { TEXT_LINES } from '../../../support/pg-words.ts'

test('a COPY of a table names it, its columns and how its lines are written', () => {
  assert.deepEqual(copyPlan('copy shop.people (id, email) to stdout'), {
    relation: { table: 'people', schema: 'shop' },
    columns: ['id', 'email'],
    lines: TEXT_LINES,
  })
  assert.deepEqual(copyPlan(`copy people to stdout (format csv, delimiter ';', quote '|')`), {
    relation: { table: 'people' },
    lines: { format: 'csv', delimiter: 0x3b, quote: 0x7c, escapeByte: 0x7c, nullText: Buffer.from('') },
  })
})

test('of a query only the lines are known; of several COPYs, or what cannot be read, nothing', () => {
  assert.deepEqual(copyPlan('copy (select 1) to stdout'), { lines: TEXT_LINES })
  assert.equal(copyPlan('copy a to stdout; copy b to stdout'), undefined)
  assert.equal(copyPlan('copy to'), undefined)
  assert.equal(copyPlan('select 1'), undefined)
})

test('every option that says how a line is written is read, in both of its spellings', () => {
  const read: CopyLines = { format: 'csv', delimiter: 0x58, quote: 0x31, escapeByte: 0x5c, nullText: Buffer.from('9') }
  for (const sql of [
    `copy a to stdout (format csv, delimiter 'X', quote '1', escape '\\', null '9')`,
    `copy a to stdout csv delimiter 'X' null '9' quote '1' escape '\\'`,
  ])
    assert.deepEqual(copyPlan(sql)?.lines, read, sql)
  assert.deepEqual(copyPlan(`copy a to stdout (encoding 'UTF-8')`)?.lines, TEXT_LINES)
})

test('lines cannot be cut where an option is no text of one byte, or its encoding has delimiters in its characters', () => {
  for (const options of [
    'format csv, delimiter 1',
    "format csv, quote 'ab'",
    "delimiter 'é'",
    'null 9',
    "encoding 'SJIS'",
    "encoding 'gb18030'",
    'format fancy',
  ]) {
    const plan = copyPlan(`copy a to stdout (${options})`)
    assert.ok(plan !== undefined && plan.lines === undefined, options)
  }
})

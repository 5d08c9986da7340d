import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Field } from '../../../../gateway/message.ts'
import { certain, type Portal, portalColumns, type Statement } from '../../../../gateway/protocols/postgres/statement.ts'

const field = (path: string): Field => ({ path, action: 'scan' })
const columns = { text: [field('a'), field('b')], binary: [field('A'), field('B')] }
const portal = (statements: readonly Statement[], resultFormats: readonly number[] = [], generation = 1): Portal => ({
  statements,
  generation,
  resultFormats,
  parameters: new Uint8Array(),
})
const described: Statement = { sql: 's', columns, described: 1 }
const paths = (formats: readonly number[]): string | undefined =>
  portalColumns(portal([described], formats))
    ?.map(({ path }) => path)
    .join('')

test('columns are treated in the format each was asked for', () => {
  assert.equal(paths([]), 'ab')
  assert.equal(paths([0]), 'ab')
  assert.equal(paths([1]), 'AB')
  assert.equal(paths([0, 1]), 'aB')
})

test('nothing is known of columns where more than one statement, or another time, comes into question', () => {
  assert.equal(portalColumns(portal([described, { sql: 't' }])), undefined)
  assert.equal(portalColumns(portal([described], [], 2)), undefined)
  assert.equal(portalColumns(portal([{ sql: 's' }])), undefined)
  assert.deepEqual(portalColumns(portal([{ sql: 's', columns: null, described: 1 }])), [])
  assert.equal(certain([portal([described]), portal([described])]), undefined)
  assert.equal(certain([portal([described])]), described)
})

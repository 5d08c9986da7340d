import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlReader } from '../../../../gateway/protocols/postgres/sql-reader.ts'

test('the tape gets a few facts of a statement, the same object for the same text', () => {
  const brief = sqlReader.brief('select name from customers where id = 1')
  assert.deepEqual([brief['verbs'], brief['relations'], brief['parse_ok']], [['SELECT'], ['customers'], true])
  assert.equal(brief['columns'], undefined)
  assert.equal(sqlReader.brief('select name from customers where id = 1'), brief)
})

test('names are what the protocol calls them, folded and cut as the server does', () => {
  const { prepares, executes } = sqlReader.names(
    'prepare Foo as select 1; declare "C" cursor for select 2; execute foo; fetch all from "C"',
  )
  assert.deepEqual(prepares, [
    { kind: 'statement', name: 'foo' },
    { kind: 'cursor', name: 'C' },
  ])
  assert.deepEqual(executes, prepares)
  const long = 'n'.repeat(70)
  assert.equal(sqlReader.names(`execute ${long}`).executes[0]?.name, 'n'.repeat(63))
})

test('a text that no grammar reads has no names', () => {
  assert.deepEqual(sqlReader.names('execute ((('), { prepares: [], executes: [] })
  assert.equal(sqlReader.facts('execute (((')['parse_ok'], false)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { SqlNames } from '../../../../gateway/policy/sql/names.ts'

test('a name stands for what was prepared under it', () => {
  const names = new SqlNames()
  names.resolve(sqlFacts('PREPARE p AS DELETE FROM orders'))
  const facts = names.resolve(sqlFacts('EXECUTE p'))
  assert.deepEqual(facts['without_where'], ['DELETE'])
  assert.deepEqual(facts['relations'], ['orders'])
  assert.equal(facts['writes'], true)
  assert.equal(facts['dynamic'], undefined)
})

test('a name keeps everything it ever stood for, since only the server knows which PREPARE succeeded', () => {
  const names = new SqlNames()
  names.resolve(sqlFacts('PREPARE p AS SELECT a FROM x WHERE b = 1'))
  names.resolve(sqlFacts('PREPARE p AS DELETE FROM y'))
  names.resolve(sqlFacts('DEALLOCATE p'))
  const facts = names.resolve(sqlFacts('EXECUTE p'))
  assert.deepEqual(facts['relations'], ['x', 'y'])
  assert.equal(facts['has_where'], false)
})

test('what comes with the text it stands for is known, however many names came before it', () => {
  const names = new SqlNames()
  for (let name = 0; name <= 10_000; name++) names.resolve(sqlFacts(`PREPARE p${name} AS SELECT 1`))
  assert.equal(names.resolve(sqlFacts('EXECUTE p10000'))['dynamic'], true)
  assert.equal(names.resolve(sqlFacts('EXECUTE p10000; PREPARE p10000 AS SELECT 1'))['dynamic'], undefined)
})

test('a name never heard of may stand for anything', () => {
  const names = new SqlNames()
  assert.equal(names.resolve(sqlFacts('EXECUTE p'))['dynamic'], true)
  assert.equal(names.resolve(sqlFacts('FETCH ALL FROM c'))['dynamic'], true)
  names.resolve(sqlFacts('PREPARE c AS SELECT 1'))
  assert.equal(names.resolve(sqlFacts('FETCH ALL FROM c'))['dynamic'], true, 'a statement is no cursor')
})

test('prepared and executed in one message', () => {
  const facts = new SqlNames().resolve(sqlFacts('PREPARE p AS SELECT 1; EXECUTE p'))
  assert.equal(facts['dynamic'], undefined)
})

test('facts without names come back as they are', () => {
  const facts = sqlFacts('SELECT 1')
  assert.equal(new SqlNames().resolve(facts), facts)
})

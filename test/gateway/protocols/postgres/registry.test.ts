import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from '../../../../gateway/protocols/postgres/registry.ts'

test('a name stands for what the server confirmed, and for all that is still in question', () => {
  const registry = new Registry<string>((value) => value.length)
  assert.deepEqual(registry.candidates('s', 0), [])
  registry.propose('s', 'one', 0)
  assert.deepEqual(registry.candidates('s', 1), ['one'])
  registry.confirm()
  registry.propose('s', 'two', 1)
  assert.deepEqual(registry.candidates('s', 2), ['one', 'two'])
  assert.deepEqual(registry.candidates('s', 1), ['two'], 'within its group a definition is certain: its failure skips the use')
  registry.fail(1)
  assert.deepEqual(registry.candidates('s', 2), ['one'])
  registry.forget('s')
  assert.deepEqual(registry.candidates('s', 2), [])
})

test('answers confirm requests in their order, and only those of a failed group are gone', () => {
  const registry = new Registry<string>((value) => value.length)
  registry.propose('a', '1', 0)
  registry.propose('b', '2', 0)
  registry.propose('c', '3', 1)
  registry.confirm()
  registry.fail(0)
  registry.confirm()
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => registry.candidates(name, 9)),
    [['1'], [], ['3']],
  )
  assert.equal(registry.size, 2)
})

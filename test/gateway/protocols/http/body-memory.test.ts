import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodyMemory } from '../../../../gateway/protocols/http/body-memory.ts'

test('what was given back serves the next, what was not is never anybody else’s', () => {
  const first = new BodyMemory()
  const taken = first.take(1 << 20)
  const second = new BodyMemory().take(1 << 20)
  assert.notEqual(second.buffer, taken.buffer)
  first.giveBack()
  first.giveBack()
  const again = new BodyMemory()
  assert.equal(again.take(100_000).buffer, taken.buffer)
  assert.notEqual(again.take(1 << 20).buffer, taken.buffer, 'one piece each')
})

test('a size asked for is the size got, whatever is kept', () => {
  for (const size of [0, 100, 70_000, 1 << 20, 5 << 20]) assert.equal(new BodyMemory().take(size).length, size)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askingMessage, replyMessage } from '../../../gateway/policy/trial.ts'

test('what would be asked is a first statement, with its facts', () => {
  const message = askingMessage('postgres', 'SELECT 1')
  assert.equal(message.kind, 'query')
  assert.equal(message.facts()['statement'], 1)
  assert.deepEqual(message.facts()['verbs'], ['SELECT'])
  assert.deepEqual(askingMessage('echo', 'hello').facts(), { text: 'hello', size: 5 })
})

test('a made-up reply splits as a real one does', () => {
  const reply = replyMessage('postgres', 10, 1_000)
  assert.deepEqual([reply.units, reply.bytes.length], [10, 1_000])
  const [head, tail] = reply.split?.(3) ?? []
  assert.deepEqual([head?.units, head?.bytes.length, tail?.units, tail?.bytes.length], [3, 300, 7, 700])
  assert.deepEqual(reply.split?.(0)[0], undefined)
  assert.deepEqual(reply.split?.(10)[1], undefined)
})

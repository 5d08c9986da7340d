import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Questions, workerMessage } from '../../gateway/workers-messages.ts'

test('only our own messages are taken from the channel', () => {
  assert.deepEqual(workerMessage({ sallyport: 'cancelled', id: 3 }), { sallyport: 'cancelled', id: 3 })
  for (const value of [{ cmd: 'NODE_CLUSTER' }, { sallyport: 'cancel', id: 1 }, { sallyport: 'nonsense' }, null, 'stop']) {
    assert.equal(workerMessage(value), undefined)
  }
})

test('a question resolves with its own answer, in whatever order they come', async () => {
  const questions = new Questions(60_000)
  const asked: number[] = []
  const first = questions.ask((id) => asked.push(id))
  const second = questions.ask((id) => asked.push(id))
  const [one = 0, two = 0] = asked
  questions.answered(two)
  await second
  questions.answered(two)
  questions.answered(99)
  questions.answered(one)
  await first
})

test('a question nobody answers is given up', async () => {
  await new Questions(1).ask(() => undefined)
})

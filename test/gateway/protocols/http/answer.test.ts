import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerBody } from '../../../../gateway/protocols/http/answer.ts'

function body() {
  const told: string[] = []
  const flow = {
    pause: () => void told.push('pause'),
    resume: () => void told.push('resume'),
    abort: () => void told.push('abort'),
  }
  return { body: new AnswerBody(flow), told }
}

test('pieces come out in order, those that are waited for as well', async () => {
  const { body: answer } = body()
  answer.push(Buffer.from('a'))
  const read: string[] = []
  const reading = (async () => {
    for await (const piece of answer) read.push(Buffer.from(piece).toString())
  })()
  await new Promise(setImmediate)
  answer.push(Buffer.from('b'))
  answer.push(Buffer.from('c'))
  answer.end()
  await reading
  assert.deepEqual(read, ['a', 'b', 'c'])
})

test('a target that sends faster than anybody reads waits', async () => {
  const { body: answer, told } = body()
  for (let sent = 0; sent < 5; sent++) answer.push(Buffer.alloc(64 * 1024))
  assert.deepEqual(told, ['pause'])
  await answer.next()
  assert.deepEqual(told, ['pause', 'resume'])
})

test('what came before the target broke off is read, then it is told', async () => {
  const { body: answer } = body()
  answer.push(Buffer.from('a'))
  answer.end(new Error('reset'))
  assert.equal((await answer.next()).done, false)
  await assert.rejects(answer.next(), { code: 'TARGET_REFUSED' })
})

test('a body nobody wants any more is broken off, one that has ended is not', () => {
  const { body: answer, told } = body()
  answer.destroy()
  assert.deepEqual(told, ['abort'])
  const ended = body()
  ended.body.end()
  ended.body.destroy()
  assert.deepEqual(ended.told, [])
})

test('bytes that come one by one faster than anybody reads are put together', async () => {
  const { body: answer } = body()
  for (let sent = 0; sent < 200_000; sent++) answer.push(Buffer.from('a'))
  answer.end()
  const sizes: number[] = []
  for await (const piece of answer) sizes.push(piece.length)
  assert.deepEqual(sizes, [1, 199_999])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RefusedLately } from '../../../../gateway/protocols/http/refused-lately.ts'

const [exec, other, words] = ['exec', 'other', 'no'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer]

test('the same that is asked again at once is told the same, once; later, and for something else, people are asked', () => {
  const refused = new RefusedLately()
  refused.remember(exec, words, 0)
  assert.equal(refused.take(other, 1), undefined)
  assert.equal(refused.take(exec, 1), words)
  assert.equal(refused.take(exec, 2), undefined)
  refused.remember(exec, words, 0)
  assert.equal(refused.take(exec, 5_000), undefined)
  for (let n = 0; n < 100; n++) refused.remember(Buffer.from(String(n)), words, 0)
  assert.equal(refused.take(Buffer.from('0'), 1), undefined, 'no more is remembered than a session may cost')
})

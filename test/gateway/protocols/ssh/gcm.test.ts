import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ahead, countUp } from '../../../../gateway/protocols/ssh/gcm.ts'

test('what is made ahead is of the nonce whose turn it is, however many are taken in one turn', async () => {
  const nonce = Buffer.alloc(12)
  let made = 0
  const ahead = new Ahead(() => {
    made++
    return nonce.toString('hex')
  })
  for (const count of [1, 3, 1, 2]) {
    for (let each = 0; each < count; each++) {
      assert.equal(ahead.take(), nonce.toString('hex'))
      countUp(nonce)
    }
    await new Promise(setImmediate)
  }
  // Seven that were taken, and the next.
  assert.equal(made, 8)
})

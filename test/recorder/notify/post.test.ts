import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeliveryError, post } from '../../../recorder/notify/post.ts'
import { receiver } from '../../support/receiver.ts'

const signal = new AbortController().signal
const sent = { headers: {}, body: 'x', signal }

async function failure(url: string): Promise<DeliveryError> {
  try {
    await post(url, sent)
  } catch (error) {
    assert.ok(error instanceof DeliveryError)
    return error
  }
  return assert.fail('it was taken')
}

test('what may pass is tried again, what will not is not, and nobody is led elsewhere', async () => {
  await using there = await receiver()
  await using elsewhere = await receiver()
  for (const status of [500, 503, 408, 425, 429]) {
    there.script.push(status)
    assert.equal((await failure(there.url)).final, false, String(status))
  }
  for (const status of [400, 401, 404, 410]) {
    there.script.push(status)
    assert.equal((await failure(there.url)).final, true, String(status))
  }
  there.script.push({ status: 307, headers: { location: elsewhere.url } })
  assert.equal((await failure(there.url)).final, true)
  assert.equal(elsewhere.received.length, 0)
  there.script.push({ status: 429, headers: { 'retry-after': '7' } })
  assert.equal((await failure(there.url)).retryAfterMs, 7_000)
})

test('an error names neither the address nor what was sent; an answer has its limit', async () => {
  const secret = ['hooks', 'T0', 'verysecret'].join('/')
  const gone = await failure(`http://127.0.0.1:9/${secret}`)
  assert.ok(!gone.message.includes('verysecret'))
  assert.equal(gone.final, false)
  await using there = await receiver()
  there.script.push({ body: 'y'.repeat(70_000) })
  assert.match((await failure(there.url)).message, /too long/)
  assert.equal(await post(there.url, sent), '{"ok":true}')
})

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { newsOf } from '../../../recorder/notify/news.ts'
import { isWebhookSecret, signatureOf, webhook } from '../../../recorder/notify/webhook.ts'
import { receiver } from '../../support/receiver.ts'
import { listed } from './approvals.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const never = new AbortController().signal

test('the signature is the one of the example that Standard Webhooks libraries check themselves by', () => {
  const secret = ['whsec_MfKQ9r8GKYqrTwjUPD8I', 'LPZIo2LaLaSw'].join('')
  const signature = signatureOf(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}')
  assert.equal(signature, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

test('a receiver that follows the standards takes the event for what it is', async () => {
  await using there = await receiver()
  const channel = webhook('bus', {
    url: `${there.url}/hook`,
    secret: SECRET,
    gateway: 'gw1',
    console: 'https://sallyport.example/',
  })
  const news = newsOf(listed())
  await channel.deliver(news, undefined, never)
  const [{ headers, body, path } = assert.fail('nothing came')] = there.received
  assert.equal(path, '/hook')
  // Standard Webhooks 1.0, "Verifying webhooks".
  const id = String(headers['webhook-id'])
  const timestamp = String(headers['webhook-timestamp'])
  const own = createHmac('sha256', Buffer.alloc(32, 7)).update(`${id}.${timestamp}.${body}`).digest('base64')
  assert.ok(String(headers['webhook-signature']).split(' ').includes(`v1,${own}`))
  assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 60)
  // CloudEvents 1.0, JSON format: the required attributes, and a content type that says it is structured.
  assert.match(String(headers['content-type']), /^application\/cloudevents\+json/)
  const event: Record<string, unknown> = JSON.parse(body)
  assert.deepEqual(
    [
      event['specversion'],
      event['id'],
      event['source'],
      event['type'],
      event['subject'],
      event['time'],
      event['datacontenttype'],
    ],
    ['1.0', id, '/sallyport/gw1', 'sallyport.approval.requested', 'A-00000001', '2026-11-20T10:00:00.000Z', 'application/json'],
  )
  const data = event['data'] as Record<string, unknown>
  assert.equal(data['url'], 'https://sallyport.example/approvals/A-00000001')
  assert.equal(data['command'], listed().command)
  assert.ok(!('binding' in data) && !('facts' in data), 'nothing beyond what people are shown')
})

test('a long command is cut as lists have it, and says how long it is', async () => {
  await using there = await receiver()
  const channel = webhook('bus', { url: there.url, secret: SECRET, gateway: 'gw1' })
  await channel.deliver(newsOf(listed({ command: 'x'.repeat(4_000), commandChars: 90_000 })), undefined, never)
  assert.equal(JSON.parse(there.received[0]?.body ?? '').data.commandChars, 90_000)
})

test('a secret is 24 to 64 bytes in base64', () => {
  assert.ok(isWebhookSecret(SECRET))
  for (const bad of [
    '',
    'secret',
    'whsec_',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    SECRET.slice(6),
  ])
    assert.ok(!isWebhookSecret(bad), bad)
})

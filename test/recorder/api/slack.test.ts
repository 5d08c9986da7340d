import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import express from 'express'
import { problemHandler } from '../../../recorder/api/problem.ts'
import { slackHandlers } from '../../../recorder/api/slack.ts'
import { slackSignature } from '../../../recorder/notify/slack.ts'
import { SlackInteractions } from '../../../recorder/notify/slack-interactions.ts'

test('only what Slack signed is taken, whatever else it looks like, and never by GET', async () => {
  const pressed: string[] = []
  const slack = new SlackInteractions({
    token: '',
    signingSecret: 'shh',
    channel: 'C01',
    team: 'T01',
    approvers: {},
    desk: { decide: () => assert.fail('nothing to decide') },
    ledger: { append: () => assert.fail('nothing to tell') },
    named: async () => undefined,
    onError: (error) => assert.fail(String(error)),
  })
  slack.take = (payload) => {
    pressed.push(payload)
    return { done: Promise.resolve() }
  }
  const app = express()
  app.post('/slack', ...slackHandlers([slack]))
  app.use(problemHandler(() => undefined))
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/slack`
  const send = async (body: string, headers: Record<string, string>, method = 'POST'): Promise<number> => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(url, { method, headers: { ...type, ...headers }, ...(method === 'GET' ? {} : { body }) })
    await answer.body?.cancel()
    return answer.status
  }
  try {
    const body = 'payload=%7B%22a%22%3A1%7D'
    const now = String(Math.floor(Date.now() / 1000))
    const signed = { 'x-slack-request-timestamp': now, 'x-slack-signature': slackSignature('shh', now, body) }
    assert.equal(await send(body, signed), 200)
    assert.equal(await send(`${body}&x=1`, signed), 404)
    assert.equal(await send(body, {}), 404)
    assert.equal(await send(body, { ...signed, 'x-slack-signature': 'v0=00' }), 404)
    assert.equal(await send(body, { ...signed, 'content-type': 'application/json' }), 404)
    assert.equal(await send(body, signed, 'GET'), 404)
    assert.equal(await send('x'.repeat(300_000), signed), 413)
    assert.deepEqual(pressed, ['{"a":1}'])
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

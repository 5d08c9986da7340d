import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EchoClient, echoGateway } from '../support/echo-gateway.ts'
import { Serving } from '../support/serving.ts'

test('who comes in the moment a worker dies is served by another, or let go; nobody waits for ever', async () => {
  await using gateway = await echoGateway()
  await using serving = new Serving(gateway, ['--workers', '2'])
  const port = await serving.port(2)
  const { pid } = await serving.line('worker started', ({ worker }) => worker === 1)
  process.kill(Number(pid), 'SIGKILL')
  const clients = await Promise.all(Array.from({ length: 6 }, () => EchoClient.enter(port, gateway.keys.agent)))
  for (const client of clients) client.say('hello')
  const heard = await Promise.all(clients.map((client) => client.hear()))
  for (const client of clients) client[Symbol.dispose]()
  assert.ok(heard.includes('hello'))
  for (const text of heard) assert.ok(text === 'hello' || text === undefined, text)
  assert.equal(await serving.stop(), 0)
})

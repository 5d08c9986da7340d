import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { Reply } from '../../../../gateway/protocols/http/reply.ts'

test('a client that does not read the end of its answer is cut once its session is over', { timeout: 120_000 }, async () => {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1') // it listens on TCP
  client.on('error', () => undefined).pause()
  try {
    client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse] // the event's arguments
    const session = new AbortController()
    const reply = new Reply(response, session.signal)
    // More than the sockets of this machine hold.
    const waiting = assert.rejects(reply.more(Buffer.alloc(64 * 2 ** 20)), { name: 'AbortError' })
    const ended = reply.end()
    session.abort()
    await waiting
    assert.equal(await ended, false)
    assert.equal(response.destroyed, true)
  } finally {
    client.destroy()
    server.close()
  }
})

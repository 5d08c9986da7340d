import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { generate } from 'selfsigned'
import { Upstream } from '../../../../gateway/protocols/http/upstream.ts'

test('a target that prefers HTTP/2 is spoken to in HTTP/1.1, and what its headers say is known', async () => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  const server = createSecureServer({ key, cert, allowHTTP1: true, ALPNProtocols: ['h2', 'http/1.1'] }, (request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ version: request.httpVersion }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const target = { name: 't', protocol: 'http', host: '127.0.0.1', port, labels: {} } as const
  const upstream = new Upstream(target, { tls: { mode: 'unverified' } })
  const head = { method: 'GET', target: '/', headers: [] }
  const answer = await upstream.ask(head, null, [], new AbortController().signal)
  const chunks: Uint8Array[] = []
  for await (const chunk of answer.body) chunks.push(chunk)
  assert.equal(Buffer.concat(chunks).toString(), '{"version":"1.1"}')
  assert.ok(answer.headers.some(([name, value]) => name.toLowerCase() === 'content-type' && value === 'application/json'))
  await upstream.close()
  server.close()
})

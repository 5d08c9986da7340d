import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createSecureServer } from 'node:http2'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { generate } from 'selfsigned'
import { Upstream } from '../../../../gateway/protocols/http/upstream.ts'
import { ApplianceError } from '../../../../schemas/errors.ts'

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

test('the head of an answer may have as much as that of a request', async () => {
  const server = createServer(({ url }, response) => {
    const lines = Array.from({ length: Number(url?.slice(1)) }, (_, n) => [`x-${n}`, 'v'.repeat(1000)])
    response.writeHead(200, lines.flat()).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const upstream = new Upstream({ host: '127.0.0.1', port }, { tls: { mode: 'off' } })
  const ask = (kilobytes: number) => {
    const head = { method: 'GET', target: `/${kilobytes}`, headers: [] }
    return upstream.ask(head, null, [], AbortSignal.timeout(10_000))
  }
  try {
    const { headers } = await ask(60)
    assert.equal(headers.filter(([name]) => name.startsWith('x-')).length, 60)
    await assert.rejects(ask(70), { code: 'TARGET_REFUSED' })
  } finally {
    await upstream.close()
    server.closeAllConnections()
    server.close()
  }
})

const HEAD = { method: 'GET', target: '/', headers: [] }

async function refusalOf(port: number, tls: ConstructorParameters<typeof Upstream>[1]['tls']): Promise<unknown> {
  const upstream = new Upstream({ host: '127.0.0.1', port }, { tls })
  try {
    return await upstream.ask(HEAD, null, [], AbortSignal.timeout(10_000)).catch((error: unknown) => error)
  } finally {
    await upstream.close()
  }
}

test('a target that is down is told as that, at once', async () => {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  server.close()
  await once(server, 'close')
  for (const mode of ['off', 'unverified', 'verify'] as const) {
    const error = await refusalOf(port, { mode })
    assert.ok(error instanceof ApplianceError, String(error))
    assert.deepEqual([error.code, error.message], ['TARGET_UNREACHABLE', 'the target cannot be reached: ECONNREFUSED'])
  }
})

test('a target without the TLS that is configured is told as that', async () => {
  const plain = createServer((_, response) => response.end())
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  const unknown = createSecureServer({ key, cert, allowHTTP1: true })
  for (const server of [plain, unknown]) {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo // it listens on TCP
    const error = await refusalOf(port, { mode: 'verify' })
    assert.ok(error instanceof ApplianceError, String(error))
    assert.equal(error.code, 'TARGET_REFUSED')
    assert.match(error.message, /^TLS with the target failed, as its `tls` is configured: [A-Z_]+$/)
    server.close()
  }
})

test('a target that speaks no HTTP is told as that, whatever it says', async () => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.write('HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const error = await refusalOf(port, { mode: 'off' })
  assert.ok(error instanceof ApplianceError, String(error))
  assert.deepEqual([error.code, error.message], ['TARGET_REFUSED', 'the target answers in what is no HTTP/1.1 (RFC 9112)'])
  server.close()
})

test('an answer that was not read to its end is whole, though its target has closed the connection behind it', async () => {
  // Of which the last piece is one that waits to be taken.
  const body = Buffer.alloc(280_000, 'a')
  const closed = Promise.withResolvers<void>()
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined).on('close', () => closed.resolve())
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`)
      socket.write(body, () => socket.destroySoon())
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  const upstream = new Upstream({ host: '127.0.0.1', port }, { tls: { mode: 'off' } })
  try {
    const answer = await upstream.ask(HEAD, null, [], AbortSignal.timeout(10_000))
    await closed.promise
    // Until the other end has heard of it.
    await wait(100)
    let size = 0
    for await (const piece of answer.body) size += piece.length
    assert.equal(size, body.length)
  } finally {
    await upstream.close()
    server.close()
  }
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { type HttpGateway, httpGateway } from '../../../support/http-gateway.ts'

// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`
const BINARY = Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) & 0xff))
const TEXT = Buffer.from(`first ${MAIL} last`)
/** Of which a part may begin in the middle of a character. */
const NOTES = Buffer.from(`caf\u00e9\nmail ${MAIL}\n`)
const MIB = 1 << 20

/** Files of which parts may be asked for. */
function files({ url, headers }: IncomingMessage, response: ServerResponse): void {
  const file = url === '/text' ? TEXT : url === '/notes' ? NOTES : BINARY
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
  const type = url === '/text' ? 'text/plain' : url === '/picture' ? 'image/png' : 'application/octet-stream'
  if (from === undefined) response.writeHead(200, { 'content-type': type }).end(file)
  else {
    const range = `bytes ${from}-${to}/${file.length}`
    response.writeHead(206, { 'content-type': type, 'content-range': range }).end(file.subarray(Number(from), Number(to) + 1))
  }
}

/** What a target says, in its own bytes. */
const ANSWERS = new Map([
  ['/gzip', '200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n'],
  ['/br', '200 OK\r\nContent-Encoding: br\r\nContent-Length: 0\r\n\r\n'],
  ['/chunks', '200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['/nothing', '204 No Content\r\nContent-Length: 5\r\n\r\n'],
  ['/way', '200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
])

const bearer = (gateway: HttpGateway): Record<string, string> => ({ authorization: `Bearer ${gateway.keys.agent}` })

test('parts of what is no text pass as they are; of a text the whole is sent, masked', async () => {
  await using gateway = await httpGateway(files)
  for (const path of ['/picture', '/data']) {
    const part = await fetch(`${gateway.url}${path}`, { headers: { ...bearer(gateway), range: 'bytes=1000-2999' } })
    assert.equal(part.status, 206)
    assert.equal(part.headers.get('content-range'), 'bytes 1000-2999/5000')
    assert.ok(BINARY.subarray(1000, 3000).equals(Buffer.from(await part.arrayBuffer())))
  }
  const text = await fetch(`${gateway.url}/text`, { headers: { ...bearer(gateway), range: 'bytes=0-9' } })
  assert.equal(text.status, 200)
  assert.equal(await text.text(), `first ${'*'.repeat(MAIL.length)} last`, 'a length that was not told beforehand is streamed')
  for (const from of [4, 5]) {
    const notes = await fetch(`${gateway.url}/notes`, {
      headers: { ...bearer(gateway), range: `bytes=${from}-${NOTES.length - 1}` },
    })
    assert.equal(notes.status, 200)
    assert.equal(await notes.text(), `caf\u00e9\nmail ${'*'.repeat(MAIL.length)}\n`, 'whatever byte a part begins with')
  }
})

test('what is empty passes though it calls itself packed; 204 has no length; what is packed for its way is refused', async () => {
  const target = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (asked) => {
      const head = ANSWERS.get(asked.toString().split(' ')[1] ?? '') ?? ''
      socket.end(`HTTP/1.1 ${head}`)
    })
  })
  await once(target.listen(0, '127.0.0.1'), 'listening')
  const { port } = target.address() as AddressInfo // it listens on TCP
  await using gateway = await httpGateway(files, { at: { port, tls: '{ mode: off }' } })
  const ask = async (path: string): Promise<Response> => fetch(`${gateway.url}${path}`, { headers: bearer(gateway) })
  for (const coding of ['gzip', 'br', 'chunks']) {
    const empty = await ask(`/${coding}`)
    assert.deepEqual([empty.status, await empty.text()], [200, ''], coding)
  }
  assert.deepEqual([(await ask('/nothing')).status, (await ask('/nothing')).headers.get('content-length')], [204, null])
  assert.equal((await ask('/way')).status, 502)
  const post = { method: 'POST', body: '', headers: { ...bearer(gateway), 'content-encoding': 'gzip' } }
  assert.equal((await fetch(`${gateway.url}/gzip`, post)).status, 200)
  target.close()
})

test('a form is read by its names, also where its length was not told', async () => {
  const answers: Record<string, readonly [type: string, body: string]> = {
    '/pairs': ['application/x-www-form-urlencoded', `%6eickname=ziggy&m=${encodeURIComponent(MAIL)}`],
    '/parts': [
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="nickname"\r\n\r\nziggy\r\n--b--\r\n',
    ],
  }
  await using gateway = await httpGateway(({ url }, response) => {
    const [type = '', body = ''] = answers[url ?? ''] ?? []
    response.writeHead(200, { 'content-type': type }).write(body.slice(0, 30))
    response.end(body.slice(30))
  })
  const ask = async (path: string): Promise<string> => (await fetch(`${gateway.url}${path}`, { headers: bearer(gateway) })).text()
  assert.match(await ask('/pairs'), /^%6eickname=\[MASKED:nickname:[0-9a-f]+\]&m=\[MASKED:email:[0-9a-f]+\]$/)
  assert.match(await ask('/parts'), /name="nickname"\r\n\r\n\[MASKED:nickname:[0-9a-f]+\]\r\n--b--/)
})

test('a body is asked for only once it is known who sends it', async () => {
  await using gateway = await httpGateway((request, response) => {
    request.resume()
    request.on('end', () => response.end('ok'))
  })
  const say = async (key: string): Promise<string> => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1' })
    socket.write(
      `PUT /t/shop/x HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer ${key}\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`,
    )
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (chunk.toString().startsWith('HTTP/1.1 100')) socket.write('body')
    })
    await once(socket, 'close')
    return Buffer.concat(chunks).toString()
  }
  assert.match(await say('nobody'), /^HTTP\/1\.1 401 /)
  assert.match(await say(gateway.keys.agent), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
})

test('whatever an answer is packed with, it is looked into and passed on unpacked', async () => {
  const packed: Record<string, (text: string) => Buffer> = {
    gzip: (text) => gzipSync(text),
    br: (text) => brotliCompressSync(text),
    zstd: (text) => zstdCompressSync(text),
  }
  await using gateway = await httpGateway(({ url }, response) => {
    const name = url?.slice(1) ?? ''
    response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': name })
    response.end(packed[name]?.(JSON.stringify({ mail: MAIL })) ?? 'not packed')
  })
  for (const name of Object.keys(packed)) {
    const response = await fetch(`${gateway.url}/${name}`, { headers: bearer(gateway) })
    assert.match(await response.text(), /^{"mail":"\[MASKED:email:[0-9a-f]{12}\]"}$/, name)
  }
  const broken = await fetch(`${gateway.url}/gzip2`, { headers: bearer(gateway) })
  assert.equal(broken.status, 400, 'a coding that cannot be read')
})

test('an event that comes in a chunk for each byte costs by its bytes, and is masked as one that comes whole', async () => {
  const event = `data: ${'x'.repeat(150_000)} ${MAIL}\n\n`
  await using gateway = await httpGateway((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(event)
    response.cork()
    for (const byte of event) response.write(byte)
    response.uncork()
    response.end()
  })
  const begin = process.cpuUsage()
  const response = await fetch(`${gateway.url}/events`, { headers: bearer(gateway) })
  const text = await response.text()
  const { user } = process.cpuUsage(begin)
  assert.match(text, /^(data: x{150000} [[*][^\n]*\n\n){2}$/)
  assert.ok(!text.includes(MAIL))
  // Copied for each they would be 11 thousand million bytes.
  assert.ok(user < 8_000_000, `${user} us`)
})

test('what unpacks to no end comes no faster than it is read', async () => {
  let sent = 0
  const listener = (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' })
    // A gzip member can be followed by another: a bomb need not be one.
    const member = gzipSync(Buffer.alloc(MIB, 'zero '))
    const more = (): void => {
      if (response.destroyed) return
      sent++
      if (response.write(member)) setImmediate(more)
      else response.once('drain', more)
    }
    response.on('error', () => undefined)
    more()
  }
  await using gateway = await httpGateway(listener, { policy: 'version: 1\nrules: []\n' })
  const socket = connect({ port: gateway.port, host: '127.0.0.1' })
  socket.pause()
  socket.write(`GET /t/shop/x HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer ${gateway.keys.agent}\r\n\r\n`)
  let before = -1
  while (sent === 0 || sent !== before) {
    before = sent
    await wait(500)
  }
  const unpackedHere = await new Promise<number>((resolve) => {
    let bytes = 0
    socket.on('data', (chunk) => {
      bytes += chunk.length
      if (bytes > 16 * MIB) resolve(bytes)
    })
    socket.resume()
  })
  assert.ok(unpackedHere > 16 * MIB, 'it goes on once somebody reads')
  socket.destroy()
})

test('JSON that is deep, broken or no UTF-8 is looked into as text, or masked whole where keys may have labels', async () => {
  const deep = `${'['.repeat(100_000)}"${MAIL}"${']'.repeat(100_000)}`
  const bodies: Record<string, Buffer> = {
    '/deep': Buffer.from(deep),
    '/broken': Buffer.from(`{"mail":"${MAIL}"`),
    '/bytes': Buffer.concat([Buffer.from([0x22, 0xff, 0xfe, 0x20]), Buffer.from(`${MAIL}"`)]),
  }
  for (const [policy, mask] of [
    ['version: 1\nrules: []\n', '[MASKED:email'],
    [undefined, '[MASKED:unreadable'],
  ] as const) {
    await using gateway = await httpGateway(
      ({ url }, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(bodies[url ?? '']),
      policy === undefined ? {} : { policy },
    )
    for (const path of Object.keys(bodies)) {
      const text = await (await fetch(`${gateway.url}${path}`, { headers: bearer(gateway) })).text()
      assert.ok(!text.includes(MAIL) && text.includes(mask), path)
    }
  }
})

test('an answer of two types, which could be read as what it was not looked at as, is refused', async () => {
  await using gateway = await httpGateway(({ url }, response) => {
    const types = url === '/alike' ? ['application/json', 'application/json; charset=utf-8'] : ['text/plain', 'application/json']
    response.writeHead(200, [...types.flatMap((type) => ['content-type', type])])
    response.end('{"nickname":"bo"}')
  })
  const ask = (path: string): Promise<Response> => fetch(`${gateway.url}${path}`, { headers: bearer(gateway) })
  const refused = await ask('/')
  assert.equal(refused.status, 502)
  assert.equal(JSON.parse(await refused.text()).code, 'TARGET_REFUSED')
  assert.match(await (await ask('/alike')).text(), /^{"nickname":"\[MASKED:nickname:/)
})

test('codings in several headers are one list, which no answer and no request can be hidden by', async () => {
  const packed = gzipSync(JSON.stringify({ mail: MAIL }))
  let asked = 0
  await using gateway = await httpGateway(({ url }, response) => {
    asked++
    const codings = url === '/alike' ? ['identity', 'identity'] : ['identity', 'gzip']
    response.writeHead(200, ['content-type', 'application/json', ...codings.flatMap((coding) => ['content-encoding', coding])])
    response.end(url === '/alike' ? JSON.stringify({ mail: MAIL }) : packed)
  })
  const answer = await fetch(gateway.url, { headers: bearer(gateway) })
  assert.equal(answer.status, 400)
  assert.equal(JSON.parse(await answer.text()).code, 'PROTOCOL_UNSUPPORTED')
  assert.match(await (await fetch(`${gateway.url}/alike`, { headers: bearer(gateway) })).text(), /^{"mail":"\[MASKED:email:/)
  const before = asked
  const refused = await fetch(gateway.url, {
    method: 'POST',
    headers: [
      ...Object.entries(bearer(gateway)),
      ['content-type', 'application/json'],
      ['content-encoding', 'identity'],
      ['content-encoding', 'gzip'],
    ],
    body: packed,
  })
  assert.equal(refused.status, 400)
  assert.equal(asked, before, 'the target hears nothing of it')
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type OutgoingHttpHeaders } from 'node:http2'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { heardLog } from '../../../support/heard-log.ts'
import { type HttpGateway, httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`

/** JSON with an address; what was posted; a text with trailers, or without an end. */
function shop(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    if (request.method === 'POST') response.end(`got ${Buffer.concat(chunks).length} for ${request.headers.host === undefined}`)
    else if (request.url === '/cut') {
      response.setHeader('content-type', 'text/plain')
      response.write('half')
      setTimeout(() => response.destroy(), 20)
    } else if (request.url?.startsWith('/trailers')) {
      response.setHeader('content-type', request.url === '/trailers' ? 'text/plain' : 'application/json')
      response.writeHead(200, { trailer: 'x-sum, x-contact' })
      response.write('{"a":1}')
      response.addTrailers({ 'x-sum': '7', 'x-contact': MAIL })
      response.end()
    } else {
      response.setHeader('content-type', 'application/json')
      response.setHeader('set-cookie', ['a=1', 'b=2'])
      response.end(JSON.stringify({ mail: MAIL, path: request.url }))
    }
  })
}

interface Answered {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly trailers: Record<string, unknown>
  readonly text: string
  readonly code: number
}

async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Uint8Array): Promise<Answered> {
  const stream = session.request(headers, { endStream: body === undefined }).on('error', () => undefined)
  if (body !== undefined) stream.end(body)
  return answered(stream)
}

async function answered(stream: ClientHttp2Stream): Promise<Answered> {
  const chunks: Buffer[] = []
  let head: Record<string, unknown> = {}
  let trailers: Record<string, unknown> = {}
  stream.on('response', (headers) => {
    head = headers
  })
  stream.on('trailers', (headers) => {
    trailers = headers
  })
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', () => undefined)
  await new Promise<void>((resolve) => stream.once('close', resolve))
  return {
    status: Number(head[':status']),
    headers: head,
    trailers,
    text: Buffer.concat(chunks).toString(),
    code: stream.rstCode,
  }
}

function client(gateway: HttpGateway): { readonly session: ClientHttp2Session } & Disposable {
  const session = connect(`https://127.0.0.1:${gateway.port}`, { rejectUnauthorized: false })
  session.on('error', () => undefined)
  return { session, [Symbol.dispose]: () => session.destroy() }
}

const bearer = (gateway: HttpGateway, path: string): OutgoingHttpHeaders => ({
  ':path': `/t/shop${path}`,
  authorization: `Bearer ${gateway.keys.agent}`,
})

test('requests of one connection at once are exchanges of their own, masked and recorded', async () => {
  await using gateway = await httpGateway(shop, { tls: 'required' })
  using opened = client(gateway)
  const { session } = opened
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => ask(session, bearer(gateway, `/${n}`))))
  for (const [n, { status, text, headers }] of answers.entries()) {
    assert.equal(status, 200)
    assert.match(text, new RegExp(`^{"mail":"\\[MASKED:email:[0-9a-f]{12}\\]","path":"/${n}"}$`))
    assert.equal((headers['set-cookie'] as string[]).length, 2)
  }
  const large = await ask(
    session,
    { ...bearer(gateway, '/'), ':method': 'POST', 'content-type': 'text/plain' },
    Buffer.alloc(3 << 20, 'x y '),
  )
  assert.equal(large.text, `got ${3 << 20} for false`)
  const blocked = await ask(session, { ...bearer(gateway, '/9'), ':method': 'DELETE' })
  assert.deepEqual([blocked.status, JSON.parse(blocked.text).rules], [403, ['no-deletes']])
  const nobody = await ask(session, { ':path': '/t/shop/' })
  assert.equal(nobody.status, 401)
  const byHost = await ask(session, { ...bearer(gateway, ''), ':path': '/by-host', ':authority': 'shop.internal' })
  assert.match(byHost.text, /"path":"\/by-host"/)
  session.close()
  await gateway.stop()
  const sessions = await sessionsOf(gateway.dataDir)
  assert.equal(sessions.length, 1)
  const frames = await framesOf(gateway.dataDir, sessions[0]?.id ?? '')
  assert.equal(new Set(frames.flatMap(({ dir, channel }) => (dir === 'note' ? [] : [channel]))).size, 43)
  const refused = frames.filter(({ kind }) => kind === 'request.refused').map(({ facts }) => facts['code'])
  assert.deepEqual(refused, ['AUTH_REQUIRED'], 'of a connection that had a session before')
})

test('trailers pass, masked like headers, behind texts and behind JSON; by HTTP/1.1 as well', async () => {
  await using gateway = await httpGateway(shop)
  using opened = client(gateway)
  const { session } = opened
  for (const path of ['/trailers', '/trailers/json']) {
    const { text, trailers } = await ask(session, bearer(gateway, path))
    assert.equal(text, '{"a":1}')
    assert.equal(trailers['x-sum'], '7')
    assert.match(String(trailers['x-contact']), /^\[MASKED:email:[0-9a-f]{12}\]$/)
  }
  const { request } = await import('node:http')
  const asked = request(`${gateway.url}/trailers`, { headers: { authorization: `Bearer ${gateway.keys.agent}` } }).end()
  const [response]: IncomingMessage[] = await once(asked, 'response')
  response?.resume()
  await once(response as IncomingMessage, 'end')
  assert.equal(response?.trailers['x-sum'], '7')
  await gateway.stop()
  const [{ id } = { id: '' }] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, id)
  const taped = frames.filter(({ kind }) => kind === 'response-trailers')
  assert.equal(taped.length, 3)
  for (const { body } of taped) assert.match(Buffer.from(body ?? '').toString(), /^\r\nx-sum: 7\r\nx-contact: \[MASKED/i)
})

test('an answer that breaks off ends its stream with an error, and no other', async () => {
  await using gateway = await httpGateway(shop, { tls: 'required' })
  using opened = client(gateway)
  const { session } = opened
  const [cut, whole] = await Promise.all([ask(session, bearer(gateway, '/cut')), ask(session, bearer(gateway, '/whole'))])
  assert.deepEqual([cut.status, cut.code], [200, 2])
  assert.equal(whole.status, 200)
})

test('a client that resets what it asks for, or sends heads without end, loses its own connection at most', async () => {
  await using gateway = await httpGateway(shop, { tls: 'required' })
  {
    using opened = client(gateway)
    const { session } = opened
    for (let asked = 0; asked < 200 && !session.destroyed; asked++) {
      const stream = session.request(bearer(gateway, `/${asked}`))
      stream.on('error', () => undefined)
      stream.close(8)
    }
  }
  {
    using opened = client(gateway)
    const { session } = opened
    const flood = session.request({
      ...bearer(gateway, '/'),
      ...Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`x-${n}`, 'y'.repeat(60)])),
    })
    const { status } = await answered(flood)
    assert.ok(Number.isNaN(status) || status >= 400, `answered ${status}`)
  }
  using other = client(gateway)
  assert.equal((await ask(other.session, bearer(gateway, '/still'))).status, 200)
})

test('heads over the limits are told of, by whatever a connection goes on or ends with', { timeout: 120_000 }, async () => {
  const { lines, log } = heardLog()
  await using gateway = await httpGateway(shop, { tls: 'required', log })
  const flood = (): OutgoingHttpHeaders => ({
    ...bearer(gateway, '/secret-path'),
    ...Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`x-${n}`, ''])),
  })
  const told = (): number => lines.filter(({ msg }) => msg.startsWith('request refused')).length
  const until = async (count: number): Promise<void> => {
    const deadline = performance.now() + 60_000
    while (told() < count && performance.now() < deadline) await wait(20)
    assert.equal(told(), count)
  }
  for (const end of ['ask', 'close', 'break'] as const) {
    using opened = client(gateway)
    const { session } = opened
    assert.equal((await ask(session, bearer(gateway, '/first'))).status, 200)
    assert.equal((await ask(session, flood())).code, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    assert.equal((await ask(session, flood())).code, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    if (end === 'ask') assert.equal((await ask(session, bearer(gateway, '/next'))).status, 200)
    else if (end === 'close') session.close()
    else session.socket.destroy()
    await until(['ask', 'close', 'break'].indexOf(end) + 1)
  }
  const refused = lines.filter(({ msg }) => msg.startsWith('request refused'))
  for (const { code, why } of refused) assert.deepEqual([code, why?.slice(0, 18)], ['PROTOCOL_OVERSIZE', '2 over the limits '])
  assert.ok(!JSON.stringify(lines).includes('secret-path'))
  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? assert.fail('it has a tape'))
  assert.equal(frames.filter(({ kind, facts }) => kind === 'request.refused' && facts['code'] === 'PROTOCOL_OVERSIZE').length, 3)
})

test('an answer is the same by either version of HTTP: headers that are said twice, and a status that is none', async () => {
  const twice = ['x-content-type-options', 'nosniff', 'x-content-type-options', 'nosniff', 'etag', 'a', 'etag', 'b']
  await using gateway = await httpGateway(
    (request, response) => {
      response.sendDate = false
      if (request.url === '/none') response.writeHead(999, twice).end('x')
      else {
        response.writeHead(200, [...twice, 'http2-settings', 'AAMAAABk', 'content-type', 'text/plain', 'trailer', 'etag'])
        response.write('x')
        response.addTrailers([
          ['etag', 'c'],
          ['etag', 'd'],
          ['http2-settings', 'AAMAAABk'],
        ])
        response.end()
      }
    },
    { tls: 'required' },
  )
  // Takes what is said twice, too.
  const options = { rejectUnauthorized: false, strictSingleValueFields: false }
  const session = connect(`https://127.0.0.1:${gateway.port}`, options)
  try {
    const stream = session.request(bearer(gateway, '/twice'))
    const heads: string[][] = []
    const keep = (_headers: unknown, _flags: unknown, raw: string[]): void => void heads.push(raw)
    stream.on('response', keep).on('trailers', keep)
    assert.equal((await answered(stream)).text, 'x')
    const [head = [], trailers = []] = heads
    assert.deepEqual(head.slice(2), [...twice, 'content-type', 'text/plain'])
    assert.deepEqual(trailers, ['etag', 'c', 'etag', 'd'])
    const none = await ask(session, bearer(gateway, '/none'))
    assert.deepEqual([none.status, JSON.parse(none.text).code], [502, 'TARGET_REFUSED'])
  } finally {
    session.destroy()
  }
})

test('what Node would answer by itself is heard of: CONNECT is refused, an expectation that nobody knows is one request more', async () => {
  const { lines, log } = heardLog()
  await using gateway = await httpGateway(shop, { tls: 'required', log })
  using opened = client(gateway)
  const connecting = opened.session.request({ ':method': 'CONNECT', ':authority': 'shop:443', authorization: 'Bearer x' })
  assert.equal((await answered(connecting)).status, 400)
  const post = { ...bearer(gateway, '/a'), ':method': 'POST', expect: 'something-else' }
  assert.match((await ask(opened.session, post, Buffer.from('abc'))).text, /^got 3/)
  assert.deepEqual(
    lines.filter(({ msg }) => msg.startsWith('request refused')).map(({ code }) => code),
    ['PROTOCOL_UNSUPPORTED'],
  )
  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? assert.fail('it has a tape'))
  assert.deepEqual(
    frames.filter(({ kind }) => kind === 'request').map(({ facts }) => facts['method']),
    ['POST'],
  )
})

test('cookies that come in crumbs go on as one', async () => {
  await using gateway = await httpGateway((request, response) => response.end(JSON.stringify(request.rawHeaders)), {
    tls: 'required',
  })
  using opened = client(gateway)
  const { text } = await ask(opened.session, { ...bearer(gateway, '/'), cookie: ['a=1', 'b=2', 'c=3'] })
  const raw: string[] = JSON.parse(text)
  assert.deepEqual(
    raw.filter((_, at) => raw[at - 1] === 'cookie'),
    ['a=1; b=2; c=3'],
  )
})

test('a client that resets its stream is noticed, and half a body is not taken for a whole one', {
  timeout: 60_000,
}, async () => {
  const asked: { readonly url: string | undefined; readonly over: Promise<unknown> }[] = []
  await using gateway = await httpGateway(
    (request, response) => {
      asked.push({ url: request.url, over: once(response, 'close') })
      request.resume()
      if (request.url === '/half') response.write('half')
    },
    { tls: 'required' },
  )
  using opened = client(gateway)
  const { session } = opened
  const open = (path: string, ended: boolean): ClientHttp2Stream => {
    const stream = session.request({ ...bearer(gateway, path), ':method': 'POST' }, { endStream: ended })
    return stream.on('error', () => undefined)
  }
  const streams = [...['/never', '/half', '/payments/1'].map((path) => open(path, true)), open('/upload', false)]
  streams.at(-1)?.write('half of')
  while (asked.length < 2) await wait(10)
  await wait(100)
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
  await Promise.all(asked.map(({ over }) => over))
  await wait(200)
  assert.deepEqual(new Set(asked.map(({ url }) => url)), new Set(['/never', '/half']))
  await gateway.stop()
  const [tape] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, tape?.id ?? assert.fail('it has a tape'))
  const aborted = frames.filter(({ kind }) => kind === 'exchange.aborted').length
  assert.ok(aborted === streams.length || aborted === streams.length - 1, `${aborted} were told as aborted`)
})

test('a client that has left by the time its session is open is noticed, and nobody is asked for it', {
  timeout: 60_000,
}, async () => {
  let asked = 0
  await using gateway = await httpGateway((_request, response) => response.end(String(asked++)), { tls: 'required' })
  using opened = client(gateway)
  const { session } = opened
  await once(session, 'connect')
  const headers = { ...bearer(gateway, '/payments/1'), ':method': 'POST' }
  const stream = session.request(headers, { endStream: true }).on('error', () => undefined)
  setImmediate(() => stream.close(constants.NGHTTP2_CANCEL))
  // A hold would stand for 20 s.
  let kinds: string[] = []
  for (const until = performance.now() + 5_000; performance.now() < until && kinds.at(-1) !== 'block'; ) {
    await wait(50)
    const [tape] = await sessionsOf(gateway.dataDir)
    const frames = tape === undefined ? [] : await framesOf(gateway.dataDir, tape.id)
    kinds = frames.flatMap(({ verdict }) => verdict?.act ?? [])
  }
  assert.equal(kinds.at(-1), 'block')
  assert.equal(asked, 0)
})

test('a client that is gone is noticed while its requests are open', { timeout: 60_000 }, async () => {
  const over = Promise.withResolvers<void>()
  await using gateway = await httpGateway((_request, response) => void response.once('close', over.resolve), { tls: 'required' })
  using opened = client(gateway)
  const { session } = opened
  const stream = session.request(bearer(gateway, '/never')).on('error', () => undefined)
  await wait(300)
  assert.equal(stream.closed, false)
  session.destroy()
  await over.promise
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { refusedBy } from '../../../../gateway/protocols/http/refused.ts'
import { inTime } from '../../../../gateway/protocols/http/request.ts'
import { checkHead, IdleWatch } from '../../../../gateway/protocols/http/strict-server.ts'
import { heardLog } from '../../../support/heard-log.ts'
import { type HttpGateway, httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

test('a connection on which no request comes is closed, one that is busy is not, and an answer begins the time anew', async () => {
  let busy = true
  const closed = Promise.withResolvers<void>()
  using watch = new IdleWatch(
    () => busy,
    () => closed.resolve(),
    5,
  )
  const first = await Promise.race([closed.promise.then(() => 'closed'), wait(100, 'busy')])
  assert.equal(first, 'busy')
  busy = false
  watch.touch()
  await closed.promise
})

test('a body that is judged with its head has to come in time', async () => {
  const never = new Promise<never>(() => undefined)
  await assert.rejects(inTime(never, 5), { code: 'PROTOCOL_TIMEOUT' })
  await assert.rejects(inTime(Promise.reject(new RangeError('its own')), 1000), RangeError)
  assert.equal(await inTime(Promise.resolve(7), 1000), 7)
})

test('a flood of header fields is refused by their number, one of requests by those without an answer', () => {
  const fields = (count: number) => ({
    headers: Array.from({ length: count }, (_, n) => [`x${n}`, ''] as const),
    fault: undefined,
  })
  assert.doesNotThrow(() => checkHead(fields(256), 128))
  assert.throws(() => checkHead(fields(257), 1), { code: 'PROTOCOL_OVERSIZE' })
  assert.throws(() => checkHead(fields(0), 129), { code: 'LIMIT_REACHED' })
  assert.throws(() => checkHead({ ...fields(0), fault: 'two hosts' }, 1), { code: 'PROTOCOL_MALFORMED' })
})

/** All that comes until the other end closes. */
async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket
    .on('data', (chunk: Buffer) => chunks.push(chunk))
    .on('error', () => undefined)
    .on('end', () => socket.end())
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}

const head = (gateway: HttpGateway, more = ''): string =>
  `GET /t/shop/x HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer ${gateway.keys.agent}\r\n${more}\r\n`

test('floods, requests in a row without end, upgrade abuse and closed halves cost their own connection; others are served', async () => {
  const held: (() => void)[] = []
  await using gateway = await httpGateway((request, response) => {
    if (request.url === '/slow') held.push(() => response.end('late'))
    else response.end('ok')
  })
  const open = (): Socket => connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true })

  const fields = open()
  fields.write(head(gateway, Array.from({ length: 300 }, (_, n) => `a${n}:\r\n`).join('')))
  assert.match(await allOf(fields), /^HTTP\/1\.1 413 [\s\S]*302 fields/)

  // Answers come in turn (RFC 9112, 9.3.2), so that the refusal stands behind those that are waited for.
  const row = open()
  row.write(head(gateway).replace('/x', '/slow').repeat(200))
  for (let answered = 0; answered < 128; ) {
    const answer = held[answered]
    assert.ok(held.length <= answered + 1, 'nothing is fetched that could only be kept')
    answer?.()
    if (answer === undefined) await wait(5)
    else answered++
  }
  const answers = await allOf(row)
  assert.equal((answers.match(/HTTP\/1\.1 200 /g) ?? []).length, 128)
  assert.match(answers, /HTTP\/1\.1 429 /)
  assert.equal(held.length, 128, 'the target hears of no more')

  // What follows an upgrade that was declined is nobody's: the connection ends with the answer.
  const abuse = open()
  abuse.write(head(gateway, 'Upgrade: h2c\r\nConnection: Upgrade\r\n') + head(gateway, 'Connection: close\r\n'))
  assert.equal(((await allOf(abuse)).match(/HTTP\/1\.1 200 /g) ?? []).length, 1)

  // Closing a half is how clients leave, and a hold must notice that: no answer is owed, and nothing stays open.
  const half = open()
  half.end(head(gateway, 'Connection: close\r\n'))
  assert.match(await allOf(half), /^(HTTP\/1\.1 200 |$)/)

  const served = await fetch(gateway.url, { headers: { authorization: `Bearer ${gateway.keys.agent}` } })
  assert.equal(served.status, 200)
})

test('an upgrade behind a request that is not answered yet takes its turn', async () => {
  const slow = Promise.withResolvers<void>()
  await using gateway = await httpGateway((_request, response) => void slow.promise.then(() => response.end('late')), {
    onUpgrade: (_request, socket) => {
      socket.on('error', () => undefined)
      socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    },
  })
  // Whoever leaves before it is its turn has asked for nothing.
  const left = connect(gateway.port, '127.0.0.1')
  left.write(head(gateway).repeat(5))
  await wait(100)
  left.destroy()

  const socket = connect(gateway.port, '127.0.0.1')
  const all = allOf(socket)
  socket.write(head(gateway) + head(gateway, 'Upgrade: websocket\r\nConnection: Upgrade\r\n'))
  await wait(100)
  slow.resolve()
  assert.match(await all, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nlateHTTP\/1\.1 101 /)

  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? assert.fail('it has a tape'))
  assert.equal(frames.filter(({ kind }) => kind === 'request').length, 3)
})

test('a target that closes its half in the middle of a head or a body is told as one that broke off', async () => {
  for (const said of ['HTTP/1.1 200 OK\r\ncontent-len', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort', 'not http']) {
    const target = createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => undefined).end(said))
    await once(target.listen(0, '127.0.0.1'), 'listening')
    const address = target.address()
    await using gateway = await httpGateway(() => undefined, {
      at: { port: typeof address === 'object' ? (address?.port ?? 0) : 0, tls: '{ mode: off }' },
    })
    const got = await fetch(gateway.url, { headers: { authorization: `Bearer ${gateway.keys.agent}` } })
    assert.equal(got.status, 502)
    assert.equal(JSON.parse(await got.text()).code, 'TARGET_REFUSED')
    target.close()
  }
})

test('what the parser or the head refuses is in the log and counted, and on the tape of the session its connection had', async () => {
  const { lines, counted, log } = heardLog()
  await using gateway = await httpGateway((_, response) => response.end('ok'), { log })
  const bad = 'GET /t/shop/secret-path HTTP/1.1\r\nHost: shop\r\nX-Secret Name: secret-value\r\n\r\n'
  const flood = head(gateway, Array.from({ length: 300 }, (_, n) => `a${n}:\r\n`).join(''))
  const ask = async (...texts: readonly string[]): Promise<string> => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1' })
    const all = allOf(socket)
    for (const text of texts) {
      if (text !== texts[0]) await once(socket, 'data')
      socket.write(text)
    }
    return all
  }
  assert.match(await ask(bad), /^HTTP\/1\.1 400 /)
  assert.match(await ask('GET /t/shop/x HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*names no host/)
  assert.match(await ask(`GET / HTTP/1.1\r\nHost: shop\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`), /^(HTTP\/1\.1 431 |$)/)
  assert.equal((await fetch(gateway.url)).status, 401)
  assert.deepEqual(await sessionsOf(gateway.dataDir), [])
  assert.match(await ask(head(gateway), bad), /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 /)
  assert.match(await ask(head(gateway), flood), /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 413 /)
  await gateway.stop()
  const told = lines.filter(({ msg }) => msg.startsWith('request refused'))
  assert.deepEqual(
    told.map(({ code, why }) => [code, why]),
    [
      ['PROTOCOL_MALFORMED', 'HPE_INVALID_HEADER_TOKEN'],
      ['PROTOCOL_MALFORMED', 'the head names no host'],
      ['PROTOCOL_OVERSIZE', 'HPE_HEADER_OVERFLOW'],
      ['PROTOCOL_MALFORMED', 'HPE_INVALID_HEADER_TOKEN'],
      ['PROTOCOL_OVERSIZE', 'the head has 302 fields, 256 are taken'],
    ],
  )
  assert.ok(!JSON.stringify(told).includes('secret'), 'nothing of what was sent')
  assert.deepEqual(
    await Promise.all(['PROTOCOL_MALFORMED', 'PROTOCOL_OVERSIZE', 'AUTH_REQUIRED'].map(counted)),
    [3, 2, 1],
    'a proof that is missing is counted, and no line of the log',
  )
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? assert.fail('it has a tape'))
  assert.deepEqual(
    frames.filter(({ kind }) => kind === 'request.refused').map(({ dir, facts }) => [dir, facts['code']]),
    [
      ['note', 'PROTOCOL_MALFORMED'],
      ['note', 'PROTOCOL_OVERSIZE'],
    ],
  )
})

test('CONNECT is refused with a word and told of; an expectation that nobody knows costs no request its place on the tape', async () => {
  const { lines, log } = heardLog()
  await using gateway = await httpGateway((_, response) => response.end('ok'), { log })
  const ask = async (text: string): Promise<string> => {
    const socket = connect({ port: gateway.port, host: '127.0.0.1' })
    socket.write(text)
    return allOf(socket)
  }
  const proof = `Authorization: Bearer ${gateway.keys.agent}\r\nConnection: close\r\n\r\n`
  for (const target of ['shop:443', '/t/shop/x'])
    assert.match(await ask(`CONNECT ${target} HTTP/1.1\r\nHost: shop\r\n${proof}`), /^HTTP\/1\.1 400 [\s\S]*no forward proxy/)
  const posts = (version: string, expect: string): Promise<string> =>
    ask(`POST /t/shop/x HTTP/${version}\r\nHost: shop\r\nExpect: ${expect}\r\nContent-Length: 1\r\n${proof}a`)
  assert.match(await posts('1.1', '100-continue'), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  assert.match(await posts('1.1', 'something-else'), /^HTTP\/1\.1 200 /)
  assert.match(await posts('1.0', '100-continue'), /^HTTP\/1\.1 200 /, 'it has no interim answers')
  await gateway.stop()
  const told = lines.filter(({ msg }) => msg.startsWith('request refused'))
  assert.deepEqual(
    told.map(({ code }) => code),
    ['PROTOCOL_UNSUPPORTED', 'PROTOCOL_UNSUPPORTED'],
  )
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? assert.fail('it has a tape'))
  assert.equal(frames.filter(({ kind }) => kind === 'request').length, 3)
})

test('lines about refused requests of one network are few, whatever comes; clients that leave are none', async () => {
  const { lines, counted, log } = heardLog()
  await using gateway = await httpGateway((_, response) => response.end('ok'), { log })
  for (let n = 0; n < 40; n++) {
    const socket = connect({ port: gateway.port, host: '127.0.0.1' })
    socket.write('no http at all\r\n\r\n')
    await allOf(socket)
  }
  const count = (): number => lines.filter(({ msg }) => msg.startsWith('request refused')).length
  assert.equal(await counted('PROTOCOL_MALFORMED'), 40)
  assert.ok(count() >= 10 && count() < 40, String(count()))
  for (const [code, refused] of [
    ['ECONNRESET', undefined],
    ['HPE_INVALID_EOF_STATE', undefined],
    ['ERR_HTTP_REQUEST_TIMEOUT', 'PROTOCOL_TIMEOUT'],
    ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 'PROTOCOL_OVERSIZE'],
    ['ERR_HTTP2_ERROR', 'PROTOCOL_MALFORMED'],
  ] as const)
    assert.equal(refusedBy(Object.assign(new Error('any'), { code }))?.[0], refused)
})

test('requests two parsers may read differently are refused, and the next connection is served', async () => {
  const seen: (string | undefined)[] = []
  await using gateway = await httpGateway((request, response) => {
    seen.push(request.url)
    response.end('ok')
  })
  const key = `Authorization: Bearer ${gateway.keys.agent}`
  const start = `POST /t/shop/x HTTP/1.1\r\nHost: shop\r\n${key}\r\n`
  const next = 'GET /t/shop/smuggled HTTP/1.1\r\nHost: shop\r\n\r\n'
  const chunked = `${start}Transfer-Encoding: chunked\r\n\r\n`
  const attacks = [
    // Two lengths, or one that two readers take for different numbers.
    `${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${next}`,
    `${start}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${next}`,
    `${start}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`,
    `${start}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd${next}`,
    `${start}Content-Length: 4, 4\r\n\r\nabcd${next}`,
    ...['+4', '-4', '0x4', '', '4 4'].map((length) => `${start}Content-Length: ${length}\r\n\r\nabcd${next}`),
    // Codings that one of two does not know.
    `${start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${next}`,
    `${start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${next}`,
    `${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${next}`,
    `${start}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${next}`,
    `${start}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${next}`,
    `${start.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${next}`,
    // White space and line ends where one of two sees none.
    `${start}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${next}`,
    `${start}X: a\r\n b\r\nContent-Length: 0\r\n\r\n${next}`,
    `${start}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${next}`,
    `POST /t/shop/x HTTP/1.1\r\n Host: shop\r\n${key}\r\nContent-Length: 0\r\n\r\n${next}`,
    `${start.replaceAll('\r\n', '\n')}Content-Length: 0\n\n${next}`,
    `${start}X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${next}`,
    `${start}X: a\rContent-Length: 4\r\n\r\nabcd${next}`,
    `${start}Content-Length: 0\r\n\n${next}`,
    ...['4\nabcd\r\n0\r\n\r\n', '4\r\nabcd\n0\r\n\r\n', '4;a\nb\r\nabcd\r\n0\r\n\r\n', '4\r\nabcd\r\n0\n\r\n'].map(
      (body) => `${chunked}${body}${next}`,
    ),
    ...[' 4\r\nabcd', '4 \r\nabcd', '0x4\r\nabcd', '+4\r\nabcd', 'ffffffffffffffff1\r\nabc'].map(
      (body) => `${chunked}${body}\r\n0\r\n\r\n${next}`,
    ),
    `${chunked}0\r\nContent-Length: 5\r\n\r\n${next}`,
    // Characters that end a text for some.
    `GET /t/shop/x\x00 HTTP/1.1\r\nHost: shop\r\n${key}\r\n\r\n${next}`,
    `${start}X: a\x00b\r\nContent-Length: 0\r\n\r\n${next}`,
    `${start}X\x00: b\r\nContent-Length: 0\r\n\r\n${next}`,
    `${start}Transfer\xadEncoding: chunked\r\nContent-Length: 0\r\n\r\n${next}`,
    // Two hosts, or none.
    `GET http://elsewhere/t/shop/x HTTP/1.1\r\nHost: shop\r\n${key}\r\n\r\n`,
    `${start}Host: elsewhere\r\nContent-Length: 0\r\n\r\n${next}`,
    `GET /t/shop/x HTTP/1.1\r\n${key}\r\n\r\n${next}`,
    `GET /t/shop/x HTTP/1.1\r\nHost: shop\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`,
    // Two types of a body, of which one has labels by their keys.
    `${start}Content-Type: text/plain\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}${next}`,
    `${start}Content-Type: text/plain; a="b,", application/json\r\nContent-Length: 2\r\n\r\n{}${next}`,
    '\x00\x01\x02\x03 not http\r\n\r\n',
  ]
  for (const attack of attacks) {
    const socket = connect({ port: gateway.port, host: '127.0.0.1' })
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined)
    socket.write(attack, 'latin1')
    await once(socket, 'close')
    const answer = Buffer.concat(chunks).toString()
    assert.match(answer, /^HTTP\/1\.1 4\d\d |^$/, JSON.stringify(attack.slice(0, 200)))
    assert.equal((answer.match(/HTTP\/1\.1 \d/g) ?? []).length <= 1, true)
  }
  assert.deepEqual(seen, [])
  assert.equal((await fetch(gateway.url, { headers: { authorization: `Bearer ${gateway.keys.agent}` } })).status, 200)
})

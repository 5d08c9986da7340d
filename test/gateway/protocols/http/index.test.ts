import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { DEFAULT_LIMITS } from '../../../../gateway/config.ts'
import type { Sessions } from '../../../../gateway/protocol.ts'
import { http } from '../../../../gateway/protocols/http/index.ts'
import { isReleased } from '../../../../schemas/frame.ts'
import { type HttpGateway, httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

// Put together here, so that no file holds anything like them.
const MAIL = `ann${String.fromCharCode(64)}example.org`
const SSN = [219, '09', 9999 - 1234].join('-')

interface Seen {
  readonly request: IncomingMessage
  readonly body: Buffer
}

/** An origin that keeps what it was asked and answers as the test says. */
function origin(answer: (seen: Seen, response: ServerResponse) => void) {
  const seen: Seen[] = []
  return {
    seen,
    listener: (request: IncomingMessage, response: ServerResponse): void => {
      const chunks: Buffer[] = []
      request.on('error', () => undefined)
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const one = { request, body: Buffer.concat(chunks) }
        seen.push(one)
        answer(one, response)
      })
    },
  }
}

const bearer = (gateway: HttpGateway): Record<string, string> => ({ authorization: `Bearer ${gateway.keys.agent}` })

async function tapeOf(gateway: HttpGateway) {
  await gateway.stop()
  const sessions = await sessionsOf(gateway.dataDir)
  const frames = await Promise.all(sessions.map(({ id }) => framesOf(gateway.dataDir, id)))
  return {
    sessions,
    frames: frames.flat(),
    text: frames
      .flat()
      .map(({ body, facts }) => `${JSON.stringify(facts)}${Buffer.from(body ?? '').toString()}`)
      .join('\n'),
  }
}

const codeOf = (text: string): unknown => JSON.parse(text).code

const json = (response: ServerResponse, value: unknown): void => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(value))
}

test('targets ask for it by its name', () => {
  assert.equal(http.name, 'http')
})

test('values are masked, the credential is ours, and the tape has what the client got', async () => {
  const { seen, listener } = origin((_, response) =>
    json(response, { users: [{ nickname: 'bo', mail: MAIL, note: `a\nb ${SSN}` }] }),
  )
  await using gateway = await httpGateway(listener)
  const response = await fetch(`${gateway.url}/users?of=${encodeURIComponent(MAIL)}`, {
    headers: { ...bearer(gateway), 'x-note': SSN },
  })
  const body = await response.text()
  const [user] = JSON.parse(body).users
  assert.match(user.nickname, /^\[MASKED:nickname:[0-9a-f]{12}\]$/)
  assert.match(user.mail, /^\[MASKED:email:[0-9a-f]{12}\]$/)
  assert.match(user.note, /^a\nb \[MASKED:us-ssn(:[0-9a-f]{12})?\]$/)

  const [asked] = seen
  assert.equal(asked?.request.url, `/users?of=${encodeURIComponent(MAIL)}`)
  assert.equal(asked?.request.headers.authorization, `Bearer ${gateway.upstreamToken}`)
  assert.equal(asked?.request.headers['x-note'], SSN, 'the target gets what the client sent')
  const { frames, text } = await tapeOf(gateway)
  assert.deepEqual(
    frames.map(({ kind, dir }) => `${dir} ${kind}`),
    ['in request', 'out response'],
  )
  assert.ok(
    Buffer.from(frames[1]?.body ?? '')
      .toString()
      .endsWith(`\r\n\r\n${body}`),
  )
  for (const secret of [MAIL, encodeURIComponent(MAIL), SSN, gateway.keys.agent, gateway.upstreamToken])
    assert.ok(!text.includes(secret), 'nothing of it is on the tape')
})

test('requests of one identity share a session, those of another run have their own', async () => {
  const { listener } = origin((_, response) => response.end('ok'))
  await using gateway = await httpGateway(listener)
  await Promise.all(Array.from({ length: 8 }, () => fetch(gateway.url, { headers: bearer(gateway) })))
  await fetch(`http://127.0.0.1:${gateway.port}/`, {
    headers: { 'x-sallyport-key': gateway.keys.agent, 'x-sallyport-target': 'none' },
  }).then(({ status }) => assert.equal(status, 404, 'a host that is no target'))
  await fetch(gateway.url, { headers: { ...bearer(gateway), 'x-sallyport-run': 'nightly' } })
  const { sessions, frames } = await tapeOf(gateway)
  assert.deepEqual(
    sessions.map(({ frameCount }) => frameCount),
    [16, 2],
  )
  assert.equal(new Set(frames.slice(0, 16).map(({ channel }) => channel)).size, 8)
})

test('more runs than an identity may have sessions: those that no request is going on in give way', async () => {
  const { listener } = origin((_, response) => response.end('ok'))
  await using gateway = await httpGateway(listener)
  const limit = DEFAULT_LIMITS.sessionsPerIdentity
  const runs = Array.from({ length: limit + 5 }, (_, index) => `run-${index}`)
  const statuses: number[] = []
  for (const run of runs) {
    const response = await fetch(gateway.url, { headers: { ...bearer(gateway), 'x-sallyport-run': run, connection: 'close' } })
    statuses.push(response.status)
    await response.text()
  }
  assert.deepEqual([...new Set(statuses)], [200])
  assert.ok(gateway.service.sessions.size <= limit)
})

test('a connection that is kept for many requests keeps nothing of each', async () => {
  const warnings: Error[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  const { listener } = origin((_, response) => response.end('ok'))
  await using gateway = await httpGateway(listener)
  for (let asked = 0; asked < 40; asked++) await (await fetch(gateway.url, { headers: bearer(gateway) })).text()
  process.off('warning', warned)
  assert.deepEqual(
    warnings.filter(({ name }) => name === 'MaxListenersExceededWarning'),
    [],
  )
})

test('what a rule forbids never reaches the target, and the client learns why', async () => {
  const { seen, listener } = origin((_, response) => response.end('ok'))
  await using gateway = await httpGateway(listener)
  const refused = await fetch(`${gateway.url}/users/7`, { method: 'DELETE', headers: bearer(gateway) })
  assert.equal(refused.status, 403)
  assert.deepEqual(await refused.json(), {
    type: 'about:blank',
    status: 403,
    title: 'sallyport',
    why: 'blocked',
    detail: 'nothing is deleted here',
    rules: ['no-deletes'],
    hint: 'ask for an archive',
  })
  const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'shell_exec' } })
  const tool = await fetch(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { ...bearer(gateway), 'content-type': 'application/json', 'content-encoding': 'gzip' },
    body: gzipSync(call),
  })
  assert.equal(tool.status, 403, 'also where it comes packed')
  assert.equal(seen.length, 0)
  const { frames } = await tapeOf(gateway)
  assert.deepEqual(
    frames.map(({ kind, verdict }) => [kind, verdict?.act ?? 'said']),
    [
      ['request', 'block'],
      ['refusal', 'said'],
      ['request', 'block'],
      ['refusal', 'said'],
    ],
  )
})

test('events pass as they come, masked', async () => {
  let more = (): void => undefined
  const { listener } = origin((_, response) => {
    response.setHeader('content-type', 'text/event-stream')
    response.write(`data: {"mail":"${MAIL}"}\n\nda`)
    more = () => response.end(`ta: second ${SSN}\n\n`)
  })
  await using gateway = await httpGateway(listener)
  const response = await fetch(gateway.url, { headers: bearer(gateway) })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const first = await reader?.read()
  assert.match(first?.value ?? '', /^data: {"mail":"\[MASKED:email:[0-9a-f]{12}\]"}\n\n$/)
  more()
  const second = await reader?.read()
  assert.match(second?.value ?? '', /^data: second \[MASKED:us-ssn.*\]\n\n$/)
})

test('a large text is streamed with nothing slipping through between its pieces', async () => {
  const text = Buffer.alloc(3 * 1024 * 1024, 'lorem ipsum ')
  for (let at = 1000; at + 20 < text.length; at += 65_521) text.write(` ${SSN} `, at)
  const { listener } = origin((_, response) => {
    response.setHeader('content-type', 'text/plain')
    response.end(text)
  })
  await using gateway = await httpGateway(listener)
  const body = await (await fetch(gateway.url, { headers: bearer(gateway) })).text()
  assert.equal(body.length, text.length)
  assert.ok(!body.includes(SSN))
  assert.equal(body, text.toString().replaceAll(SSN, '*'.repeat(SSN.length)))
  const { frames } = await tapeOf(gateway)
  const taped = Buffer.concat(
    frames.filter((frame) => frame.dir === 'out' && isReleased(frame)).map(({ body: bytes }) => bytes ?? new Uint8Array()),
  )
  assert.ok(taped.toString().endsWith(body))
})

test('a large upload reaches the target as it was sent, and the tape masked', async () => {
  const { seen, listener } = origin(({ body }, response) => response.end(String(body.length)))
  await using gateway = await httpGateway(listener)
  const sent = Buffer.alloc(3 * 1024 * 1024, 'dolor sit ')
  sent.write(` ${SSN} `, 2_000_000)
  const response = await fetch(gateway.url, {
    method: 'PUT',
    headers: { ...bearer(gateway), 'content-type': 'text/plain' },
    body: sent,
  })
  assert.equal(await response.text(), String(sent.length))
  assert.ok(seen[0]?.body.equals(sent))
  assert.equal(seen[0]?.request.headers['content-length'], String(sent.length))
  const { frames } = await tapeOf(gateway)
  const taped = Buffer.concat(frames.filter(({ dir }) => dir === 'in').map(({ body }) => body ?? new Uint8Array())).toString()
  assert.ok(!taped.includes(SSN) && taped.endsWith(sent.subarray(-10).toString()))
})

test('a request that is refused for its body stands on the tape with its head, as one nobody got', async () => {
  const { seen, listener } = origin((_, response) => response.end('ok'))
  await using gateway = await httpGateway(listener)
  const ask = (path: string, headers: Record<string, string>, body: string): Promise<Response> =>
    fetch(`${gateway.url}${path}`, { method: 'POST', headers: { ...bearer(gateway), ...headers, 'x-note': MAIL }, body })
  const large = await ask('/large', { 'content-type': 'application/json' }, JSON.stringify('x '.repeat(600_000)))
  assert.deepEqual([large.status, codeOf(await large.text())], [413, 'PROTOCOL_OVERSIZE'])
  const packed = await ask('/packed', { 'content-encoding': 'gzip' }, 'not packed')
  assert.deepEqual([packed.status, codeOf(await packed.text())], [400, 'PROTOCOL_MALFORMED'])
  assert.deepEqual(seen, [])
  const { frames, text } = await tapeOf(gateway)
  assert.deepEqual(
    frames
      .filter(({ dir }) => dir !== 'note')
      .map(({ kind, channel, facts, verdict }) => [kind, channel, facts['path'], verdict?.act]),
    [
      ['request', 1, '/large', 'block'],
      ['refusal', 1, undefined, undefined],
      ['request', 2, '/packed', 'block'],
      ['refusal', 2, undefined, undefined],
    ],
  )
  assert.ok(text.includes('POST /packed HTTP/1.1') && text.includes('x-note: [MASKED:email') && !text.includes(MAIL))
})

test('a form with files reaches the target as it was sent; on the tape its fields are masked, behind a picture as well', async () => {
  const { seen, listener } = origin((_, response) => response.end('ok'))
  await using gateway = await httpGateway(listener)
  const form = new FormData()
  form.append('picture', new Blob([Buffer.from('89504e470d0a1a0a00000000ffff', 'hex')], { type: 'image/png' }), 'a.png')
  form.append('mail', MAIL)
  form.append('nickname', 'bo the tall')
  form.append('about', new Blob([JSON.stringify({ nickname: 'lou the small', note: 'none' })], { type: 'application/json' }))
  const sent = await fetch(`${gateway.url}/form`, { method: 'POST', headers: bearer(gateway), body: form })
  assert.equal(sent.status, 200)
  assert.ok(seen[0]?.body.includes(MAIL) && seen[0].body.includes(Buffer.from('89504e470d0a1a0a00000000ffff', 'hex')))
  const { text } = await tapeOf(gateway)
  assert.ok(text.includes('name="mail"') && text.includes('[MASKED:email') && text.includes('"note":"none"'))
  for (const hidden of [MAIL, 'the tall', 'the small']) assert.ok(!text.includes(hidden))
  assert.equal(text.match(/\[MASKED:nickname:[0-9a-f]{12}\]/g)?.length, 2)
})

test('a packed answer is unpacked, looked into, and said to be what it is now', async () => {
  const { listener } = origin((_, response) => {
    response.setHeader('content-type', 'application/json')
    response.setHeader('content-encoding', 'gzip')
    response.setHeader('content-md5', 'stale')
    response.setHeader('etag', '"v1"')
    response.end(gzipSync(JSON.stringify({ mail: MAIL })))
  })
  await using gateway = await httpGateway(listener)
  const response = await fetch(gateway.url, { headers: { ...bearer(gateway), range: 'bytes=0-5' } })
  assert.match(await response.text(), /^{"mail":"\[MASKED:email:[0-9a-f]{12}\]"}$/)
  assert.deepEqual(
    ['content-encoding', 'content-md5', 'etag'].map((name) => response.headers.get(name)),
    [null, null, '"v1"'],
  )
})

test('an answer that grows beyond a threshold is cut, and the client sees that it is short', async () => {
  const { listener } = origin((_, response) => {
    response.setHeader('content-type', 'text/plain')
    response.end(Buffer.alloc(16 * 1024 * 1024, 'x y '))
  })
  await using gateway = await httpGateway(listener)
  const response = await fetch(gateway.url, { headers: bearer(gateway) })
  assert.equal(response.status, 200)
  await assert.rejects(response.text(), { message: 'terminated' })
  const { frames } = await tapeOf(gateway)
  assert.ok(frames.some(({ kind }) => kind === 'cut'))
})

test('targets that are away, or go in the middle, are said to', async () => {
  const { listener } = origin(({ request }, response) => {
    if (request.url === '/never') response.destroy()
    else {
      response.setHeader('content-type', 'text/plain')
      response.write('half ')
      setTimeout(() => response.destroy(), 20)
    }
  })
  await using gateway = await httpGateway(listener)
  const gone = await fetch(`${gateway.url}/never`, { headers: bearer(gateway) })
  assert.deepEqual([gone.status, codeOf(await gone.text())], [502, 'TARGET_REFUSED'])
  const half = await fetch(`${gateway.url}/half`, { headers: bearer(gateway) })
  await assert.rejects(half.text(), { message: 'terminated' })
  await using other = await httpGateway(listener)
  assert.equal((await fetch(other.url, { headers: { authorization: 'Bearer nobody' } })).status, 401)
  assert.equal((await fetch(other.url)).status, 401)
  const outsider = await fetch(other.url, { headers: { authorization: `Bearer ${other.keys.outsider}` } })
  assert.equal(codeOf(await outsider.text()), 'TARGET_UNKNOWN')
})

test('a fault of ours ends the one connection, and is told to its listener', async () => {
  const sessions = { tls: { required: false }, join: () => Promise.reject(new TypeError('ours')) } as unknown as Sessions
  const told: unknown[] = []
  const door = createServer(
    (socket) => void http.serve(socket, sessions, new AbortController().signal).catch((error) => told.push(error)),
  )
  await once(door.listen(0, '127.0.0.1'), 'listening')
  const { port } = door.address() as AddressInfo // it listens on TCP
  const response = await fetch(`http://127.0.0.1:${port}/t/x/`, { headers: { authorization: 'Bearer key' } })
  assert.deepEqual([response.status, codeOf(await response.text())], [503, 'RECORDER_FAILED'])
  door.close()
  assert.ok(told[0] instanceof TypeError)
})

test('keys are taken over TLS only, unless the listener is told otherwise', async () => {
  const { listener } = origin((_, response) => response.end('ok'))
  await using gateway = await httpGateway(listener, { tls: 'required' })
  const plain = await fetch(gateway.url, { headers: bearer(gateway) })
  assert.deepEqual([plain.status, (await plain.text()).startsWith('AUTH_INSECURE')], [426, true])
})

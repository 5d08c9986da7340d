import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { WebSocket } from 'undici'
import { placesIn } from '../../../../gateway/places.ts'
import { encodeFrame, OPCODES, WebSocketReader } from '../../../../gateway/protocols/http/websocket.ts'
import { openFolderDesk } from '../../../../recorder/desk/desk-folder.ts'
import { type HttpGateway, httpGateway } from '../../../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

const MAIL = `ann${String.fromCharCode(64)}example.org`
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const GRACE = { subject: 'grace', kind: 'human', groups: ['deciders'] } as const
const POLICY = `
version: 1
rules:
  - { id: no-shell-tool, on: http, match: { tool: shell* }, action: block, reason: no shells }
  - { id: ask-feed, on: http, match: { path: /held }, action: hold, reason: people decide, approval: { groups: [deciders], timeout: 20s } }
  - { id: no-secret-room, on: http, match: { path: /secret }, action: block, reason: not this one }
`

interface Origin {
  readonly asked: IncomingMessage[]
  readonly sockets: Duplex[]
  readonly got: string[]
}

/** Answers what it gets with `said:` in front; tells the other end its protocols. */
function speak(origin: Origin, request: IncomingMessage, socket: Duplex): void {
  origin.asked.push(request)
  origin.sockets.push(socket)
  socket.on('error', () => undefined).on('end', () => socket.end())
  if (request.url === '/not') {
    socket.end('HTTP/1.1 409 Conflict\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nnot')
    return
  }
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64')
  const [protocol] = (request.headers['sec-websocket-protocol'] ?? '').split(',')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n${protocol === '' ? '' : `sec-websocket-protocol: ${protocol}\r\n`}\r\n`,
  )
  const reader = new WebSocketReader('client')
  socket.on('data', (chunk: Buffer) => {
    for (const { opcode, payload } of reader.receive(chunk)) {
      origin.got.push(`${opcode}:${Buffer.from(payload).toString('latin1').slice(0, 200)}`)
      const said = opcode === OPCODES.text ? Buffer.concat([Buffer.from('said: '), payload]) : payload
      socket.write(encodeFrame('client', { opcode, payload: said }))
      if (opcode === OPCODES.close) socket.end()
    }
  })
}

async function rig(): Promise<{ gateway: HttpGateway; origin: Origin }> {
  const origin: Origin = { asked: [], sockets: [], got: [] }
  const gateway = await httpGateway((_, response) => response.end('plain'), {
    policy: POLICY,
    onUpgrade: (request, socket) => speak(origin, request, socket),
  })
  return { gateway, origin }
}

function open(gateway: HttpGateway, path: string, protocols: string[] = []): WebSocket {
  const url = `${gateway.url.replace('http:', 'ws:')}${path}`
  return new WebSocket(url, { protocols, headers: { authorization: `Bearer ${gateway.keys.agent}` } })
}

async function said(socket: WebSocket): Promise<string> {
  const [event] = (await once(socket, 'message')) as [MessageEvent]
  return typeof event.data === 'string' ? event.data : Buffer.from(await (event.data as Blob).arrayBuffer()).toString('latin1')
}

async function closed(socket: WebSocket): Promise<[number, string]> {
  const [event] = (await once(socket, 'close')) as [{ code: number; reason: string }]
  return [event.code, event.reason]
}

async function tapeOf(gateway: HttpGateway) {
  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  assert.ok(session !== undefined)
  return framesOf(gateway.dataDir, session.id)
}

test('messages of a WebSocket pass both ways, masked and recorded, with its protocol and its end', async () => {
  const { gateway, origin } = await rig()
  await using _ = gateway
  const socket = open(gateway, '/chat?room=1', ['chat.v2', 'chat.v1'])
  await once(socket, 'open')
  assert.equal(socket.protocol, 'chat.v2')
  socket.send(`mail ${MAIL}`)
  assert.match(await said(socket), /^said: mail \[MASKED:email:[0-9a-f]{12}\]$/)
  socket.send(JSON.stringify({ mail: MAIL, deep: [1] }))
  assert.match(await said(socket), /^said: {"mail":"\[MASKED:email:[0-9a-f]{12}\]","deep":\[1\]}$/)
  socket.send(Buffer.from([0, 255, 1, 2]))
  assert.equal(await said(socket), '\x00\xff\x01\x02')
  const end = closed(socket)
  socket.close(3001, 'enough')
  assert.deepEqual(await end, [3001, 'enough'])

  const [asked] = origin.asked
  assert.equal(asked?.url, '/chat?room=1')
  assert.equal(asked?.headers.authorization, `Bearer ${gateway.upstreamToken}`)
  assert.equal(asked?.headers['sec-websocket-extensions'], undefined, 'nothing that would hide what passes')
  assert.equal(origin.got[0], `1:mail ${MAIL}`, 'the target gets what the client sent')
  const frames = await tapeOf(gateway)
  assert.deepEqual(
    frames.map(({ kind, dir, facts }) => `${dir} ${kind} ${facts['type'] ?? facts['status'] ?? facts['method']}`),
    [
      'in request GET',
      'out response 101',
      'in ws-input text',
      'out ws-output text',
      'in ws-input text',
      'out ws-output text',
      'in ws-input binary',
      'out ws-output binary',
      'in ws-input close',
      'out ws-output close',
    ],
  )
  assert.ok(!JSON.stringify(frames.map(({ body }) => Buffer.from(body ?? '').toString())).includes(MAIL))
})

test('a call that a rule forbids ends the WebSocket with the reason, and nothing of it reaches the target', async () => {
  const { gateway, origin } = await rig()
  await using _ = gateway
  const socket = open(gateway, '/rpc')
  await once(socket, 'open')
  const call = (name: string): string => JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })
  socket.send(call('list'))
  assert.match(await said(socket), /^said: /)
  const end = closed(socket)
  socket.send(call('shell_exec'))
  assert.deepEqual(await end, [1008, 'sallyport: no shells [no-shell-tool]'])
  assert.equal(origin.got.length, 1)
  const [target] = origin.sockets
  if (target?.destroyed === false) await once(target, 'close')
  const frames = await tapeOf(gateway)
  assert.deepEqual(
    frames.slice(-2).map(({ kind, verdict }) => [kind, verdict?.act]),
    [
      ['ws-call', 'block'],
      ['cut', undefined],
    ],
  )
})

test('a call is judged behind blanks, in a binary message, and where it cannot be read', async () => {
  const { gateway, origin } = await rig()
  await using _ = gateway
  const call = JSON.stringify({ jsonrpc: '2.0', method: 'tools/call', params: { name: 'shell' } })
  for (const message of [` \n${call}`, Buffer.from(call), Buffer.from(call, 'utf16le'), `${call} x`]) {
    const socket = open(gateway, '/rpc')
    await once(socket, 'open')
    const end = closed(socket)
    socket.send(message)
    const [code, reason] = await end
    assert.equal(code, 1008)
    assert.match(String(reason), /^sallyport: no shells( \(what it calls is not .*\))? \[no-shell-tool\]$/)
  }
  assert.equal(origin.got.length, 0)
})

test('an upgrade is judged before the target hears of it, and what the target says instead is passed on', async () => {
  const { gateway, origin } = await rig()
  await using _ = gateway
  const refused = open(gateway, '/secret')
  refused.addEventListener('error', () => undefined)
  await closed(refused)
  assert.equal(origin.asked.length, 0)
  const answer = await raw(gateway, upgrade(gateway, '/not'))
  assert.match(answer, /^HTTP\/1\.1 409 /)
  assert.ok(answer.endsWith('\r\n\r\nnot'))

  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const pending = async (): Promise<string> => {
    for (;;) {
      const id = (await desk.list()).find(({ state }) => state === 'pending')?.id
      if (id !== undefined) return id
      await wait(20)
    }
  }
  const held = open(gateway, '/held')
  const id = await pending()
  assert.equal(origin.asked.length, 1)
  await desk.decide(id, { act: 'approve' }, GRACE)
  await once(held, 'open')
  held.close()
  await closed(held)

  const leaving = connect({ port: gateway.port, host: '127.0.0.1' })
  leaving.on('error', () => undefined).write(upgrade(gateway, '/held'))
  const other = await pending()
  leaving.destroy()
  while ((await desk.get(other)).state === 'pending') await wait(20)
  assert.equal((await desk.get(other)).state, 'withdrawn')
})

function upgrade(gateway: HttpGateway, path: string, extra = ''): string {
  return `GET /t/shop${path} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer ${gateway.keys.agent}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extra}\r\n`
}

/** All that comes back until the gateway closes. */
async function raw(gateway: HttpGateway, ...sent: (string | Uint8Array)[]): Promise<string> {
  const socket = connect({ port: gateway.port, host: '127.0.0.1' })
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined)
  for (const bytes of sent) socket.write(bytes)
  await once(socket, 'end')
  socket.destroy()
  return Buffer.concat(chunks).toString('latin1')
}

test('an end that breaks the rules of WebSocket is told, and the other end is closed with it', async () => {
  const { gateway, origin } = await rig()
  await using _ = gateway
  const bad: Uint8Array[] = [
    Buffer.from([0x81, 0x01, 0x61]), // not masked
    Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), // reserved bits
    encodeFrame('server', { opcode: OPCODES.text, payload: Buffer.from([0xff]) }), // no UTF-8
    Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), // longer than memory
  ]
  for (const bytes of bad) {
    const answer = await raw(gateway, upgrade(gateway, '/chat'), bytes)
    assert.match(answer, /^HTTP\/1\.1 101 [\s\S]*\x03\xf0sallyport: /)
    const target = origin.sockets.at(-1)
    if (target?.destroyed === false) await once(target, 'close')
  }
  // Whoever leaves in the middle of a message, or only half, leaves nothing behind.
  const half = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true })
  half.write(upgrade(gateway, '/chat'))
  await once(half, 'data')
  half.end(Buffer.from([0x81, 0xfe, 0x10]))
  half.resume()
  await once(half, 'close')
  const other = await fetch(gateway.url, { headers: { authorization: `Bearer ${gateway.keys.agent}` } })
  assert.equal(await other.text(), 'plain')
})

test('an upgrade to something else is declined by answering as if it had not been asked for', async () => {
  const { gateway, origin } = await rig()
  await using _ = gateway
  const answer = await raw(
    gateway,
    `GET /t/shop/x HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer ${gateway.keys.agent}\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n`,
  )
  assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*plain/)
  assert.equal(origin.asked.length, 0)
})

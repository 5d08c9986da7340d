import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { ProxyAgent, request, WebSocket } from 'undici'
import { Interceptor, isIntercepted } from '../../../../gateway/protocols/egress/interceptor.ts'
import { encodeFrame, OPCODES, WebSocketReader } from '../../../../gateway/protocols/http/websocket.ts'
import { runCli } from '../../../support/cli.ts'
import { assertRan, clientHere, run } from '../../../support/clients.ts'
import { type EgressGateway, egressGateway } from '../../../support/egress-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'
import { websocketAccept } from '../../../support/websocket-origin.ts'

const MAIL = `ann${String.fromCharCode(64)}example.org`
const POLICY = `
version: 1
rules:
  - { id: no-delete, on: egress, match: { method: DELETE }, action: block, reason: nothing is deleted outside }
  - { id: little, on: egress, match: { path: /large }, threshold: { bytes: 64KiB, per: statement }, action: block, reason: too much }
`
const WAIT = { timeout: 60_000 }

let gateway: EgressGateway
let caFile: string
let ca: string
/** Heads the origin got. */
const heard: IncomingMessage['headers'][] = []

function answer(asked: IncomingMessage, response: ServerResponse): void {
  heard.push(asked.headers)
  if (asked.url === '/large') return void response.end(Buffer.alloc(1 << 20, 'x'))
  const body = JSON.stringify({ mail: MAIL, method: asked.method, url: asked.url })
  response.setHeader('content-type', 'application/json')
  asked.resume().once('end', () => response.end(body))
}

before(async () => {
  gateway = await egressGateway({
    policy: POLICY,
    allow: '[localhost, 127.0.0.1]',
    intercept: '{ hosts: ["*"], except: [127.0.0.1], trust: ca.pem }',
    answer,
    upgrade: (asked, socket) => {
      socket.write(websocketAccept(asked))
      const reader = new WebSocketReader('client')
      socket
        .on('error', () => undefined)
        .on('data', (chunk: Buffer) => {
          for (const { opcode, payload } of reader.receive(chunk)) {
            const said = opcode === OPCODES.text ? Buffer.from(`said: ${Buffer.from(payload)}`) : payload
            socket.write(encodeFrame('client', { opcode, payload: said }))
            if (opcode === OPCODES.close) socket.end()
          }
        })
    },
  })
  const printed = await runCli(['egress', 'ca', '--config', gateway.config], { cwd: dirname(gateway.config), env: {} })
  ca = printed.out
  caFile = join(dirname(gateway.config), 'egress-ca.crt')
  await writeFile(caFile, ca)
})

after(async () => {
  await gateway[Symbol.asyncDispose]()
})

function proxy(): ProxyAgent {
  return new ProxyAgent({ uri: `http://127.0.0.1:${gateway.port}`, token: `Bearer ${gateway.key}`, requestTls: { ca } })
}

test(
  'curl that trusts the authority is read: masked on its way, judged by path and method, and all of it on the tape',
  WAIT,
  async (t) => {
    const curl = clientHere(t, 'curl')
    if (curl === undefined) return
    const how = ['-sS', '--max-time', '30', '-x', `http://egress:${gateway.key}@127.0.0.1:${gateway.port}`, '--cacert', caFile]
    const url = `https://localhost:${gateway.ports.tls}/users/7?q=1`
    const got = await run(curl, [...how, '-H', 'Authorization: Bearer for-the-host', url, url])
    assertRan(got, 'curl')
    assert.match(got.stdout, /\[MASKED:email/)
    assert.ok(!got.stdout.includes(MAIL))
    assert.equal(heard.at(-1)?.['authorization'], 'Bearer for-the-host')
    assert.equal(heard.at(-1)?.host, `localhost:${gateway.ports.tls}`)
    const refused = await run(curl, [...how, '-X', 'DELETE', '-w', '%{http_code}', url])
    assert.match(refused.stdout, /no-delete[\s\S]*403$/)
    const cut = await run(curl, [...how, `https://localhost:${gateway.ports.tls}/large`])
    assert.ok(!cut.stdout.includes('x'.repeat(64 * 1024 + 1)), 'a threshold cuts inside of a tunnel')
  },
)

test(
  'fetch keeps one tunnel for many requests; a part of a text is not given; the host is never asked in the name of another',
  WAIT,
  async () => {
    const agent = proxy()
    const url = `https://localhost:${gateway.ports.tls}`
    for (let n = 0; n < 5; n++) {
      const got = await request(`${url}/n/${n}`, { dispatcher: agent, method: 'POST', body: `mail=${MAIL}` })
      assert.equal(got.statusCode, 200)
      assert.match(await got.body.text(), /"method":"POST"/)
    }
    const ranged = await request(`${url}/part`, { dispatcher: agent, headers: { range: 'bytes=0-3' } })
    assert.equal(ranged.statusCode, 200)
    await ranged.body.dump()
    const other = await request(`${url}/x`, { dispatcher: agent, headers: { host: 'other.example' } })
    assert.equal(other.statusCode, 403)
    assert.match(await other.body.text(), /TARGET_DENIED[\s\S]*another host/)
    await agent.close()
  },
)

test('Python’s strict verification takes the certificate', WAIT, async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  const script = `
import ssl, sys, urllib.request
proxy, ca, url = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.verify_flags |= ssl.VERIFY_X509_STRICT
opener = urllib.request.build_opener(urllib.request.ProxyHandler({'https': proxy}), urllib.request.HTTPSHandler(context=context))
print(opener.open(url, timeout=30).read().decode())
`
  const uri = `http://egress:${gateway.key}@127.0.0.1:${gateway.port}`
  const got = await run(python, ['-c', script, uri, caFile, `https://localhost:${gateway.ports.tls}/py`])
  assertRan(got, 'python3')
  assert.match(got.stdout, /MASKED:email/)
})

test('a WebSocket inside is read message by message', WAIT, async () => {
  const agent = proxy()
  const socket = new WebSocket(`wss://localhost:${gateway.ports.tls}/feed`, { dispatcher: agent })
  await once(socket, 'open')
  socket.send(`to ${MAIL}`)
  const [event] = (await once(socket, 'message')) as [MessageEvent]
  assert.match(String(event.data), /^said: to \[MASKED:email/)
  socket.close()
  await once(socket, 'close')
  await agent.close()
})

/** What is behind the 200 of a CONNECT. */
async function tunnelTo(host: string): Promise<Socket> {
  const socket = connect(gateway.port, '127.0.0.1')
  const proof = Buffer.from(`egress:${gateway.key}`).toString('base64')
  socket.write(
    `CONNECT ${host}:${gateway.ports.tls} HTTP/1.1\r\nhost: ${host}:${gateway.ports.tls}\r\nproxy-authorization: Basic ${proof}\r\n\r\n`,
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  assert.match(head.toString(), /^HTTP\/1\.1 200 /)
  return socket
}

async function secured(
  socket: Socket,
  options: { readonly servername?: string; readonly ALPNProtocols?: string[] },
): Promise<TLSSocket> {
  const secure = connectTls({ socket, ca, rejectUnauthorized: false, ...options })
  secure.on('error', () => undefined)
  await once(secure, 'secureConnect')
  return secure
}

test(
  'TLS for another server, HTTP/2, no TLS at all and CONNECT inside are refused; others are served meanwhile',
  WAIT,
  async () => {
    const agent = proxy()
    const other = await secured(await tunnelTo('localhost'), { servername: 'other.example' })
    other.end('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    assert.match(await text(other), /^HTTP\/1\.1 403 [\s\S]*another server/)

    const preface = await secured(await tunnelTo('localhost'), { servername: 'localhost' })
    preface.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    assert.match(await text(preface), /^(HTTP\/1\.1 400 |$)/)
    await assert.rejects(secured(await tunnelTo('localhost'), { servername: 'localhost', ALPNProtocols: ['h2'] }))

    const nested = await secured(await tunnelTo('localhost'), { servername: 'localhost' })
    nested.write('CONNECT other.example:443 HTTP/1.1\r\nhost: other.example:443\r\n\r\n')
    assert.ok(!(await text(nested)).includes(' 200 '))

    const absolute = await secured(await tunnelTo('localhost'), { servername: 'localhost' })
    absolute.end('GET https://other.example/ HTTP/1.1\r\nhost: localhost\r\n\r\n')
    assert.match(await text(absolute), /^HTTP\/1\.1 403 [\s\S]*begin with a path/)

    const plain = await tunnelTo('localhost')
    plain.on('error', () => undefined)
    plain.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    const closed = once(plain, 'close')
    plain.resume()
    await closed

    const got = await request(`https://localhost:${gateway.ports.tls}/after`, { dispatcher: agent })
    assert.equal(got.statusCode, 200)
    await got.body.dump()
    await agent.close()
  },
)

test('what the parser or the head refuses inside of a tunnel ends it, and no other', WAIT, async () => {
  const start = `GET /refused HTTP/1.1\r\nhost: localhost:${gateway.ports.tls}\r\n`
  const refusals = [
    [`${start}X-Bad Name: x\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [`${start}${Array.from({ length: 300 }, (_, n) => `a${n}:\r\n`).join('')}\r\n`, /^HTTP\/1\.1 413 /],
    [`${start}host: elsewhere\r\n\r\n`, /^HTTP\/1\.1 400 [\s\S]*more than one host/],
    [`${start}content-type: text/plain, application/json\r\n\r\n`, /^HTTP\/1\.1 400 [\s\S]*more than one type/],
  ] as const
  for (const [bad, expected] of refusals) {
    const secure = await secured(await tunnelTo('localhost'), { servername: 'localhost' })
    secure.write(bad)
    assert.match(await text(secure), expected)
  }
  const before = heard.length
  const agent = proxy()
  const got = await request(`https://localhost:${gateway.ports.tls}/after-refusals`, { dispatcher: agent })
  assert.equal(got.statusCode, 200)
  await got.body.dump()
  await agent.close()
  assert.equal(heard.length, before + 1)
})

test('a host that is excepted passes sealed, with its own certificate', WAIT, async (t) => {
  const curl = clientHere(t, 'curl')
  if (curl === undefined) return
  const how = [
    '-sS',
    '--max-time',
    '30',
    '-x',
    `http://egress:${gateway.key}@127.0.0.1:${gateway.port}`,
    '--cacert',
    gateway.caFile,
  ]
  const got = await run(curl, [...how, `https://127.0.0.1:${gateway.ports.tls}/sealed`])
  assertRan(got, 'curl')
  assert.ok(got.stdout.includes(MAIL))
})

test('a host whose certificate nobody vouches for is not connected to: CONNECT is refused', WAIT, async (t) => {
  const curl = clientHere(t, 'curl')
  if (curl === undefined) return
  await using other = await egressGateway({ intercept: '{ hosts: [localhost] }' })
  const how = ['-sS', '--max-time', '30', '-D', '-', '-x', `http://egress:${other.key}@127.0.0.1:${other.port}`, '-k']
  const got = await run(curl, [...how, `https://localhost:${other.ports.tls}/`])
  assert.match(got.stdout, /^HTTP\/1\.1 502 [\s\S]*TLS with localhost cannot be opened: DEPTH_ZERO_SELF_SIGNED_CERT/)
})

test(
  'what was inside stands on the tape as exchanges; the notes tell what tunnels held, and why one held nothing',
  WAIT,
  async () => {
    await gateway.stop()
    const sessions = await sessionsOf(gateway.dataDir)
    const frames = (await Promise.all(sessions.map(({ id }) => framesOf(gateway.dataDir, id)))).flat()
    const asked = frames.find(({ facts }) => facts['path'] === '/users/7')
    assert.deepEqual(
      [asked?.facts['method'], asked?.facts['route'], asked?.facts['intercepted']],
      ['GET', `localhost:${gateway.ports.tls}/users/{id}`, true],
    )
    const all = Buffer.concat(frames.map(({ body }) => body ?? new Uint8Array())).toString('latin1')
    assert.ok(all.includes(`GET https://localhost:${gateway.ports.tls}/users/7?q=1 HTTP/1.1`))
    assert.ok(!all.includes(MAIL) && !all.includes('for-the-host') && !all.includes(gateway.key))
    const refused = frames.filter(({ kind }) => kind === 'request.refused').map(({ facts }) => facts['why'])
    assert.ok(refused.includes('HPE_INVALID_HEADER_TOKEN'), String(refused))
    const own = frames.filter(({ kind }) => kind === 'refusal').map(({ body }) => Buffer.from(body ?? []).toString())
    for (const said of ['256 are taken', 'more than one host', 'more than one type'])
      assert.ok(
        own.some((words) => words.includes(said)),
        said,
      )
    const opened = frames.filter(({ kind, facts }) => kind === 'response' && facts['tunnel'] !== undefined)
    assert.deepEqual(new Set(opened.map(({ facts }) => facts['tunnel'])), new Set(['intercepted', 'opaque']))
    const notes = frames.filter(({ kind }) => kind === 'tunnel.closed').map(({ facts }) => facts)
    assert.ok(
      notes.some(({ requests }) => Number(requests) >= 2),
      'a tunnel serves more than one request',
    )
    const failed = notes.flatMap(({ failed }) => (failed === undefined ? [] : [String(failed)]))
    assert.ok(
      failed.some((reason) => /HTTP_REQUEST|WRONG_VERSION/.test(reason)) && failed.some((reason) => /ALPN|PROTOCOL/.test(reason)),
      failed.join(),
    )
  },
)

test('one certificate for each host, kept until it is about to end', async () => {
  const { issueCertificate } = await import('../../../../gateway/credentials/certificate.ts')
  const { generateKeyPairSync } = await import('node:crypto')
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const [notBefore, notAfter] = [new Date(Date.now() - 1000), new Date(Date.now() + 90 * 86_400_000)]
  const cert = issueCertificate({ subject: 'ca', key, notBefore, notAfter, names: 'authority' })
  const interceptor = new Interceptor({ cert, key })
  const first = interceptor.contextFor('one.example')
  assert.equal(interceptor.contextFor('one.example'), first)
  assert.notEqual(interceptor.contextFor('one.example', Date.now() + 30 * 86_400_000), first)
  for (let n = 0; n < 1005; n++) interceptor.contextFor('one.example')
  assert.ok(new X509Certificate(cert).ca)
  const intercept = { hosts: ['*.example'], except: ['pinned.example'] }
  assert.deepEqual(
    ['a.example', 'pinned.example', 'example.org'].map((host) => isIntercepted(host, { intercept })),
    [true, false, false],
  )
})

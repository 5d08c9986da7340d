import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ProxyAgent, request } from 'undici'
import { placesIn } from '../../../../gateway/places.ts'
import { egress } from '../../../../gateway/protocols/egress/index.ts'
import { knockOf } from '../../../../gateway/protocols/egress/knock.ts'
import { openFolderDesk } from '../../../../recorder/desk/desk-folder.ts'
import { assertRan, clientHere, run } from '../../../support/clients.ts'
import { type EgressGateway, egressGateway } from '../../../support/egress-gateway.ts'
import { heardLog } from '../../../support/heard-log.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

const GRACE = { subject: 'grace', kind: 'human', groups: ['deciders'] } as const

/** TLS 1.3: a record's head, the alert, its type and the tag. */
const CLOSE_NOTIFY_SIZE = 5 + 2 + 1 + 16

async function onlyTape(gateway: EgressGateway): ReturnType<typeof framesOf> {
  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  return framesOf(gateway.dataDir, session?.id ?? '')
}

test('curl through a tunnel: only that it passed is on the tape, to the byte', { timeout: 60_000 }, async (t) => {
  const curl = clientHere(t, 'curl')
  if (curl === undefined) return
  await using gateway = await egressGateway()
  const proxy = `http://egress:${gateway.key}@127.0.0.1:${gateway.port}`
  const url = `https://localhost:${gateway.ports.tls}/private/path`
  const got = await run(curl, ['-sS', '--max-time', '30', '-x', proxy, '--cacert', gateway.caFile, url])
  assertRan(got, 'curl -x')
  assert.equal(got.stdout, 's'.repeat(100_000))
  const frames = await onlyTape(gateway)
  const [asked] = frames.filter(({ kind }) => kind === 'request')
  assert.deepEqual(
    [asked?.facts['method'], asked?.facts['host'], asked?.facts['port'], asked?.facts['listed']],
    ['CONNECT', 'localhost', gateway.ports.tls, true],
  )
  assert.equal(frames.find(({ kind }) => kind === 'response')?.facts['tunnel'], 'opaque')
  const closed = frames.find(({ kind }) => kind === 'tunnel.closed')
  assert.equal(closed?.facts['bytes_in'], gateway.carried[0]?.read)
  // The server says farewell to a curl that has hung up: that passed nobody, or all of it did.
  const unheard = Number(gateway.carried[0]?.written) - Number(closed?.facts['bytes_out'])
  assert.ok([0, CLOSE_NOTIFY_SIZE].includes(unheard), `${unheard} bytes more than were passed`)
  assert.match(String(closed?.facts['sha256_out']), /^[0-9a-f]{64}$/)
  const sizes = (kind: string): number =>
    frames.filter((frame) => frame.kind === kind).reduce((sum, { facts }) => sum + Number(facts['size']), 0)
  assert.deepEqual([sizes('tunnel-input'), sizes('tunnel-output')], [closed?.facts['bytes_in'], closed?.facts['bytes_out']])
  const said = frames.map(({ body }) => Buffer.from(body ?? []).toString('latin1')).join('')
  assert.ok(
    !said.includes('/private/path') && !said.includes(gateway.key),
    'neither what is encrypted nor the proof is on the tape',
  )
})

test('fetch with ProxyAgent by bearer, and a request for a whole URL, whose Authorization is for its target', {
  timeout: 60_000,
}, async (t) => {
  await using gateway = await egressGateway()
  const uri = `http://127.0.0.1:${gateway.port}`
  const agent = new ProxyAgent({ uri, token: `Bearer ${gateway.key}`, requestTls: { ca: gateway.ca } })
  const got = await request(`https://localhost:${gateway.ports.tls}/`, { dispatcher: agent })
  assert.equal((await got.body.text()).length, 100_000)
  await agent.close()
  const curl = clientHere(t, 'curl')
  if (curl === undefined) return
  const proxy = ['-x', uri, '--proxy-user', `egress:${gateway.key}`]
  const about = ['-H', 'Authorization: Basic aGk6eW91', '-d', 'body', `http://localhost:${gateway.ports.clear}/users/7?q=1`]
  const clear = await run(curl, ['-sS', '--max-time', '30', ...proxy, ...about])
  assertRan(clear, 'curl')
  assert.equal(clear.stdout, 'POST /users/7?q=1 14')
  const frames = await onlyTape(gateway)
  const asked = frames.find(({ facts }) => facts['method'] === 'POST')
  assert.deepEqual([asked?.facts['route'], asked?.facts['path']], [`localhost:${gateway.ports.clear}/users/{id}`, '/users/7'])
  assert.ok(
    !Buffer.from(asked?.body ?? [])
      .toString()
      .includes('aGk6eW91'),
    'the credential is masked on the tape',
  )
})

/** Status, headers and body of curl's CONNECT or GET. */
async function refused(curl: string, gateway: EgressGateway, key: string, url: string): Promise<string> {
  const proxy = ['-x', `http://127.0.0.1:${gateway.port}`, ...(key === '' ? [] : ['--proxy-user', `egress:${key}`])]
  const ran = await run(curl, ['-s', '--max-time', '30', '-D', '-', '-o', '/dev/null', ...proxy, url])
  return ran.stdout
}

test('who proves nothing gets 407; ports, private and metadata addresses are refused, whatever is listed', {
  timeout: 60_000,
}, async (t) => {
  const curl = clientHere(t, 'curl')
  if (curl === undefined) return
  await using gateway = await egressGateway()
  const unproved = await refused(curl, gateway, '', 'https://localhost/')
  assert.match(unproved, /^HTTP\/1\.1 407 [\s\S]*proxy-authenticate: Basic/i)
  assert.match(await refused(curl, gateway, 'spk_wrong', 'https://localhost/'), /^HTTP\/1\.1 407 /)
  for (const url of [
    'http://169.254.169.254/metadata/identity',
    'http://10.1.2.3/',
    'http://2852039166/',
    'https://localhost:22/',
  ])
    assert.match(await refused(curl, gateway, gateway.key, url), /^HTTP\/1\.1 403 [\s\S]*destination_ip_prohibited/, url)
  const frames = await onlyTape(gateway)
  assert.equal(frames.filter(({ kind }) => kind === 'refusal').length, 4)
})

test('what the parser or the head refuses is in the log and counted, and on the tape of the session its connection had', {
  timeout: 60_000,
}, async () => {
  const { lines, counted, log } = heardLog()
  await using gateway = await egressGateway({ log })
  const start = `GET http://localhost:${gateway.ports.clear}/secret-path HTTP/1.1\r\nHost: localhost:${gateway.ports.clear}\r\n`
  const good = `${start}Proxy-Authorization: Bearer ${gateway.key}\r\n`
  const ask = async (...requests: readonly string[]): Promise<string> => {
    const socket = connect(gateway.port, '127.0.0.1').on('error', () => undefined)
    socket.write(requests[0] ?? '')
    const [first = Buffer.alloc(0)] = requests.length > 1 ? ((await once(socket, 'data')) as [Buffer]) : []
    for (const request of requests.slice(1)) socket.write(request)
    return first.toString() + (await text(socket))
  }
  const flood = Array.from({ length: 300 }, (_, n) => `a${n}:\r\n`).join('')
  assert.match(await ask(`${start}X-Secret Name: secret-value\r\n\r\n`), /^HTTP\/1\.1 400 /)
  assert.match(await ask(`${start}Host: elsewhere\r\n\r\n`), /^HTTP\/1\.1 400 [\s\S]*more than one host/)
  assert.match(await ask(`${start}\r\n`), /^HTTP\/1\.1 407 /)
  assert.match(await ask(`${good}\r\n`, `${good}Transfer-Encoding : chunked\r\n\r\n`), /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 /)
  assert.match(await ask(`${good}\r\n`, `${good}${flood}\r\n`), /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 413 /)
  const types = 'Content-Type: text/plain\r\nContent-Type: application/json\r\n'
  assert.match(await ask(`${good}\r\n`, `${good}${types}\r\n`), /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 [\s\S]*more than one type/)
  const told = lines.filter(({ msg }) => msg.startsWith('request refused'))
  assert.deepEqual(
    told.map(({ code }) => code),
    ['PROTOCOL_MALFORMED', 'PROTOCOL_MALFORMED', 'PROTOCOL_MALFORMED', 'PROTOCOL_OVERSIZE', 'PROTOCOL_MALFORMED'],
  )
  assert.ok(!JSON.stringify(told).includes('secret'), 'nothing of what was sent')
  assert.deepEqual(await Promise.all(['PROTOCOL_MALFORMED', 'PROTOCOL_OVERSIZE', 'AUTH_REQUIRED'].map(counted)), [4, 1, 1])
  const frames = await onlyTape(gateway)
  assert.deepEqual(
    frames.filter(({ kind }) => kind === 'request.refused').map(({ dir, facts }) => [dir, facts['code']]),
    [
      ['note', 'PROTOCOL_MALFORMED'],
      ['note', 'PROTOCOL_OVERSIZE'],
      ['note', 'PROTOCOL_MALFORMED'],
    ],
  )
})

test('a host that is not listed is refused, or held where a rule says so, and goes on once it is approved', {
  timeout: 60_000,
}, async (t) => {
  const curl = clientHere(t, 'curl')
  if (curl === undefined) return
  {
    await using gateway = await egressGateway({ allow: '[example.org]' })
    const said = await refused(curl, gateway, gateway.key, `https://localhost:${gateway.ports.tls}/`)
    assert.match(said, /^HTTP\/1\.1 403 [\s\S]*policy\.unknown-host/)
  }
  const policy = `
version: 1
rules:
  - { id: no-numbers, on: egress, match: { host: 127.* }, action: block, reason: names only }
  - { id: ask-unknown, on: egress, match: { listed: false }, action: hold, reason: people decide, approval: { groups: [deciders], timeout: 20s } }
`
  await using gateway = await egressGateway({ allow: '["*.example.org"]', policy })
  const numbers = await refused(curl, gateway, gateway.key, `https://127.0.0.1:${gateway.ports.tls}/`)
  assert.match(numbers, /^HTTP\/1\.1 403 [\s\S]*no-numbers/)
  const proxy = `http://egress:${gateway.key}@127.0.0.1:${gateway.port}`
  const url = `https://localhost:${gateway.ports.tls}/`
  const asking = run(curl, ['-sS', '--max-time', '30', '-x', proxy, '--cacert', gateway.caFile, url])
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  let held: Awaited<ReturnType<typeof desk.list>>[number] | undefined
  while (held === undefined) {
    await wait(20)
    held = (await desk.list()).find(({ state }) => state === 'pending')
  }
  assert.equal(held.command, `CONNECT localhost:${gateway.ports.tls}`)
  await desk.decide(held.id, { act: 'approve' }, GRACE)
  const got = await asking
  assertRan(got, 'curl')
  assert.equal(got.stdout.length, 100_000)
})

test('a threshold cuts a tunnel, by a proxy over TLS as well', { timeout: 60_000 }, async (t) => {
  const curl = clientHere(t, 'curl')
  if (curl === undefined) return
  const policy = `
version: 1
rules:
  - { id: too-much, on: egress, threshold: { bytes: 32KiB, per: statement }, action: block, reason: too much }
`
  await using gateway = await egressGateway({ policy })
  const proxy = ['-x', `https://egress:${gateway.key}@127.0.0.1:${gateway.port}`, '--proxy-insecure']
  const url = `https://localhost:${gateway.ports.tls}/`
  const got = await run(curl, ['-sS', '--max-time', '30', ...proxy, '--cacert', gateway.caFile, url])
  assert.notEqual(got.code, 0, 'the answer is not whole')
  const frames = await onlyTape(gateway)
  assert.deepEqual(frames.find(({ kind }) => kind === 'cut')?.facts['rules'], ['too-much'])
  assert.ok(Number(frames.find(({ kind }) => kind === 'tunnel.closed')?.facts['bytes_out']) <= 32 * 1024)
})

test('the proof is in Proxy-Authorization alone; its user names the target', () => {
  assert.equal(egress(new Map()).name, 'egress')
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`
  const knock = (...header: [string, string]) => knockOf([header], '192.0.2.1:1').knock
  assert.deepEqual(
    [basic('outside:k:1'), basic(':k:1'), 'bearer k:1'].map((value) => {
      const { target, secret } = knock('Proxy-Authorization', value)
      return [target, secret]
    }),
    [
      ['outside', 'k:1'],
      ['egress', 'k:1'],
      ['egress', 'k:1'],
    ],
  )
  assert.throws(() => knock('Authorization', 'Bearer k:1'), { code: 'AUTH_REQUIRED' })
  assert.throws(() => knock('Proxy-Authorization', `Bearer ${'k'.repeat(40_000)}`), { code: 'PROTOCOL_OVERSIZE' })
})

test('a tunnel that is asked for behind a request that is not answered yet takes its turn', async () => {
  await using gateway = await egressGateway()
  const { clear, tls } = gateway.ports
  const socket = connect(gateway.port, '127.0.0.1')
  const proof = `Host: localhost\r\nProxy-Authorization: Bearer ${gateway.key}\r\n\r\n`
  socket.write(`GET http://localhost:${clear}/first HTTP/1.1\r\n${proof}CONNECT localhost:${tls} HTTP/1.1\r\n${proof}`)
  let said = ''
  for await (const chunk of socket) {
    said += String(chunk)
    if (said.includes('established')) break
  }
  assert.match(said, /^HTTP\/1\.1 200 OK[\s\S]*GET \/first undefinedHTTP\/1\.1 200 Connection established/)
})

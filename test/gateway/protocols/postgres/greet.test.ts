import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'
import fc from 'fast-check'
import { type Greeting, type GreetOptions, greet, MAX_PASSWORD_BYTES } from '../../../../gateway/protocols/postgres/greet.ts'
import { CANCEL_CODE, SSL_CODE, writeRequest, writeStartup } from '../../../../gateway/protocols/postgres/startup-packet.ts'
import { binaryMessage, textMessage } from '../../../../gateway/protocols/postgres/upstream-query.ts'
import { PgClient } from '../../../support/pg-peer.ts'
import { selfSigned } from '../../../support/pg-tls.ts'

const identity = await selfSigned()
const context = createSecureContext(identity)
const optional: GreetOptions = { tls: { context, required: false } }
const required: GreetOptions = { tls: { context, required: true } }
const never = new AbortController().signal
const secret = 'an access key'

/** A door with one visitor: the client's end, and what the gateway makes of it. */
async function door(
  options: GreetOptions,
  signal = never,
): Promise<{ client: PgClient; greeting: Promise<Greeting> } & AsyncDisposable> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert(typeof address === 'object' && address !== null)
  const accepted = once(server, 'connection')
  const client = await PgClient.connect(address.port)
  const [socket] = (await accepted) as [Socket]
  const greeting = greet(socket, options, signal)
  greeting.catch(() => {}) // each test looks for itself
  return {
    client,
    greeting,
    async [Symbol.asyncDispose]() {
      client.stream.destroy()
      socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function welcomed(greeting: Promise<Greeting>): Promise<Extract<Greeting, { kind: 'startup' }>> {
  const result = await greeting
  assert.equal(result.kind, 'startup')
  return result as Extract<Greeting, { kind: 'startup' }>
}

const startup = { user: 'agent', database: 'shop/orders', application_name: 'psql' }

test('a client in the clear is heard where TLS is optional, and nothing it sent ahead is lost', async () => {
  await using visit = await door(optional)
  const packet = writeStartup({ major: 3, minor: 0 }, Object.entries(startup))
  await visit.client.say(packet, textMessage('p', secret), textMessage('Q', 'select 1'))
  const greeting = await welcomed(visit.greeting)
  assert.deepEqual(
    { ...greeting.knock, client: undefined },
    {
      protocol: 'postgres',
      client: undefined,
      secret,
      target: 'shop',
      database: 'orders',
      claims: { user: 'agent', version: '3.0', application_name: 'psql', tls: 'none' },
    },
  )
  assert.match(greeting.knock.client, /^127\.0\.0\.1:\d+$/)
  assert.deepEqual(greeting.version, { major: 3, minor: 0 })
  assert.deepEqual(Buffer.from(greeting.received), Buffer.from(packet))
  assert.deepEqual(greeting.client.read(), Buffer.from(textMessage('Q', 'select 1')))
})

test('a client that drips one byte at a time is heard the same way', async () => {
  await using visit = await door(optional)
  await visit.client.drip(writeStartup({ major: 3, minor: 2 }, Object.entries(startup)))
  const asked = await visit.client.packet()
  assert.deepEqual(asked, { type: 'R', body: Buffer.from([0, 0, 0, 3]) })
  await visit.client.drip(textMessage('p', secret))
  const greeting = await welcomed(visit.greeting)
  assert.equal(greeting.knock.secret, secret)
  assert.deepEqual(greeting.version, { major: 3, minor: 2 })
})

for (const how of ['request', 'direct'] as const) {
  test(`a client over TLS (${how}) is heard, and the stream handed over is the encrypted one`, async () => {
    await using visit = await door(required)
    if (how === 'direct') await visit.client.directTls({ ca: identity.cert })
    else assert.equal(await visit.client.requestTls({ ca: identity.cert }), 'S')
    await visit.client.startup(startup)
    await visit.client.packet()
    await visit.client.password(secret)
    const greeting = await welcomed(visit.greeting)
    assert.deepEqual(greeting.tls, { protocol: 'TLSv1.3', how })
    assert.equal(greeting.knock.claims['tls'], 'TLSv1.3')
    greeting.client.write('Z')
    assert.equal((await visit.client.hear(1))?.toString(), 'Z')
  })
}

test('a GSSAPI encryption request is declined and TLS may still follow', async () => {
  await using visit = await door(required)
  await visit.client.say(writeRequest(80877104))
  assert.equal((await visit.client.hear(1))?.toString(), 'N')
  assert.equal(await visit.client.requestTls({ ca: identity.cert }), 'S')
  await visit.client.startup({ user: 'agent' })
  await visit.client.packet()
  await visit.client.password(secret)
  const greeting = await welcomed(visit.greeting)
  assert.equal(greeting.knock.target, 'agent', 'without a database the user names it, as in the server')
})

test('an ALPN name other than the protocol, or none, does not get direct TLS', async () => {
  {
    await using visit = await door(required)
    await visit.client.directTls({ ca: identity.cert, alpn: [] })
    assert.match((await visit.client.report()).get('M') ?? '', /without the application protocol "postgresql"/)
    assert.equal((await visit.greeting).kind, 'closed')
  }
  {
    await using visit = await door(required)
    await assert.rejects(visit.client.directTls({ ca: identity.cert, alpn: ['http/1.1'] }))
    assert.equal((await visit.greeting).kind, 'closed')
  }
})

test('bytes slipped in behind the SSL request are refused, not taken for encrypted ones (CVE-2021-23222)', async () => {
  await using visit = await door(required)
  await visit.client.say(writeRequest(SSL_CODE), writeStartup({ major: 3, minor: 0 }, Object.entries(startup)))
  const report = await visit.client.report()
  assert.equal(report.get('C'), '08P01')
  assert.match(report.get('M') ?? '', /unencrypted data after SSL request/)
  const greeting = await visit.greeting
  assert(greeting.kind === 'closed' && greeting.error?.code === 'PROTOCOL_MALFORMED')
})

test('without TLS no password is asked for where TLS is required', async () => {
  await using visit = await door(required)
  await visit.client.startup(startup)
  const report = await visit.client.report()
  assert.equal(report.get('C'), '28000')
  assert.match(report.get('H') ?? '', /sslmode=require/)
  assert.equal((await visit.client.rest()).length, 0)
  const greeting = await visit.greeting
  assert(greeting.kind === 'closed' && greeting.error?.code === 'AUTH_INSECURE')
})

test('a newer minor version and unknown protocol options are negotiated down', async () => {
  await using visit = await door(optional)
  await visit.client.startup({ ...startup, '_pq_.report_everything': '1', '_pq_.x': '' }, { major: 3, minor: 9999 })
  const packet = await visit.client.packet()
  assert.equal(packet?.type, 'v')
  assert.deepEqual(
    packet?.body,
    Buffer.concat([Buffer.from([0, 3, 0, 2, 0, 0, 0, 2]), Buffer.from('_pq_.report_everything\0_pq_.x\0')]),
  )
  assert.equal((await visit.client.packet())?.type, 'R')
  await visit.client.password(secret)
  const greeting = await welcomed(visit.greeting)
  assert.deepEqual(greeting.version, { major: 3, minor: 2 })
  assert.equal(
    [...greeting.parameters.keys()].some((name) => name.startsWith('_pq_')),
    false,
  )
})

for (const size of [4, 32, 256]) {
  test(`a cancel request with a secret of ${size} bytes is told apart, in the clear and over TLS`, async () => {
    const key = Buffer.alloc(4 + size, 7)
    for (const secured of [false, true]) {
      await using visit = await door(required)
      if (secured) await visit.client.requestTls({ ca: identity.cert })
      await visit.client.say(writeRequest(CANCEL_CODE, key))
      const greeting = await visit.greeting
      assert(greeting.kind === 'cancel')
      assert.deepEqual(Buffer.from(greeting.key), key)
    }
  })
}

const version = (major: number, minor = 0): Buffer =>
  Buffer.from([0, 0, 0, 9, major >> 8, major & 255, minor >> 8, minor & 255, 0])
const refused: readonly (readonly [what: string, bytes: Uint8Array, sqlState: string, message: RegExp])[] = [
  ['a length of 2 GiB', Buffer.from('7fffffff', 'hex'), '08P01', /invalid length of startup packet: 2147483647/],
  ['a length of 0', Buffer.alloc(8), '08P01', /invalid length of startup packet: 0/],
  ['a length just above the cap', Buffer.from('00002715', 'hex'), '08P01', /invalid length of startup packet: 10005/],
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n'), '08P01', /speaks the PostgreSQL protocol/],
  ['an SSH banner', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), '08P01', /speaks the PostgreSQL protocol/],
  ['protocol 2', version(2), '0A000', /unsupported frontend protocol 2\.0/],
  ['protocol 4', version(4), '0A000', /unsupported frontend protocol 4\.0/],
  ['no user', version(3), '08P01', /no PostgreSQL user name/],
  [
    'replication',
    writeStartup({ major: 3, minor: 0 }, [
      ['user', 'a'],
      ['replication', 'database'],
    ]),
    '0A000',
    /replication/,
  ],
  [
    'a target without a name',
    writeStartup({ major: 3, minor: 0 }, [
      ['user', 'a'],
      ['database', '/x'],
    ]),
    '3D000',
    /<target>/,
  ],
  ['a cancel key too short', writeRequest(CANCEL_CODE, Buffer.alloc(7)), '08P01', /cancel request with a key of 7 bytes/],
  ['a cancel key too long', writeRequest(CANCEL_CODE, Buffer.alloc(261)), '08P01', /cancel request with a key of 261 bytes/],
  ['text that is not UTF-8', Buffer.from('0000000f00030000757365720055ff', 'hex').fill(0xff, 13, 14), '08P01', /startup packet/],
  [
    'something else than a password',
    Buffer.concat([writeStartup({ major: 3, minor: 0 }, [['user', 'a']]), textMessage('Q', 'x')]),
    '08P01',
    /expected a password/,
  ],
  [
    'a password with a zero inside',
    Buffer.concat([writeStartup({ major: 3, minor: 0 }, [['user', 'a']]), textMessage('p', 'a', 'b')]),
    '08P01',
    /invalid password message/,
  ],
  [
    'an empty password',
    Buffer.concat([writeStartup({ major: 3, minor: 0 }, [['user', 'a']]), textMessage('p', '')]),
    '28P01',
    /password is empty/,
  ],
  [
    'an endless password',
    Buffer.concat([
      writeStartup({ major: 3, minor: 0 }, [['user', 'a']]),
      binaryMessage('p', Buffer.alloc(MAX_PASSWORD_BYTES + 1)).subarray(0, 5),
    ]),
    '54000',
    /65537 bytes/,
  ],
]
for (const [what, bytes, sqlState, message] of refused) {
  test(`${what} is refused with an error the peer can read`, async () => {
    await using visit = await door(optional)
    await visit.client.say(bytes)
    const packets = await visit.client.until('E')
    const last = packets.at(-1)
    assert.equal(last?.type, 'E')
    const text = last?.body.toString() ?? ''
    assert(text.includes(`C${sqlState}\0`), text)
    assert.match(text, message)
    assert.equal((await visit.client.rest()).length, 0, 'and the connection is closed')
    const greeting = await visit.greeting
    assert(greeting.kind === 'closed' && greeting.error !== undefined)
  })
}

test('half a startup packet runs into the deadline and is told so', async () => {
  await using visit = await door({ ...optional, deadlineMs: 30 })
  await visit.client.say(writeStartup({ major: 3, minor: 0 }, Object.entries(startup)).subarray(0, 20))
  const report = await visit.client.report()
  assert.equal(report.get('C'), '57014')
  assert.match(report.get('M') ?? '', /not set up within 30 ms/)
  const greeting = await visit.greeting
  assert(greeting.kind === 'closed' && greeting.error?.code === 'PROTOCOL_TIMEOUT')
})

test('a TLS handshake that never goes on runs into the deadline; no plain byte is sent into it', async () => {
  await using visit = await door({ ...required, deadlineMs: 30 })
  await visit.client.say(Buffer.from([0x16, 3, 1]))
  assert.equal((await visit.client.rest()).length, 0)
  const greeting = await visit.greeting
  assert(greeting.kind === 'closed' && greeting.error?.code === 'PROTOCOL_TIMEOUT')
})

test('a client that leaves before it has said anything, or within a packet, is simply gone', async () => {
  for (const bytes of [Buffer.alloc(0), writeStartup({ major: 3, minor: 0 }, Object.entries(startup)).subarray(0, 9)]) {
    await using visit = await door(optional)
    await visit.client.say(bytes)
    visit.client.stream.end()
    assert.deepEqual(await visit.greeting, { kind: 'closed' })
  }
})

test('a client that leaves within its TLS handshake is not waited for', async () => {
  await using visit = await door({ ...required, deadlineMs: 60_000 })
  await visit.client.say(Buffer.from('1603010002', 'hex'))
  visit.client.stream.end()
  const greeting = await visit.greeting
  assert(greeting.kind === 'closed' && greeting.error?.code === 'PROTOCOL_MALFORMED')
})

test('a client that half-closes after its password is still served', async () => {
  await using visit = await door(optional)
  await visit.client.say(writeStartup({ major: 3, minor: 0 }, Object.entries(startup)), textMessage('p', secret))
  visit.client.stream.end()
  const greeting = await welcomed(visit.greeting)
  greeting.client.write('!')
  assert.equal((await visit.client.packet())?.type, 'R')
  assert.equal((await visit.client.hear(1))?.toString(), '!')
})

test('the shutdown signal closes whoever is being greeted', async () => {
  const stop = new AbortController()
  await using visit = await door(optional, stop.signal)
  await visit.client.say(Buffer.from([0]))
  stop.abort(new Error('shutting down'))
  await assert.rejects(visit.greeting, /shutting down/)
  assert.equal((await visit.client.rest()).length, 0)
})

test('any bytes end in a greeting or a refusal: never a crash, never a wait', async () => {
  const start = fc.constantFrom(
    '',
    '16030100',
    '0000000804d2162f',
    '0000000804d21630',
    '0000001004d2162e',
    '0000001200030000',
    '0000001200030002',
  )
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 64 }), async (head, bytes) => {
      const [near, far] = duplexPair()
      far.on('error', () => {})
      far.resume()
      const greeting = greet(near, { ...optional, deadlineMs: 5_000 }, never)
      far.end(Buffer.concat([Buffer.from(head, 'hex'), bytes]))
      const result = await greeting
      if (result.kind === 'closed') {
        assert(near.destroyed)
        assert(result.error === undefined || /^(?:PROTOCOL|AUTH|TARGET)_/.test(result.error.code), result.error?.code)
      } else result.client.destroy()
    }),
    { numRuns: 300 },
  )
})

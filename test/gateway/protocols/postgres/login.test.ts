import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import type { Credential, UpstreamTls } from '../../../../gateway/credentials/credential.ts'
import { type LoginRequest, loginUpstream, type Upstream } from '../../../../gateway/protocols/postgres/login.ts'
import { readStartup } from '../../../../gateway/protocols/postgres/startup-packet.ts'
import { binaryMessage, simpleQuery } from '../../../../gateway/protocols/postgres/upstream-query.ts'
import { ApplianceError, type ErrorCode } from '../../../../schemas/errors.ts'
import type { Target } from '../../../../schemas/session.ts'
import { fakeServer, type PgPeer, says, serveTls } from '../../../support/pg-peer.ts'
import { hasDebian, startPostgres } from '../../../support/pg-server.ts'
import { selfSigned } from '../../../support/pg-tls.ts'

const never = new AbortController().signal
const password = `pw ${crypto.randomUUID()}`
const off: UpstreamTls = { mode: 'off' }

const targetAt = (port: number, host = '127.0.0.1'): Target => ({ name: 'shop', protocol: 'postgres', host, port, labels: {} })
const credentialOf = (tls: UpstreamTls, user = 'gateway'): Credential => ({ user, password, tls })
const request = (parameters: Record<string, string> = {}, minor = 2, database = 'postgres'): LoginRequest => ({
  database,
  parameters: new Map(Object.entries(parameters)),
  version: { major: 3, minor },
})
const code = (expected: ErrorCode, text?: RegExp) => (error: unknown) => {
  assert(error instanceof ApplianceError, String(error))
  assert.equal(error.code, expected, error.message)
  if (text !== undefined) assert.match(error.message, text)
  assert.equal(error.message.includes(password), false)
  return true
}

const roles = `
  SET password_encryption = 'scram-sha-256'; CREATE ROLE gateway LOGIN PASSWORD '${password}'; CREATE ROLE trusted LOGIN;
  CREATE ROLE plain LOGIN PASSWORD '${password}'; CREATE ROLE bound LOGIN PASSWORD '${password}'; CREATE ROLE localhost LOGIN;
  CREATE ROLE limited LOGIN CONNECTION LIMIT 0 PASSWORD '${password}';
  SET password_encryption = 'md5'; CREATE ROLE hashed LOGIN PASSWORD '${password}'`
const hba = [
  'host all trusted all trust',
  'host all plain all password',
  'host all hashed all md5',
  'hostssl all localhost all cert',
  'host all all all scram-sha-256',
]

for (const from of hasDebian() ? (['embedded', 'debian'] as const) : (['embedded'] as const)) {
  const server = await startPostgres({ from, hba })
  after(() => server.stop())
  await server.sql(roles)
  const login = async (credential: Credential, asked = request(), host?: string): Promise<Upstream> => {
    const upstream = await loginUpstream(targetAt(server.port, host), credential, asked, never)
    after(() => upstream.socket.destroy())
    return upstream
  }
  const verify: UpstreamTls = { mode: 'verify', ca: server.identity.cert }

  test(`${from}: each way of authenticating ends in a session that answers`, async () => {
    const ways = [
      [credentialOf(off), 'SCRAM-SHA-256'],
      [credentialOf({ mode: 'unverified' }), 'SCRAM-SHA-256-PLUS'],
      [credentialOf(verify), 'SCRAM-SHA-256-PLUS'],
      [credentialOf({ mode: 'verify', ca: server.identity.cert, serverName: 'localhost' }), 'SCRAM-SHA-256-PLUS'],
      [credentialOf(off, 'hashed'), 'md5'],
      [credentialOf(verify, 'plain'), 'cleartext'],
      [credentialOf(off, 'plain'), 'cleartext'],
      [{ user: 'trusted', tls: off }, 'none'],
      [{ user: 'localhost', certificate: server.identity, tls: verify }, 'none'],
    ] as const
    for (const [credential, authentication] of ways) {
      const upstream = await login(credential)
      assert.equal(upstream.authentication, authentication)
      assert.equal(upstream.tls !== undefined, credential.tls.mode !== 'off')
      const { rows } = await simpleQuery(upstream.socket, 'select session_user', never)
      assert.deepEqual(rows, [[credential.user]])
    }
  })

  test(`${from}: version and cancel key are what the server and the client can both speak`, async () => {
    const newest = await login(credentialOf(off))
    assert.deepEqual([newest.version.minor, newest.cancelKey.length], from === 'embedded' ? [2, 36] : [0, 8])
    const old = await login(credentialOf(off), request({}, 0))
    assert.deepEqual([old.version.minor, old.cancelKey.length], [0, 8])
    const { rows } = await simpleQuery(old.socket, 'select pg_backend_pid()', never)
    assert.deepEqual(rows, [[String(old.processId)]])
    assert.match(old.serverVersion, from === 'embedded' ? /^18/ : /^15/)
  })

  test(`${from}: the client's parameters are in force, and the pinned settings whatever role and database say`, async () => {
    await server.sql(
      "ALTER ROLE gateway SET client_encoding = 'LATIN1'; ALTER ROLE gateway SET standard_conforming_strings = off",
    )
    const asked = request({
      application_name: 'psql',
      TimeZone: 'Asia/Tokyo',
      options: '-c search_path=a -c extra_float_digits=2',
    })
    const upstream = await login(credentialOf(off), asked)
    assert.equal(upstream.parameters.get('client_encoding'), 'UTF8')
    assert.equal(upstream.parameters.get('standard_conforming_strings'), 'on')
    assert.equal(upstream.parameters.get('application_name'), 'psql')
    assert.equal(upstream.parameters.get('TimeZone'), 'Asia/Tokyo')
    const { rows } = await simpleQuery(
      upstream.socket,
      "select current_setting('search_path'), current_setting('extra_float_digits')",
      never,
    )
    assert.deepEqual(rows, [['a', '2']])
  })

  test(`${from}: refusals are told apart, without a word of our credential`, async () => {
    await assert.rejects(login({ ...credentialOf(off), password: 'wrong' }), code('TARGET_REFUSED', /operator/))
    await assert.rejects(login({ user: 'gateway', tls: off }), code('TARGET_REFUSED', /has none/))
    await assert.rejects(login(credentialOf(off), request({}, 2, 'nowhere')), code('TARGET_REFUSED', /no database "nowhere"/))
    await assert.rejects(login(credentialOf(off, 'limited')), code('TARGET_REFUSED', /too many connections/))
    await assert.rejects(login(credentialOf(off), request({ no_such: '1' })), code('TARGET_REFUSED', /"no_such" \(42704\)/))
    await assert.rejects(login({ user: 'localhost', tls: verify }), code('TARGET_REFUSED'))
  })

  test(`${from}: a certificate of another authority, or for another name, is not believed`, async () => {
    const other = await selfSigned()
    await assert.rejects(login(credentialOf({ mode: 'verify', ca: other.cert })), code('TARGET_UNREACHABLE', /TLS/))
    const elsewhere: UpstreamTls = { mode: 'verify', ca: server.identity.cert, serverName: 'db.example.com' }
    await assert.rejects(login(credentialOf(elsewhere)), code('TARGET_UNREACHABLE', /ALTNAME/))
  })
}

/** Reads the startup packet; what it asked for. */
async function started(peer: PgPeer): Promise<{ minor: number; parameters: ReadonlyMap<string, string> }> {
  const head = await peer.hear(4)
  const packet = readStartup((await peer.hear((head?.readUInt32BE(0) ?? 4) - 4)) ?? Buffer.alloc(0))
  assert(packet.kind === 'startup')
  return { minor: packet.version.minor, parameters: packet.parameters }
}

const pins = [says.parameter('client_encoding', 'UTF8'), says.parameter('standard_conforming_strings', 'on')]

/** A login against a scripted server. */
async function against(
  script: (peer: PgPeer, connection: number) => Promise<void>,
  credential = credentialOf(off),
  minor = 0,
): Promise<Upstream> {
  await using server = await fakeServer(script)
  const upstream = await loginUpstream(targetAt(server.port), credential, request({}, minor), never)
  upstream.socket.destroy()
  return upstream
}

test('bytes of a login that come one by one are read the same', async () => {
  const upstream = await against(async (peer) => {
    await started(peer)
    await peer.drip(Buffer.concat([says.authentication(0), ...pins, says.key(7, Buffer.from('abcd')), says.ready()]))
  })
  assert.equal(upstream.processId, 7)
  assert.deepEqual(Buffer.from(upstream.cancelKey), Buffer.from('\0\0\0\x07abcd'))
})

test('pinned settings that a pooler dropped are set, and checked', async () => {
  const keeps = (value: string) => async (peer: PgPeer) => {
    await started(peer)
    await peer.say(
      says.authentication(0),
      says.parameter('client_encoding', 'LATIN1'),
      says.parameter('standard_conforming_strings', 'on'),
      says.ready(),
    )
    const query = await peer.packet()
    assert.match(query?.body.toString() ?? '', /SET client_encoding = 'UTF8'; SHOW client_encoding/)
    const row = Buffer.concat([Buffer.from([0, 1, 0, 0, 0, value.length]), Buffer.from(value)])
    await peer.say(says.parameter('client_encoding', value), binaryMessage('D', row), says.ready())
  }
  const upstream = await against(keeps('UTF8'))
  assert.equal(upstream.parameters.get('client_encoding'), 'UTF8')
  await assert.rejects(against(keeps('LATIN1')), code('TARGET_REFUSED', /does not keep client_encoding/))
})

test('a server that breaks on a newer minor version is asked again with 3.0', async () => {
  const minors: number[] = []
  const upstream = await against(
    async (peer, connection) => {
      minors.push((await started(peer)).minor)
      if (connection === 0) await peer.say(says.error('08P01', 'unsupported protocol version 3.2'))
      else await peer.say(says.authentication(0), ...pins, says.ready())
    },
    credentialOf(off),
    2,
  )
  assert.deepEqual(minors, [2, 0])
  assert.equal(upstream.version.minor, 0)
})

test('a server that skips or mixes up the proof is not believed', async () => {
  const sasl = says.authentication(10, Buffer.from('SCRAM-SHA-256\0\0'))
  const scripts: Record<string, (peer: PgPeer) => Promise<void>> = {
    'AuthenticationOk in the middle of SCRAM': async (peer) => {
      await peer.say(sasl)
      await peer.packet()
      await peer.say(says.authentication(0), ...pins, says.ready())
    },
    'a final message before its time': async (peer) => {
      await peer.say(sasl)
      await peer.packet()
      await peer.say(says.authentication(12, Buffer.from('v=AAAA')))
    },
    'ReadyForQuery at once': (peer) => peer.say(says.ready()),
    'SASL continuation out of nothing': (peer) => peer.say(says.authentication(11, Buffer.from('r=x'))),
    'a second method after the first': async (peer) => {
      await peer.say(says.authentication(5, Buffer.from('salt')))
      await peer.packet()
      await peer.say(says.authentication(3))
    },
    'an unknown method': (peer) => peer.say(says.authentication(7)),
    'no mechanism of ours': (peer) => peer.say(says.authentication(10, Buffer.from('OAUTHBEARER\0\0'))),
    rows: (peer) => peer.say(binaryMessage('D', Buffer.from([0, 0]))),
  }
  for (const [what, script] of Object.entries(scripts)) {
    const run = against(async (peer) => {
      await started(peer)
      await script(peer)
    })
    await assert.rejects(run, code('TARGET_REFUSED'), what)
  }
})

test('md5 is answered by the salted hash, never by the password', async () => {
  let answer = ''
  await against(async (peer) => {
    await started(peer)
    await peer.say(says.authentication(5, Buffer.from('salt')))
    answer = (await peer.packet())?.body.toString() ?? ''
    await peer.say(says.authentication(0), ...pins, says.ready())
  })
  const inner = createHash('md5').update(`${password}gateway`).digest('hex')
  assert.equal(answer, `md5${createHash('md5').update(`${inner}salt`).digest('hex')}\0`)
})

test('over TLS a mechanism without channel binding says that it was not offered', async () => {
  const identity = await selfSigned()
  let first = ''
  const run = against(
    async (peer) => {
      await peer.hear(8)
      await peer.say(Buffer.from('S'))
      await serveTls(peer, identity)
      await started(peer)
      await peer.say(says.authentication(10, Buffer.from('SCRAM-SHA-256\0\0')))
      first = (await peer.packet())?.body.toString() ?? ''
      await peer.say(says.error('28000', 'enough'))
    },
    credentialOf({ mode: 'verify', ca: identity.cert }),
  )
  await assert.rejects(run, code('TARGET_REFUSED'))
  assert.match(first, /^SCRAM-SHA-256\0[\s\S]{4}y,,n=,r=/)
})

test('a server without TLS, or one that slips in bytes before it, gets no startup packet', async () => {
  const heard: (Buffer | undefined)[] = []
  for (const answer of ['N', 'E', 'SX']) {
    const run = against(
      async (peer) => {
        await peer.hear(8)
        await peer.say(Buffer.from(answer))
        heard.push(await peer.hear(1))
      },
      credentialOf({ mode: 'unverified' }),
    )
    await assert.rejects(run, code('TARGET_REFUSED', /TLS|unencrypted/), answer)
  }
  assert.deepEqual(heard, [undefined, undefined, undefined])
})

test('a server that leaves, floods or declares 2 GiB ends the attempt', async () => {
  const run = (...bytes: readonly Uint8Array[]) =>
    against(async (peer) => {
      await started(peer)
      await peer.say(...bytes)
      peer.stream.end()
    })
  await assert.rejects(run(), code('TARGET_UNREACHABLE', /left during the login/))
  await assert.rejects(run(says.authentication(0), Buffer.from([0x53, 0])), code('TARGET_UNREACHABLE'))
  await assert.rejects(run(Buffer.from([0x45, 0x7f, 0xff, 0xff, 0xff])), code('TARGET_REFUSED', /declares 2147483643 bytes/))
})

test('an abort ends the login and closes its connection', async () => {
  const stop = new AbortController()
  let closed = false
  {
    await using server = await fakeServer(async (peer) => {
      await started(peer)
      stop.abort(new Error('the client left'))
      closed = (await peer.hear(1)) === undefined
    })
    await assert.rejects(loginUpstream(targetAt(server.port), credentialOf(off), request(), stop.signal), /the client left/)
  }
  assert(closed)
})

test('notices of the login are kept for the session', async () => {
  const notice = binaryMessage('N', Buffer.from('SNOTICE\0VNOTICE\0C00000\0Mhello\0\0'))
  const upstream = await against(async (peer) => {
    await started(peer)
    await peer.say(says.authentication(0), notice, ...pins, says.ready())
  })
  assert.deepEqual(
    upstream.notices.map((bytes) => Buffer.from(bytes)),
    [Buffer.from(notice)],
  )
})

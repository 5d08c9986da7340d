import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import {
  type GatewayFolder,
  gatewayFolder,
  type RunningGateway,
  spawnGateway,
  startGateway,
  targetAt,
} from '../support/gateway.ts'
import { PgClient } from '../support/pg-peer.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'
import { framesOf } from '../support/tapes.ts'
import { tee } from '../support/tee.ts'

let server: PgServer
let folder: GatewayFolder
let gateway: RunningGateway & { readonly pid: number }

before(async () => {
  server = await startPostgres()
  folder = await gatewayFolder({
    targets: [targetAt(server, { name: 'shop' }), targetAt(server, { name: 'gone', port: 1 })],
    limits: { connectionsUnproved: 1000, connectionsUnprovedPerAddress: 1000 },
  })
  gateway = await spawnGateway(folder)
})
after(async () => {
  await gateway[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
  await server.stop()
})

function settings(
  of: RunningGateway = gateway,
  port = of.port,
): { host: string; port: number; user: string; password: string; database: string } {
  return { host: '127.0.0.1', port, user: 'agent', password: of.folder.keys.agent, database: 'shop' }
}

async function assertServes(of: RunningGateway = gateway): Promise<void> {
  const client = new Client(settings(of))
  await client.connect()
  assert.equal((await client.query('select 1 as alive')).rows[0].alive, 1)
  await client.end()
}

async function rssBytes(): Promise<number> {
  const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

const HOSTILE: readonly (readonly [string, Buffer])[] = [
  ['a length of 2 GiB', Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0])],
  ['a negative length', Buffer.from([0xff, 0xff, 0xff, 0xfc, 0, 3, 0, 0])],
  ['a length of zero', Buffer.alloc(8)],
  ['protocol 2', Buffer.from([0, 0, 0, 8, 0, 2, 0, 0])],
  ['GSS encryption asked twice', Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30, 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30])],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['a start-up packet without its end', Buffer.from([0, 0, 0, 12, 0, 3, 0, 0, 0x75, 0x73, 0x65, 0x72])],
  ['a replication start-up', startupOf({ user: 'agent', database: 'shop', replication: 'true' })],
  ['a cancel request for nobody', Buffer.concat([Buffer.from([0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e]), randomBytes(8)])],
]

function startupOf(parameters: Readonly<Record<string, string>>): Buffer {
  const body = Buffer.from(
    `${Object.entries(parameters)
      .map(([name, value]) => `${name}\0${value}\0`)
      .join('')}\0`,
  )
  const head = Buffer.alloc(8)
  head.writeUInt32BE(body.length + 8)
  head.writeUInt32BE(0x30000, 4)
  return Buffer.concat([head, body])
}

for (const [what, bytes] of HOSTILE) {
  test(`${what} ends that connection alone`, async () => {
    using client = await PgClient.connect(gateway.port)
    await client.say(bytes)
    client.stream.end()
    await client.rest()
    await assertServes()
  })
}

test('random bytes end that connection alone', async () => {
  for (let round = 0; round < 40; round += 1) {
    using client = await PgClient.connect(gateway.port)
    await client.say(randomBytes(1 + round * 17))
    client.stream.end()
    await client.rest()
  }
  await assertServes()
})

test('hostile bytes after login are a protocol error the client can read', async () => {
  const hostile: readonly Buffer[] = [
    Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff, 0x41]), // a query of 2 GiB
    Buffer.from([0x51, 0, 0, 0, 2]), // a length smaller than itself
    Buffer.from([0x7a, 0, 0, 0, 4]), // no such message
    randomBytes(200),
  ]
  for (const bytes of hostile) {
    using client = await PgClient.connect(gateway.port)
    await client.startup({ user: 'agent', database: 'shop' })
    await client.packet()
    await client.password(folder.keys.agent)
    await client.until('Z')
    await client.say(bytes)
    client.stream.end()
    const last = (await client.until('never')).at(-1)
    if (bytes.length < 100) assert.equal(last?.type, 'E', bytes.toString('hex'))
  }
  await assertServes()
})

test('what the server would answer with an error is answered so, and the session goes on', async () => {
  using client = await PgClient.connect(gateway.port)
  await client.startup({ user: 'agent', database: 'shop' })
  await client.packet()
  await client.password(folder.keys.agent)
  await client.until('Z')
  const sync = Buffer.from([0x53, 0, 0, 0, 4])
  for (const [bytes, state] of [
    [Buffer.from([0x51, 0, 0, 0, 15, ...Buffer.from("select '"), 0xff, 0]), '22021'],
    [Buffer.from([0x51, 0, 0, 0, 6, 0x41, 0x42]), '08P01'], // not terminated
    [Buffer.concat([Buffer.from([0x50, 0, 0, 0, 10, 0, 0xc3, 0x28, 0, 0, 0]), sync]), '22021'],
    [Buffer.concat([Buffer.from([0x42, 0, 0, 0, 6, 0xff, 0xff]), sync]), '08P01'], // a Bind of nothing
  ] as const) {
    bytes.writeInt32BE(bytes[0] === 0x51 ? bytes.length - 1 : bytes.length - 1 - sync.length, 1)
    await client.say(bytes)
    const [error, ready] = await client.until('Z')
    assert.deepEqual([error?.type, ready?.type], ['E', 'Z'], bytes.toString('hex'))
    assert.ok(error?.body.includes(`C${state}\0`), error?.body.toString('latin1'))
  }
  await client.say(Buffer.from([0x51, 0, 0, 0, 13, ...Buffer.from('select 1'), 0]))
  assert.deepEqual(
    (await client.until('Z')).map(({ type }) => type),
    ['T', 'D', 'C', 'Z'],
  )
})

test('a login byte by byte is a login', async () => {
  using client = await PgClient.connect(gateway.port)
  await client.drip(startupOf({ user: 'agent', database: 'shop' }))
  assert.equal((await client.packet())?.type, 'R')
  await client.password(folder.keys.agent)
  await client.until('Z')
  await client.drip(Buffer.from([0x51, 0, 0, 0, 13, ...Buffer.from('select 1'), 0]))
  assert.deepEqual(
    (await client.until('Z')).map(({ type }) => type),
    ['T', 'D', 'C', 'Z'],
  )
})

test('500 connections that never speak keep nobody out', async () => {
  const silent = await Promise.all(Array.from({ length: 500 }, () => PgClient.connect(gateway.port)))
  const half = silent.slice(0, 250)
  await Promise.all(half.map((client) => client.say(Buffer.from([0, 0, 1]))))
  for (let round = 0; round < 5; round += 1) await assertServes()
  for (const client of silent) client[Symbol.dispose]()
})

test('a client that never reads costs no memory, and the others nothing', async () => {
  await assertServes()
  const before = await rssBytes()
  using client = await PgClient.connect(gateway.port)
  await client.startup({ user: 'agent', database: 'shop' })
  await client.packet()
  await client.password(folder.keys.agent)
  await client.until('Z')
  client.stream.pause()
  await client.query("select repeat('x', 1000) from generate_series(1, 400000)")
  // The server itself is made to wait: what it could send has nowhere to go.
  for (let waiting = 0; waiting < 20; ) {
    const [row] = await server.sql(
      `select count(*)::int as n from pg_stat_activity where query like 'select repeat%' and wait_event = 'ClientWrite'`,
    )
    waiting = row?.['n'] === 1 ? waiting + 1 : 0
  }
  for (let round = 0; round < 30; round += 1) await assertServes()
  const grown = (await rssBytes()) - before
  assert.ok(grown < 120 * 1024 * 1024, `the gateway grew by ${grown} bytes`)
})

test('an upstream that cannot be reached is told as such', async () => {
  const client = new Client({ ...settings(), database: 'gone' })
  await assert.rejects(client.connect(), { code: '08001' })
  await assertServes()
})

test('an upstream that dies at the door or anywhere in the login is told as such', async (t) => {
  // How many of its bytes come through: none, the method it asks for, the challenge, the proof, parameters.
  const cuts = [0, 1, 9, 24, 60, 120, 200, 300]
  let most = 0
  const middle = createServer((near) => {
    const far = new (near.constructor as new () => Socket)().connect(server.port, '127.0.0.1')
    let left = most
    for (const socket of [near, far]) socket.on('error', () => undefined)
    near.on('close', () => far.destroy()).pipe(far)
    far.on('data', (bytes: Buffer) => {
      near.write(bytes.subarray(0, left))
      left -= bytes.length
      if (left <= 0) near.destroySoon()
    })
  }).listen(0, '127.0.0.1')
  t.after(() => middle.close())
  await once(middle, 'listening')
  const { port } = middle.address() as { port: number } // listening on TCP
  await using own = await startGateway({ targets: [targetAt(server, { name: 'shop', port })] })
  for (most of cuts) {
    const client = new Client(settings(own))
    client.on('error', () => undefined)
    await assert.rejects(client.connect(), { code: '08001', severity: 'FATAL' }, `after ${most} bytes`)
  }
  most = Number.POSITIVE_INFINITY
  await assertServes(own)
})

test('an upstream that dies in the middle of a row', async () => {
  await using fragile = await startPostgres()
  await using own = await startGateway({ targets: [targetAt(fragile, { name: 'shop' })] })
  await using proxy = await tee(own)
  const client = new Client(settings(own, proxy.port))
  client.on('error', () => undefined)
  await client.connect()
  const lost = assert.rejects(client.query("select repeat('y', 3000000) from generate_series(1, 50)"))
  const connection = proxy.connections[0]
  assert.ok(connection)
  await connection.has(2_000_000)
  await fragile.sql(
    `select pg_terminate_backend(pid) from pg_stat_activity where query like 'select repeat%' and pid <> pg_backend_pid()`,
  )
  await lost
  await proxy.check()
  await client.end().catch(() => undefined)
})

test('an upstream cut off without a word', async (t) => {
  const sockets = new Set<Socket>()
  const middle = createServer((near) => {
    const far = new (near.constructor as new () => Socket)().connect(server.port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    near.pipe(far).pipe(near)
  }).listen(0, '127.0.0.1')
  t.after(() => middle.close())
  await once(middle, 'listening')
  const { port } = middle.address() as { port: number } // listening on TCP
  await using own = await startGateway({ targets: [targetAt(server, { name: 'shop', port })] })
  await using proxy = await tee(own)
  const client = new Client(settings(own, proxy.port))
  client.on('error', () => undefined)
  await client.connect()
  const lost = assert.rejects(client.query("select repeat('y', 3000000) from generate_series(1, 50)"))
  await proxy.connections[0]?.has(2_000_000)
  for (const socket of sockets) socket.resetAndDestroy()
  await lost
  const session = await own.log.sealed(proxy.connections[0]?.port ?? 0)
  assert.ok((await framesOf(own.folder.dataDir, session)).length > 0)
  await proxy.check()
})

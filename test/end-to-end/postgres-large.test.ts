import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { clientHere, libpqEnv, run } from '../support/clients.ts'
import { type GatewayFolder, gatewayFolder, type RunningGateway, spawnGateway, targetAt } from '../support/gateway.ts'
import { PgClient } from '../support/pg-peer.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'
import { type Tee, tee } from '../support/tee.ts'

const MIB = 1024 * 1024
/** What warm streams may still add: far below one of the messages, so that a gateway that gathers one first would be seen. */
const MAX_GROWTH_BYTES = 48 * MIB

let server: PgServer
let folder: GatewayFolder
let gateway: RunningGateway & { readonly pid: number }
let proxy: Tee

before(async () => {
  server = await startPostgres()
  await server.sql('create table blobs (id int, body bytea, words text)')
  folder = await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })] })
  gateway = await spawnGateway(folder)
  proxy = await tee(gateway)
})
after(async () => {
  await proxy[Symbol.asyncDispose]()
  await gateway[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
  await server.stop()
})

/** The most memory the gateway's process ever had. */
async function peakBytes(): Promise<number> {
  const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

async function login(port = gateway.port): Promise<PgClient> {
  const client = await PgClient.connect(port)
  await client.startup({ user: 'agent', database: 'shop' })
  await client.packet()
  await client.password(folder.keys.agent)
  await client.until('Z')
  return client
}

test('rows of 64 MiB each, as text and as bytes, are streamed and recorded whole', async (t) => {
  const python = clientHere(t, 'psycopg')
  if (python === undefined) return
  const script = `
import psycopg
c = psycopg.connect("", autocommit=True)
words = c.execute("select repeat('abcdefg ', 8 * 1024 * 1024)").fetchone()[0]
assert len(words) == 64 * 1024 * 1024
body = c.execute("select convert_to(repeat('0123456789abcdef', 4 * 1024 * 1024), 'UTF8')", binary=True).fetchone()[0]
assert len(body) == 64 * 1024 * 1024
with c.cursor().copy("copy (select repeat('x', 70000000)) to stdout") as copy:
    assert sum(len(block) for block in copy) == 70000001
print("done")
`
  const env = libpqEnv(gateway, { port: proxy.port, database: 'shop' })
  // Once to warm up: the collector lets much garbage stand before it first sees to it.
  assert.match((await run(python, ['-c', script], { env })).stdout, /done/)
  const before = await peakBytes()
  const ran = await run(python, ['-c', script], { env })
  assert.match(ran.stdout, /done/, ran.stderr)
  await proxy.check()
  const grown = (await peakBytes()) - before
  assert.ok(grown < MAX_GROWTH_BYTES, `the gateway grew by ${grown} bytes`)
})

test('a COPY line of 40 MiB goes in whole', async (t) => {
  const python = clientHere(t, 'psycopg')
  if (python === undefined) return
  const script = `
import psycopg
c = psycopg.connect("", autocommit=True)
with c.cursor().copy("copy blobs (id, words) from stdin") as copy:
    copy.write("1\\t")
    for _ in range(40):
        copy.write("0123456789abcdef" * 65536)
    copy.write("\\n")
print(c.execute("select length(words), md5(words) from blobs where id = 1").fetchone())
`
  const ran = await run(python, ['-c', script], { env: libpqEnv(gateway, { port: proxy.port, database: 'shop' }) })
  const expected = createHash('md5')
    .update('0123456789abcdef'.repeat(65_536 * 40))
    .digest('hex')
  assert.equal(ran.stdout, `(${40 * MIB}, '${expected}')\n`, ran.stderr)
  await proxy.check()
})

test('a bound parameter of 30 MiB', async (t) => {
  const python = clientHere(t, 'psycopg')
  if (python === undefined) return
  const script = `
import psycopg
c = psycopg.connect("", autocommit=True)
print(c.execute("select length(%s::bytea), length(%s::text)", (b"x" * (30 * 1024 * 1024), "y" * (20 * 1024 * 1024))).fetchone())
`
  const ran = await run(python, ['-c', script], { env: libpqEnv(gateway, { port: proxy.port, database: 'shop' }) })
  assert.equal(ran.stdout, `(${30 * MIB}, ${20 * MIB})\n`, ran.stderr)
  await proxy.check()
})

test('a statement too large to be read is refused in words, and the session lives or ends cleanly', async (t) => {
  const python = clientHere(t, 'psycopg')
  if (python === undefined) return
  const script = `
import psycopg
c = psycopg.connect("", autocommit=True)
try:
    c.execute("select length('" + "x" * (16 * 1024 * 1024) + "')")
    print("it ran")
except psycopg.Error as error:
    print("refused", error.sqlstate, str(error)[:300])
print("closed" if c.closed else c.execute("select 1").fetchone())
`
  const ran = await run(python, ['-c', script], { env: libpqEnv(gateway, { port: proxy.port, database: 'shop' }) })
  assert.match(ran.stdout, /^refused (42501|54000)/, ran.stdout + ran.stderr)
  t.diagnostic(ran.stdout)
  await proxy.check()
})

test('an error message of 10 MiB', async () => {
  using client = await login(proxy.port)
  await client.query("select repeat('z', 10000000)::int")
  const packets = await client.until('Z')
  assert.deepEqual(
    packets.map(({ type }) => type),
    ['E', 'Z'],
  )
  assert.ok((packets[0]?.body.length ?? 0) > 10_000_000)
})

test('a pipeline of 20,000 statements before the first answer is read', async (t) => {
  const python = clientHere(t, 'psycopg')
  if (python === undefined) return
  const script = `
import psycopg
c = psycopg.connect("", autocommit=True)
with c.pipeline():
    cursors = [c.execute("select %s::int", (n,)) for n in range(20000)]
assert [cursor.fetchone()[0] for cursor in cursors] == list(range(20000))
print("done")
`
  const ran = await run(python, ['-c', script], { env: libpqEnv(gateway, { port: proxy.port, database: 'shop' }) })
  assert.match(ran.stdout, /done/, ran.stderr)
  await proxy.check()
})

test('100,000 statements in one go, on the wire', async () => {
  const count = 100_000
  const client = await login()
  const statement = Buffer.concat([
    message('P', '\0select 1\0\0\0'),
    message('B', '\0\0\0\0\0\0\0\0'),
    message('E', '\0\0\0\0\0'),
  ])
  const answers = readAnswers(client, count)
  for (let sent = 0; sent < count; sent += 1000) await client.say(...Array.from({ length: 1000 }, () => statement))
  await client.say(message('S', ''))
  assert.equal(await answers, count)
  await client.say(message('X', ''))
  client[Symbol.dispose]()
})

function message(type: string, body: string): Buffer {
  const bytes = Buffer.alloc(5 + body.length)
  bytes.write(type, 0, 'latin1')
  bytes.writeUInt32BE(4 + body.length, 1)
  bytes.write(body, 5, 'latin1')
  return bytes
}

/** Counts CommandComplete until ReadyForQuery. */
async function readAnswers(client: PgClient, most: number): Promise<number> {
  let rest = Buffer.alloc(0)
  let done = 0
  for await (const chunk of client.stream as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk])
    let at = 0
    while (at + 5 <= rest.length) {
      const size = 1 + rest.readUInt32BE(at + 1)
      if (at + size > rest.length) break
      if (rest[at] === 0x43) done += 1
      if (rest[at] === 0x45) throw new Error(`answer ${done} of ${most}: ${rest.toString('utf8', at, at + size)}`)
      if (rest[at] === 0x5a) return done
      at += size
    }
    rest = rest.subarray(at)
  }
  return done
}

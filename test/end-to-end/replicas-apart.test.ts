import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { connect as dial } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { followed } from '../../gateway/cli/console-events.ts'
import { type Azurite, startAzurite } from '../support/azurite.ts'
import { runCli } from '../support/cli.ts'
import { APPROVER } from '../support/gateway.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'
import { type Receiver, receiver } from '../support/receiver.ts'
import { makeReplicas, type Replica, type Replicas } from '../support/replicas.ts'

// Three gateways that have no folder in common: tapes and ledger in Blob Storage, what they agree on in PostgreSQL.

const BUDGET = 3_000
const POLICY = `
version: 1
rules:
  - id: ask-first
    action: hold
    match: { verb: [DELETE] }
    reason: a person decides what is deleted
    approval: { groups: [approvers], timeout: 60s }
  - id: day
    action: block
    match: { relations: [public.t] }
    threshold: { per: identity, window: 1h, rows: ${BUDGET} }
    reason: enough for an hour
`
/** What people are given survives the loss of a machine; the pulls of agents need not wait for the store. */
const RAISED = { recording: { durability: 'process', raise: [{ kinds: ['human'], durability: 'blob' }] } }
const DRAIN_MS = 8_000
const CONSOLE = { address: '127.0.0.1:0', roles: { investigator: ['developers'] } }
const HOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const DOES_IT = 'this gateway does it for all'
const NAMES = ['a', 'b', 'c'] as const

let server: PgServer
let azurite: Azurite
let replicas: Replicas
let hook: Receiver
const running = new Map<string, Replica>()
const stack = new AsyncDisposableStack()

before(async () => {
  server = stack.use(await startPostgres())
  azurite = stack.use(await startAzurite())
  await server.sql('create table t as select n, repeat($$x$$, 20) as text from generate_series(1, 50) n')
  hook = stack.use(await receiver())
  const siem = [{ name: 'lake', webhook: { url: hook.url, secret: { file: 'secrets/hook' } } }]
  const more = { ...RAISED, siem, limits: { drainTimeoutMs: DRAIN_MS } }
  replicas = stack.use(
    await makeReplicas({
      ...{ server, azurite, policy: POLICY, durability: 'process', more },
      own: { a: { console: CONSOLE } },
      secrets: { hook: HOOK_SECRET },
    }),
  )
  await Promise.all(NAMES.map(async (name) => running.set(name, await replicas.start(name))))
})
after(() => stack.disposeAsync())

const at = (name: string): Replica => running.get(name) ?? assert.fail(name)

async function connect(name: string, key: 'agent' | 'human' = 'agent'): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: at(name).port,
    user: 'me',
    password: replicas.folder.keys[key],
    database: 'shop',
  })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

const cli = (args: readonly string[], name: string, env: NodeJS.ProcessEnv = {}) =>
  runCli([...args, '--config', replicas.config(name)], { cwd: replicas.folder.path, env })

/** Notices of a client that mention a request. */
function held(client: Client): Promise<string> {
  return new Promise((resolve) => {
    client.on('notice', ({ message }) => {
      const id = /A-[0-9A-Z]{8}/.exec(message ?? '')?.[0]
      if (id !== undefined) resolve(id)
    })
  })
}

test('what one holds is decided on the machine of another, and runs once', async () => {
  const client = await connect('a', 'human')
  const asked = held(client)
  const deleted = client.query('DELETE FROM t WHERE n = 1')
  const id = await asked
  const env = { SALLYPORT_KEY: replicas.folder.keys.approver }
  const approved = await cli(['approvals', 'approve', id], 'b', env)
  assert.equal(approved.code, 0, approved.err)
  assert.equal((await deleted).rowCount, 1)
  const listed = await cli(['approvals', 'list', '--all', '--json'], 'c')
  const [one] = JSON.parse(listed.out)
  assert.deepEqual([one.state, one.decisions[0].by], ['consumed', APPROVER.subject])
  await client.end()
})

test('an approval whose asker has left is used up by the same statement through another gateway', async () => {
  const asker = await connect('a', 'human')
  const asked = held(asker)
  const sql = 'DELETE FROM t WHERE n = 2'
  const first = asker.query(sql).catch((error: unknown) => error)
  const id = await asked
  const second = await connect('c', 'human')
  const again = held(second)
  const deleted = second.query(sql)
  assert.equal(await again, id, 'the same statement joins the request')
  await asker.end()
  await first
  await cli(['approvals', 'approve', id], 'b', { SALLYPORT_KEY: replicas.folder.keys.approver })
  assert.equal((await deleted).rowCount, 1)
  await second.end()
})

test('thirty-two pulls through three gateways never bring more than the budget', async () => {
  const pulls = Array.from({ length: 32 }, async (_, n) => {
    const client = await connect(NAMES[n % 3] ?? 'a')
    let rows = 0
    client.on('error', () => undefined)
    try {
      for (;;) {
        const query = client.query('SELECT n, text FROM t LIMIT 47')
        rows += (await query).rows.length
      }
    } catch (error) {
      assert.match(String(error), /enough for an hour/)
    }
    await client.end()
    return rows
  })
  const rows = (await Promise.all(pulls)).reduce((sum, each) => sum + each, 0)
  // What a client throws away with the error of a result that was cut is not counted here: the tape has it.
  assert.ok(rows <= BUDGET, `${rows} rows`)
  assert.ok(rows > BUDGET * 0.8, `${rows} rows of ${BUDGET}`)
})

test('a key made on one machine opens the gateways of the others, and revoked there it ends their sessions', async () => {
  const made = await cli(['keys', 'create', 'ada@example.com', '--json'], 'a')
  assert.equal(made.code, 0, made.err)
  const { id, key } = JSON.parse(made.out)
  const client = new Client({ host: '127.0.0.1', port: at('c').port, user: 'me', password: key, database: 'shop' })
  const ended = new Promise((resolve) => client.on('error', resolve))
  await client.connect()
  await client.query('SELECT 1')
  assert.equal((await cli(['keys', 'revoke', id], 'b')).code, 0)
  assert.match(String(await ended), /revoked|terminat/i)
})

test('somebody who is kept out is so everywhere', async () => {
  const clients = await Promise.all(NAMES.map((name) => connect(name, 'human')))
  const ended = clients.map((client) => new Promise<void>((resolve) => client.on('end', () => resolve())))
  assert.equal((await cli(['identities', 'block', 'ada@example.com', '--reason', 'stolen'], 'a')).code, 0)
  await Promise.all(ended)
  assert.equal((await cli(['identities', 'unblock', 'ada@example.com', '--reason', 'found'], 'c')).code, 0)
  // And let in again everywhere, some a moment later.
  for (const name of NAMES)
    for (;;) {
      const client = await connect(name, 'human').catch((error: Error) => {
        assert.match(error.message, /access denied/)
      })
      if (client !== undefined) {
        await client.end()
        break
      }
      await delay(100)
    }
})

test('a statement is cancelled by a connection that comes to another gateway', async () => {
  const client = await connect('a', 'human')
  const slept = client.query('SELECT pg_sleep(60)').catch((error: unknown) => String(error))
  // Cancelled before it began it would go on.
  const busy = `select 1 from pg_stat_activity where query like 'SELECT pg_sleep%' and state = 'active'`
  while ((await server.sql(busy)).length === 0) await delay(50)
  // As every driver does it: over a new connection, with the key of the first.
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
  const message = Buffer.alloc(16)
  message.writeInt32BE(16, 0)
  message.writeInt32BE(80_877_102, 4)
  message.writeInt32BE(processID, 8)
  message.writeInt32BE(secretKey, 12)
  dial({ port: at('b').port, host: '127.0.0.1' }).end(message)
  assert.match(String(await slept), /cancel/i)
  await client.end()
})

/** Entries that the SIEM was told: what each is of, and its place in the ledger. */
const told = (): readonly { readonly index: number; readonly session: unknown; readonly type: unknown }[] =>
  hook.received.flatMap(({ body }) =>
    JSON.parse(body).map(({ unmapped }: { unmapped: { index: number; entry: Record<string, unknown> } }) => ({
      index: unmapped.index,
      session: unmapped.entry['session'],
      type: unmapped.entry['type'],
    })),
  )
const sessionAt = (name: string): string =>
  String(at(name).log.lines.findLast((line) => line['msg'] === 'session opened')?.['session'])
const leads = (name: string): boolean => {
  const lines = at(name).log.lines.filter(({ role }) => role === 'siem')
  return lines.at(-1)?.['msg'] === DOES_IT
}

test('a SIEM is told by one of them, each entry once; when that one is killed another goes on', {
  timeout: 240_000,
}, async () => {
  const hears = async (name: string): Promise<void> => {
    const client = await connect(name, 'human')
    await client.query('SELECT 1')
    const session = sessionAt(name)
    await client.end()
    while (!told().some((entry) => entry.session === session && entry.type === 'session.close')) await delay(100)
  }
  for (const name of NAMES) await hears(name)
  const indexes = told().map(({ index }) => index)
  assert.equal(new Set(indexes).size, indexes.length, 'nothing was told twice')
  const [leader, ...others] = NAMES.filter(leads)
  assert.ok(leader !== undefined && others.length === 0, 'one does it')
  await at(leader).kill()
  await Promise.all(
    NAMES.filter((name) => name !== leader)
      .slice(0, 1)
      .map(hears),
  )
  running.set(leader, await replicas.start(leader))
})

test('the console of one shows a session of another as it goes on', { timeout: 240_000 }, async (t) => {
  const { url } = await at('a').log.until((line) => line['msg'] === 'console is served', 120_000)
  const client = await connect('b', 'human')
  await client.query('SELECT 0')
  const session = sessionAt('b')
  const stop = new AbortController()
  const headers = { authorization: `Bearer ${replicas.folder.keys.human}` }
  const events = followed(new URL(String(url)), { headers, ca: undefined, signal: stop.signal })
  let statements = 1
  let saidMs = performance.now()
  const shownMs: number[] = []
  const say = async (): Promise<void> => {
    saidMs = performance.now()
    await client.query(`SELECT ${statements}`)
    statements += 1
  }
  const saying = setInterval(() => (shownMs.length === 0 ? void say() : undefined), 5_000)
  for await (const { event, data } of events) {
    if (event !== 'progress' || data.session !== session || data.statements < statements) continue
    shownMs.push(Math.round(performance.now() - saidMs))
    clearInterval(saying)
    if (shownMs.length === 4) break
    await say()
  }
  t.diagnostic(`shown after ${shownMs.join(', ')} ms`)
  stop.abort()
  await client.end()
})

test('one that is told to end takes nobody new and lets go on who is there, to the limit; the others take over', {
  timeout: 240_000,
}, async () => {
  const [short, long] = [await connect('b', 'human'), await connect('b', 'human')]
  const session = sessionAt('b')
  const word = 'said while it drains'
  const ended = new Promise<{ readonly code?: string; readonly message: string }>((resolve) => long.on('error', resolve))
  const stopped = at('b').stop()
  await at('b').log.until((line) => String(line['msg']).startsWith('draining'))
  assert.equal((await long.query(`SELECT '${word}' AS said`)).rows[0].said, word)
  await assert.rejects(connect('b', 'human'), /ECONNREFUSED/)
  const elsewhere = await connect('c', 'human')
  assert.equal((await elsewhere.query('SELECT 1 AS one')).rows[0].one, 1)
  await short.end()
  const { code, message } = await ended
  assert.equal(code, '57P01', message)
  assert.match(message, /shutting down/)
  assert.equal(await stopped, true, 'every tape is sealed')
  assert.equal((await elsewhere.query('SELECT 2 AS two')).rows[0].two, 2)
  await elsewhere.end()
  assert.match((await cli(['replay', session], 'a')).out, new RegExp(word))
  running.set('b', await replicas.start('b'))
  await (await connect('b', 'human')).end()
})

for (const name of NAMES) {
  const spool = name === 'a' ? '' : ', also with its disk'
  test(`killing ${name}${spool} loses nothing that was delivered; started again it goes on`, async () => {
    const others = await Promise.all(NAMES.filter((each) => each !== name).map((each) => connect(each, 'human')))
    const client = await connect(name, 'human')
    const word = `the last words of ${name}`
    assert.equal((await client.query(`SELECT '${word}' AS said`)).rows[0].said, word)
    const session = at(name).log.lines.findLast((line) => line['msg'] === 'session opened')?.['session']
    await at(name).kill()
    if (name !== 'a') await rm(replicas.dataDir(name), { recursive: true })
    for (const other of others) {
      assert.equal((await other.query('SELECT 1 AS one')).rows[0].one, 1)
      await other.end()
    }
    running.set(name, await replicas.start(name))
    const tape = async (): Promise<string> => (await cli(['replay', String(session)], 'a')).out
    assert.match(await tape(), new RegExp(word))
    const again = await connect(name, 'human')
    await again.end()
  })
}

test('where the database is away nobody comes in, nothing is approved, and what goes on goes on; then all is well again', async () => {
  const client = await connect('a', 'human')
  await server.sql('alter database sallyport_shared allow_connections false')
  await server.sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = 'sallyport_shared'`)
  await assert.rejects(client.query('DELETE FROM t WHERE n = 3'), /cannot be decided|could not|approv/i)
  assert.equal((await client.query('SELECT 2 AS two')).rows[0].two, 2)
  await assert.rejects(async () => {
    const agent = await connect('a')
    await agent.query('SELECT n FROM t LIMIT 3')
  })
  await server.sql('alter database sallyport_shared allow_connections true')
  const untilMs = performance.now() + 60_000
  for (;;) {
    try {
      const back = await connect('b', 'human')
      await back.end()
      break
    } catch (error) {
      assert.ok(performance.now() < untilMs, String(error))
    }
  }
  await client.end()
})

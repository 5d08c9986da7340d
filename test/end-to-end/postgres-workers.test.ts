import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import { clientHere, libpqEnv, Running } from '../support/clients.ts'
import { APPROVER, type GatewayFolder, gatewayFolder, type RunningGateway, spawnGateway, targetAt } from '../support/gateway.ts'
import { heldRequest, PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'
import { sessionsOf } from '../support/tapes.ts'

const POLICY = `${PEOPLE_POLICY.trimEnd()}
  - { id: hour, on: postgres, match: { relations: measures }, threshold: { rows: 2500, per: identity, window: 1h }, action: block }
`

let server: PgServer
let folder: GatewayFolder
let gateway: RunningGateway

const stack = new AsyncDisposableStack()

before(async () => {
  server = stack.use(await startPostgres())
  await server.sql(PEOPLE_SQL)
  folder = stack.use(await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })], policy: POLICY }))
  gateway = stack.use(await spawnGateway(folder, { workers: 4 }))
})
after(() => stack.disposeAsync())

async function connect(): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: gateway.port,
    user: 'agent',
    password: folder.keys.agent,
    database: 'shop',
  })
  await client.connect()
  return client
}

test('a cancel request finds its session whichever worker takes it', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  const desk = await gateway.desk()
  const env = libpqEnv(gateway, { database: 'shop' })
  // A new connection goes to the next worker in turn, so most of these cancels arrive at another one.
  await Promise.all(
    Array.from({ length: 6 }, async (_, n) => {
      const psql = new Running(program, ['-X', '-v', 'VERBOSITY=verbose'], { env })
      psql.type(n % 2 === 0 ? `delete from doomed /* ${n} */;\n` : `select pg_sleep(60), 'sleeper ${n}';\n`)
      if (n % 2 === 0) {
        const [id = ''] = await psql.says(/A-[0-9A-HJKMNP-TV-Z]{8}/)
        psql.child.kill('SIGINT')
        await psql.says(/ERROR: {2}57014/)
        assert.equal((await desk.get(id)).state, 'withdrawn')
      } else {
        for (let active = 0; active === 0; ) {
          const [row] = await server.sql(
            `select count(*)::int as n from pg_stat_activity where query like '%sleeper ${n}%' and state = 'active' and pid <> pg_backend_pid()`,
          )
          active = Number(row?.['n'])
        }
        psql.child.kill('SIGINT')
        await psql.says(/ERROR: {2}57014/)
      }
      psql.type('\\q\n')
      await psql.ended
    }),
  )
})

test('a grant asked for at one worker is used at another, once', async () => {
  const desk = await gateway.desk()
  const first = await connect()
  const held = heldRequest(first)
  await assert.rejects(first.query('truncate doomed'), /was not approved in time/)
  await desk.decide(await held, { act: 'approve' }, APPROVER)
  const clients = await Promise.all(Array.from({ length: 6 }, connect))
  const outcomes = await Promise.allSettled(clients.map((client) => client.query('truncate doomed')))
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  await Promise.all([first, ...clients].map((client) => client.end()))
})

test('sessions of all workers are numbered without gaps, each under its own name', async () => {
  const clients = await Promise.all(Array.from({ length: 16 }, connect))
  await Promise.all(clients.map((client) => client.query('select 1')))
  await Promise.all(clients.map((client) => client.end()))
  const numbers = new Map<string, number[]>()
  for (const { header } of await sessionsOf(folder.dataDir)) {
    if (header === undefined || !('session' in header)) continue
    const { gateway: name, number } = header.session
    numbers.set(name, [...(numbers.get(name) ?? []), number])
  }
  assert.ok(numbers.size > 1)
  for (const [name, list] of numbers) {
    assert.deepEqual(
      list.toSorted((a, b) => a - b),
      Array.from({ length: list.length }, (_, n) => n + 1),
      name,
    )
  }
})

/** Sessions at every worker: a new connection goes to the next in turn. */
async function everywhere(): Promise<readonly Client[]> {
  const known = new Set((await sessionsOf(folder.dataDir)).map(({ id }) => id))
  const clients = await Promise.all(Array.from({ length: 12 }, connect))
  await Promise.all(clients.map((client) => client.query('select 1')))
  const workers = new Set<string>()
  for (const { id, header } of await sessionsOf(folder.dataDir))
    if (!known.has(id) && header !== undefined && 'session' in header) workers.add(header.session.gateway)
  assert.equal(workers.size, 4)
  return clients
}

/** Until each of them is refused the statement, by this rule. */
async function allRefused(clients: readonly Client[], sql: string, rule: RegExp): Promise<void> {
  for (const client of clients) {
    for (let said = ''; !rule.test(said); ) {
      said = await client.query(sql).then(
        () => '',
        (error: unknown) => String(error),
      )
      if (said === '') await wait(50)
      else assert.match(said, rule)
    }
  }
}

test('what an identity was given at one worker counts at all others', { timeout: 120_000 }, async () => {
  const clients = await everywhere()
  const [first, second] = clients
  for (const client of [first, first, second])
    assert.equal((await client?.query('select id from measures limit 800'))?.rows.length, 800)
  await first?.query('select id from measures limit 800').catch((error: unknown) => assert.match(String(error), /hour/))
  await allRefused(clients, 'select id from measures limit 1', /hour/)
  await Promise.all(clients.map((client) => client.end()))
})

test('a changed policy judges the open sessions of every worker', { timeout: 120_000 }, async () => {
  const clients = await everywhere()
  for (const client of clients) await client.query('select id from doomed limit 1')
  await writeFile(
    join(folder.path, 'policy.yaml'),
    `${POLICY.trimEnd()}\n  - { id: not-doomed, on: postgres, match: { relations: doomed }, action: block }\n`,
  )
  await allRefused(clients, 'select id from doomed limit 1', /not-doomed/)
  for (const client of clients) assert.equal((await client.query('select 1 as one')).rows.length, 1, 'the sessions go on')
  await Promise.all(clients.map((client) => client.end()))
})

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import { clientHere, libpqEnv, Running } from '../support/clients.ts'
import { APPROVER, type GatewayFolder, gatewayFolder, type RunningGateway, spawnGateway, targetAt } from '../support/gateway.ts'
import { heldRequest, PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'
import { sessionsOf } from '../support/tapes.ts'

let server: PgServer
let folder: GatewayFolder
let gateway: RunningGateway

const stack = new AsyncDisposableStack()

before(async () => {
  server = stack.use(await startPostgres())
  await server.sql(PEOPLE_SQL)
  folder = stack.use(await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })], policy: PEOPLE_POLICY }))
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

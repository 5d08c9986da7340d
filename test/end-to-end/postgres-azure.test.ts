import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { accessToken } from '../../gateway/credentials/azure.ts'
import { startIdentityEndpoint, withEnv } from '../support/azure-identity.ts'
import { startGateway, targetAt } from '../support/gateway.ts'
import { startPostgres } from '../support/pg-server.ts'

const LIFE_S = 12

test("a token that is renewed is the next session's password; sessions that live go on with what they came in by", async () => {
  await using endpoint = await startIdentityEndpoint()
  using _env = withEnv(endpoint.env)
  await using server = await startPostgres()
  await server.sql('create role recorder login')
  const managedIdentity = { clientId: randomUUID() }
  /** What Azure's database does by itself: the token that is good now is the role's password. */
  const admit = async (token: string): Promise<unknown> => server.sql(`alter role recorder password '${token}'`)

  endpoint.lifeS = LIFE_S
  await admit(await accessToken(managedIdentity))
  const { password: _superusers, ...target } = targetAt(server, { name: 'shop', user: 'recorder' })
  await using gateway = await startGateway({ targets: [{ ...target, managedIdentity }] })
  const connect = async (): Promise<Client> => {
    const { agent } = gateway.folder.keys
    const client = new Client({ host: '127.0.0.1', port: gateway.port, user: 'agent', password: agent, database: 'shop' })
    // Where the test fails, the gateway ends it.
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const sums = async (client: Client, number: number): Promise<unknown> => {
    const { rows } = await client.query('select $1::int + 1 as sum, current_user as who', [number])
    return rows[0]
  }
  const first = await accessToken(managedIdentity)
  await admit(first)
  const living = await connect()
  const running = living.query(`select pg_sleep(${LIFE_S}), 41 + 1 as sum`)

  endpoint.lifeS = 3_600
  let next = first
  while (next === first) {
    await delay(200)
    next = await accessToken(managedIdentity)
  }
  await admit(next)
  const later = await connect()
  assert.deepEqual(await sums(later, 1), { sum: 2, who: 'recorder' })
  assert.equal((await running).rows[0].sum, 42, 'the statement that ran meanwhile was not disturbed')
  assert.deepEqual(await sums(living, 2), { sum: 3, who: 'recorder' })
  await assert.rejects(
    new Client({ host: '127.0.0.1', port: server.port, user: 'recorder', password: first, database: 'postgres' }).connect(),
    /password authentication failed/,
    'the old one opens nothing any more',
  )
  await Promise.all([living.end(), later.end()])
  for (const token of [first, next]) assert.ok(!gateway.log.text.includes(token), 'no token in the log')
})

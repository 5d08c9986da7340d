import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { assertRan, clientHere, JDBC_JAR, libpqEnv, run } from '../support/clients.ts'
import { type RunningGateway, startGateway, targetAt } from '../support/gateway.ts'
import { startPostgres } from '../support/pg-server.ts'

test('clients over TLS, as strict as they come', async (t) => {
  await using server = await startPostgres()
  await using gateway = await startGateway({ targets: [targetAt(server, { name: 'shop' })], tls: 'required' })
  const env = (sslmode: string): Record<string, string> => ({
    ...libpqEnv(gateway, { database: 'shop', sslmode }),
    PGHOST: 'localhost',
  })

  const psql = clientHere(t, 'psql')
  if (psql !== undefined) {
    for (const sslmode of ['prefer', 'require', 'verify-ca', 'verify-full']) {
      await t.test(`psql with sslmode=${sslmode}`, async () => {
        const ran = await run(psql, ['-X', '-At', '-c', 'select 1', '-c', '\\conninfo'], { env: env(sslmode) })
        assertRan(ran, 'psql')
        assert.match(ran.stdout, /^1\n[\s\S]*TLSv1\.3/)
      })
    }
    await t.test('in the clear it is refused, and told why', async () => {
      const ran = await run(psql, ['-X', '-c', 'select 1'], { env: env('disable') })
      assert.equal(ran.code, 2)
      assert.match(ran.stderr, /this gateway takes connections over TLS only/)
    })
    await t.test('a wrong key, no key, an unknown target', async () => {
      const wrong = await run(psql, ['-X', '-c', 'select 1'], { env: { ...env('require'), PGPASSWORD: 'not a key' } })
      assert.match(wrong.stderr, /FATAL/)
      const unknown = await run(psql, ['-X', '-c', 'select 1'], { env: { ...env('require'), PGDATABASE: 'elsewhere' } })
      assert.match(unknown.stderr, /there is no target "elsewhere"/)
      for (const ran of [wrong, unknown]) assert.equal(ran.code, 2)
    })
  }

  const python = clientHere(t, 'psycopg')
  if (python !== undefined) {
    for (const negotiation of ['postgres', 'direct']) {
      await t.test(`libpq with sslnegotiation=${negotiation} and protocol 3.2`, async () => {
        const script = `
import psycopg
c = psycopg.connect("sslnegotiation=${negotiation} min_protocol_version=3.2 max_protocol_version=3.2")
print(c.execute("select 1").fetchone(), c.pgconn.full_protocol_version, c.pgconn.ssl_in_use)
`
        const ran = await run(python, ['-c', script], { env: env('verify-full') })
        assertRan(ran, 'psycopg')
        assert.equal(ran.stdout, '(1,) 30002 True\n')
      })
    }
  }

  await t.test('node-postgres', async () => {
    const { readFile } = await import('node:fs/promises')
    const client = new Client({
      host: 'localhost',
      port: gateway.port,
      user: 'agent',
      password: gateway.folder.keys.agent,
      database: 'shop/postgres',
      ssl: { ca: await readFile(gateway.caFile, 'utf8') },
    })
    await client.connect()
    assert.equal((await client.query('select 1 as n')).rows[0].n, 1)
    await client.end()
  })

  const java = clientHere(t, 'java')
  if (java !== undefined) {
    await t.test('JDBC with sslmode=verify-full', async () => {
      const url = `jdbc:postgresql://localhost:${gateway.port}/shop?sslmode=verify-full&sslrootcert=${gateway.caFile}`
      const tour = new URL('clients/JdbcTls.java', import.meta.url).pathname
      const ran = await run(java, ['-XX:TieredStopAtLevel=1', '-cp', JDBC_JAR, tour, url, 'agent', gateway.folder.keys.agent])
      assertRan(ran, 'JDBC')
      assert.equal(ran.stdout.trim(), 'TLSv1.3 or so: true')
    })
  }
})

test('every way of logging in upstream', async (t) => {
  await using server = await startPostgres({
    hba: [
      'hostssl all certified all cert',
      'hostssl all clear all password',
      'host all md5er all md5',
      'hostssl all postgres all scram-sha-256',
      'hostnossl all plain all scram-sha-256',
    ],
  })
  const { cert } = server.identity
  await server.sql(`create role plain login password 'p1'`)
  await server.sql(`create role clear login password 'p2'`)
  await server.sql(`set password_encryption = md5; create role md5er login password 'p3'`)
  await server.sql(`create role localhost login; create role certified login`)
  const verify = { mode: 'verify', ca: cert } as const
  await using gateway = await startGateway({
    targets: [
      targetAt(server, { name: 'scram-plus', tls: verify }),
      targetAt(server, { name: 'scram', user: 'plain', password: 'p1', tls: { mode: 'off' } }),
      targetAt(server, { name: 'md5', user: 'md5er', password: 'p3', tls: verify }),
      targetAt(server, { name: 'md5-clear', user: 'md5er', password: 'p3', tls: { mode: 'off' } }),
      targetAt(server, { name: 'password', user: 'clear', password: 'p2', tls: verify }),
      targetAt(server, { name: 'unverified', tls: { mode: 'unverified' } }),
      targetAt(server, { name: 'wrong-password', password: 'nope', tls: verify }),
      targetAt(server, { name: 'no-such-role', user: 'nobody', tls: verify }),
    ],
  })
  const expectations = [
    ['scram-plus', 'postgres'],
    ['scram', 'plain'],
    ['md5', 'md5er'],
    ['password', 'clear'],
    ['unverified', 'postgres'],
  ] as const
  for (const [target, role] of expectations) {
    await t.test(target, async () => {
      const client = clientOf(gateway, target)
      await client.connect()
      assert.equal((await client.query('select current_user as r')).rows[0].r, role)
      await client.end()
    })
  }
  for (const target of ['wrong-password', 'no-such-role']) {
    await t.test(`${target}: told without the gateway's own account's secrets`, async () => {
      const client = clientOf(gateway, target)
      client.on('error', () => undefined)
      await assert.rejects(client.connect(), (error: Error & { code?: string }) => {
        assert.match(String(error.code), /^(08004|28)/)
        assert.doesNotMatch(JSON.stringify(error) + error.message, /nope/)
        return true
      })
    })
  }
})

test('a client certificate logs in upstream', async () => {
  await using server = await startPostgres({ hba: ['hostssl all localhost all cert'] })
  await server.sql('create role localhost login')
  await using gateway = await startGateway({
    targets: [
      {
        name: 'certified',
        port: server.port,
        database: 'postgres',
        user: 'localhost',
        tls: { mode: 'verify', ca: server.identity.cert },
        certificate: server.identity,
      },
    ],
  })
  const client = clientOf(gateway, 'certified')
  await client.connect()
  assert.equal((await client.query('select current_user as r')).rows[0].r, 'localhost')
  await client.end()
})

function clientOf(gateway: RunningGateway, database: string): Client {
  return new Client({ host: '127.0.0.1', port: gateway.port, user: 'agent', password: gateway.folder.keys.agent, database })
}

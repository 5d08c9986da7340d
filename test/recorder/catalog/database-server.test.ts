import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tokensOf } from '../../../recorder/azure/identity.ts'
import { openDatabase } from '../../../recorder/catalog/database.ts'
import { startIdentityEndpoint, withEnv } from '../../support/azure-identity.ts'
import { startPostgres } from '../../support/pg-server.ts'

const CLIENT_ID = '22222222-3333-4444-5555-666666666666'
const SCOPE = 'https://ossrdbms-aad.database.windows.net/.default'

test('a server is logged in to with a token of the managed identity, and with nothing that could lose it', async () => {
  await using endpoint = await startIdentityEndpoint()
  using _ = withEnv(endpoint.env)
  await using server = await startPostgres({ tls: false })
  const identity = { kind: 'managed', clientId: CLIENT_ID } as const
  // What Azure's server does with a token, this one does with a password.
  const { token } = await (await tokensOf(identity)).getToken(SCOPE)
  await server.sql(`create role "sallyport-id" superuser login password '${token}'`)
  const at = (host: string, query = ''): string => `postgres://sallyport-id@${host}:${server.port}/postgres${query}`
  const never = (problem: string): void => assert.fail(problem)
  const database = await openDatabase({ url: at('127.0.0.1', '?sslmode=disable'), identity }, never)
  try {
    const { rows } = await database.query<{ who: string }>('select current_user as who')
    assert.deepEqual(rows, [{ who: 'sallyport-id' }])
    assert.deepEqual(endpoint.asked, [`https://ossrdbms-aad.database.windows.net ${CLIENT_ID}`])
  } finally {
    await database.close()
  }
  await assert.rejects(openDatabase({ url: at('db.invalid', '?sslmode=require'), identity }, never), /verify-full only/)
  await assert.rejects(
    openDatabase({ url: `postgres://u:p@127.0.0.1:${server.port}/postgres`, identity }, never),
    /either a password or managedIdentity/,
  )
})

test('over TLS the server is verified', async () => {
  await using endpoint = await startIdentityEndpoint()
  using _ = withEnv(endpoint.env)
  await using server = await startPostgres()
  const identity = { kind: 'managed' } as const
  const never = (problem: string): void => assert.fail(problem)
  await assert.rejects(
    openDatabase({ url: `postgres://postgres@localhost:${server.port}/postgres`, identity }, never),
    /self-signed certificate/,
  )
})

test('a role that may create no schema opens what is there', async () => {
  await using server = await startPostgres({ tls: false })
  await server.sql(`create role plain login password 'plain'; grant create on database postgres to plain`)
  const open = async (): Promise<void> => {
    const place = { url: `postgres://plain:plain@127.0.0.1:${server.port}/postgres` }
    await (await openDatabase(place, (problem) => assert.fail(problem))).close()
  }
  await open()
  await server.sql('revoke create on database postgres from plain')
  await open()
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readExcess } from '../../../../gateway/protocols/postgres/upstream-grants.ts'
import { startPostgres } from '../../../support/pg-server.ts'

test('a superuser and what it owns are told; of a role nobody gave anything to, what everybody may', async () => {
  await using server = await startPostgres({ from: 'embedded', hba: ['host all all all trust'] })
  await server.sql('create role plain login')
  const target = { name: 'postgres', protocol: 'postgres', host: '127.0.0.1', port: server.port, labels: {} } as const
  const rights = async (user: string): Promise<readonly string[]> => {
    const found = await readExcess(target, { user, tls: { mode: 'off' } }, AbortSignal.timeout(60_000))
    return found.map(({ right, cure }) => `${right.split(':')[0]} -> ${cure}`)
  }
  assert.deepEqual(await rights('plain'), ['TEMPORARY -> REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC, plain'])
  assert.deepEqual((await rights('postgres')).slice(0, 1), ['superuser -> ALTER ROLE postgres NOSUPERUSER'])
  await assert.rejects(rights('nobody'))
})

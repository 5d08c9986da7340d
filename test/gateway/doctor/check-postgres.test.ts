import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkGrants } from '../../../gateway/doctor/check-postgres.ts'
import { startPostgres } from '../../support/pg-server.ts'

test('what the gateway’s role may do too much at a target is listed, with what takes it away', async () => {
  await using server = await startPostgres({ from: 'embedded', hba: ['host all all all trust'] })
  await server.sql(`create role modest login;
    revoke temporary on database postgres from public;
    create role broad login bypassrls createrole replication;
    grant pg_read_server_files, pg_execute_server_program to broad;
    grant create on schema public to broad;
    create table kept (id int);
    alter table kept owner to broad`)
  const seen = async (user: string) => {
    const target = {
      name: 'shop',
      protocol: 'postgres',
      host: '127.0.0.1',
      port: server.port,
      database: 'postgres',
      labels: {},
    } as const
    const credential = { user, tls: { mode: 'off' as const }, from: (path: string) => path }
    const settings = { target, hosts: [], groups: [], durability: 'process' as const, credential }
    return checkGrants({ targets: new Map([['shop', settings]]) }, {})
  }
  assert.deepEqual(await seen('modest'), [
    { what: 'target shop, role modest', status: 'ok', seen: 'may do nothing that no session needs' },
  ])
  const broad = await seen('broad')
  assert.deepEqual([...new Set(broad.map(({ status }) => status))], ['excess'])
  assert.deepEqual(broad.map(({ seen: right }) => right.split(':')[0]).sort(), [
    'BYPASSRLS',
    'CREATE in schema public',
    'CREATEROLE',
    'REPLICATION',
    'member of pg_execute_server_program',
    'member of pg_read_server_files',
    'owner of 1 tables and views',
  ])
  // The cures are what an administrator can paste.
  for (const { cure = '' } of broad) await server.sql(cure.replace('another_role', 'postgres'))
  assert.deepEqual(
    (await seen('broad')).map(({ status }) => status),
    ['ok'],
  )
  const [all] = await seen('postgres')
  assert.match(all?.seen ?? '', /^superuser/)
  const [gone] = await seen('nobody')
  assert.equal(gone?.status, 'failed')
})

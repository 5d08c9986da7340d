import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, type QueryConfig } from 'pg'
import { assertRan, clientHere, libpqEnv, run } from '../support/clients.ts'
import { startRig } from '../support/gateway-rig.ts'

const POLICY = `
version: 1
rules: []
patterns:
  - { id: employee, regex: '\\bEMP-[0-9]{6}\\b' }
`
const SEED = `
create table staff (id int, badge text, note text, parts text[], doc jsonb);
insert into staff select i, 'EMP-' || (100000 + i), repeat('lorem ipsum ', 20) || 'by EMP-' || (200000 + i) || ' and others',
  array['x', 'EMP-' || (300000 + i)], jsonb_build_object('who', 'EMP-' || (400000 + i)) from generate_series(1, 400) i;
`
const PLANTED = /EMP-[1-4]00[0-9]{3}/

test('a pattern of the policy masks its values by every road there is to a client', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: POLICY, seed: SEED })
  if (rig === undefined) return
  const client = new Client({
    host: '127.0.0.1',
    port: rig.tee.port,
    user: 'agent',
    password: rig.gateway.folder.keys.agent,
    database: rig.database,
  })
  await client.connect()
  const notices: string[] = []
  client.on('notice', ({ message }) => notices.push(message ?? ''))
  const roads = [
    'select * from staff',
    'select badge from staff where id = 1',
    "select string_agg(badge, ',') from staff",
    'select to_json(staff) from staff',
    'select badge::bytea from staff',
    'select badge::int from staff',
    "do $$ begin raise notice 'found %', (select badge from staff limit 1); end $$",
    'declare c cursor with hold for select badge from staff; fetch 5 from c',
    'create table again as select badge as harmless from staff',
    'select harmless from again',
    'explain (costs off) select * from staff where badge = $q$EMP-100001$q$',
    'select 1 as "EMP-100001"',
  ]
  let masked = 0
  for (const sql of roads) {
    const answer = await client.query(sql).then(
      (result) => JSON.stringify(result),
      (error: unknown) => String(error),
    )
    if (/MASKED:employee|null/.test(answer)) masked++
  }
  assert.ok(masked >= 9, `${masked}`)
  assert.match(notices.join(), /MASKED:employee/)
  const wanted: QueryConfig & { readonly binary: boolean } = {
    name: 'p',
    text: 'select badge, parts from staff where id = $1',
    values: [7],
    binary: true,
  }
  const binary = await client.query(wanted)
  assert.doesNotMatch(JSON.stringify(binary.rows), PLANTED)
  await client.end()
  const psql = clientHere(t, 'psql')
  if (psql !== undefined) {
    const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })
    const copied = await run(
      psql,
      ['-X', '-c', '\\copy staff to stdout', '-c', '\\copy (select note from staff) to stdout csv'],
      { env },
    )
    assertRan(copied, 'psql')
    assert.match(copied.stdout, /MASKED:employee/)
  }
  for (const { received } of rig.tee.connections) assert.doesNotMatch(received.toString('latin1'), PLANTED)
  await rig.tee.check()
})

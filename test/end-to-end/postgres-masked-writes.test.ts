import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { assertRan, clientHere, libpqEnv, run } from '../support/clients.ts'
import { PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type Rig, startRig } from '../support/gateway-rig.ts'
import { framesOf } from '../support/tapes.ts'

const POLICY = `${PEOPLE_POLICY.trimEnd()}
  - id: from-masked
    on: postgres
    match: { writes_from_masked: true }
    action: block
    reason: personal data would lose its label
`

async function connect(rig: Rig): Promise<Client> {
  const { port } = rig.tee
  const password = rig.gateway.folder.keys.agent
  const client = new Client({ host: '127.0.0.1', port, user: 'agent', password, database: rig.database })
  await client.connect()
  return client
}

test('an agent that copies a mask into a write is told so, and nothing is changed', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: POLICY, seed: PEOPLE_SQL })
  if (rig === undefined) return
  const client = await connect(rig)
  const { rows } = await client.query('select email from people where id = 7')
  const mask: string = rows[0].email
  assert.match(mask, /^\[MASKED:email:[0-9a-f]{12}\]$/)
  const refused = { code: '42501', detail: 'sallyport: blocked by policy.masked-write', hint: /shown masked/ }
  await assert.rejects(client.query(`update people set email = '${mask}' where id = 7`), refused)
  await assert.rejects(client.query('update people set email = $1 where id = 7', [mask]), refused)
  await assert.rejects(
    client.query({ name: 'again', text: 'insert into people (id, note) values ($1, $2)', values: [999, `ask ${mask}`] }),
    refused,
  )
  const pieces = `'${mask.slice(0, 5)}' || '${mask.slice(5)}'`
  const escaped = `E'${[...mask].map((letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`).join('')}'`
  const unicode = `U&'${[...mask].map((letter) => `\\${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}'`
  for (const value of [pieces, escaped, unicode])
    await assert.rejects(client.query(`update people set email = ${value} where id = 7`), refused, value)
  assert.deepEqual((await client.query('select id from people where email = $1', [mask])).rows, [], 'asking for one is a read')
  const [row] = await rig.server.sql("select count(*)::int as n from people where email like '[MASKED%' or note like '%[MASKED%'")
  assert.equal(row?.['n'], 0)
  await client.end()
})

test('a mask in copied data is refused, and the COPY undone', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  await using rig = await startRig(t, 'embedded', { policy: POLICY, seed: PEOPLE_SQL })
  if (rig === undefined) return
  const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })
  const lines = Array.from({ length: 2_000 }, (_, index) => `${1000 + index}\tsomebody`)
  lines[1_500] = '2500\t[MASKED:email:7f3a91c204be]'
  const input = `\\copy people (id, name) from stdin\n${lines.join('\n')}\n\\.\nselect 'alive' as still;\n`
  const ran = await run(program, ['-X'], { env, input })
  assertRan(ran, 'psql')
  assert.match(ran.stderr, /would write a mask/)
  assert.match(ran.stdout, /alive/)
  const [row] = await rig.server.sql('select count(*)::int as n from people where id >= 1000')
  assert.equal(row?.['n'], 0)
  const connection = rig.tee.connections.at(-1)
  assert.ok(connection)
  const frames = await framesOf(rig.gateway.folder.dataDir, await rig.gateway.log.sealed(connection.port))
  assert.ok(frames.some(({ kind, verdict }) => kind === 'copy-data' && verdict?.rules.includes('policy.masked-write')))
})

test('what a labelled column holds is not written under another name, also by way of a view', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: POLICY, seed: PEOPLE_SQL })
  if (rig === undefined) return
  const client = await connect(rig)
  const refused = { code: '42501', message: 'personal data would lose its label' }
  for (const sql of [
    'update people set note = name where id = 7',
    'insert into people (id, note) select id + 5000, who from contacts',
    'insert into people (id, note) select id + 5000, mail from contacts_again',
    'create table copied as select * from people',
    'create temp table copied as select mail as harmless from contacts where id = 7',
    'with c as (select ssn as harmless from people) insert into people (id, note) select 5000, harmless from c',
  ])
    await assert.rejects(client.query(sql), refused, sql)
  for (const sql of [
    'update people set name = upper(name) where id = 7',
    "insert into people (id, note) select 6000 + id, 'new' from people where name like 'Z%' and id < 3",
    'insert into measures (id, value) select id, value from measures where id = 1',
  ])
    await client.query(sql)
  await client.end()
})

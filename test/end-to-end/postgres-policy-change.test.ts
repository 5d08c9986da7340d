import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import { APPROVER } from '../support/gateway.ts'
import { PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type Rig, startRig } from '../support/gateway-rig.ts'

async function connect(rig: Rig): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: rig.tee.port,
    user: 'agent',
    password: rig.gateway.folder.keys.agent,
    database: rig.database,
  })
  await client.connect()
  return client
}

async function until(what: string, found: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await found()) return
    await wait(200)
  }
  assert.fail(`never: ${what}`)
}

const refused = (client: Client, sql: string): Promise<boolean> =>
  client.query(sql).then(
    () => false,
    () => true,
  )

test('a changed policy judges sessions that are open, and one that asks for approvals waits for them', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: PEOPLE_POLICY, seed: PEOPLE_SQL })
  if (rig === undefined) return
  const client = await connect(rig)
  const file = join(rig.gateway.folder.path, 'policy.yaml')
  await client.query('select id from measures limit 1')
  const guarded = `${PEOPLE_POLICY.replace('rules:', 'activation: { approval: { count: 1 } }\nrules:').trimEnd()}
  - { id: no-measures, on: postgres, match: { relations: measures }, action: block }
`
  await writeFile(file, guarded)
  await until('the new rule holds', () => refused(client, 'select id from measures limit 1'))
  assert.equal((await client.query('select id from doomed limit 1')).rows.length, 1, 'the session goes on')

  await writeFile(file, guarded.replace('relations: measures', 'relations: [measures, doomed]'))
  const desk = await rig.gateway.desk()
  const waiting = async () => (await desk.list({ state: 'pending' }))[0]
  await until('a request', async () => (await waiting()) !== undefined)
  assert.equal(await refused(client, 'select id from doomed limit 1'), false, 'the old one is in force')
  const request = await waiting()
  assert.match(request?.command ?? '', /\+ .*relations: \[measures, doomed\]/)
  await desk.decide(request?.id ?? '', { act: 'approve' }, APPROVER)
  await until('the approved one holds', () => refused(client, 'select id from doomed limit 1'))
  await client.end()
})

test('an identity has one budget over its sessions, and different masked values are counted', async (t) => {
  const policy = `${PEOPLE_POLICY.trimEnd()}
  - { id: hour, on: postgres, threshold: { rows: 1500, per: identity, window: 1h }, action: block }
  - { id: faces, on: postgres, threshold: { distinct: 300, per: session }, action: block }
`
  await using rig = await startRig(t, 'embedded', { policy, seed: PEOPLE_SQL })
  if (rig === undefined) return
  const [first, second] = [await connect(rig), await connect(rig)]
  assert.equal((await first.query('select id from measures limit 900')).rows.length, 900)
  await assert.rejects(second.query('select id from measures limit 900'), /hour/, 'the other session has 600 left')
  await first.end()
  await second.end()
  const third = await connect(rig)
  await assert.rejects(third.query('select id from measures limit 1'), /hour/, 'nor does a new one help')
  await third.end()
})

test('whoever reads more different people than allowed is cut, and the same ones over and over is not', async (t) => {
  const policy = `${PEOPLE_POLICY.trimEnd()}
  - { id: faces, on: postgres, threshold: { distinct: 50, per: session }, action: block }
`
  await using rig = await startRig(t, 'embedded', { policy, seed: PEOPLE_SQL })
  if (rig === undefined) return
  const client = await connect(rig)
  for (let again = 0; again < 5; again++) await client.query('select name from people where id <= 40')
  await client.query('select name from people where id <= 60')
  await assert.rejects(client.query('select name from people where id = 1'), /faces/)
  await client.end()
})

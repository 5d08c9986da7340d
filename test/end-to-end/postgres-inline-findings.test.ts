import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { placesIn } from '../../gateway/places.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import type { RecordsDesk } from '../../recorder/desk/desk-records.ts'
import type { Approval } from '../../schemas/approval.ts'
import { AGENT, APPROVER, HUMAN } from '../support/gateway.ts'
import { startRig } from '../support/gateway-rig.ts'

const SEED = `create table customers as select i as id, 'Ghent' as city from generate_series(1, 2000) i;
  create table orders as select i as id from generate_series(1, 2000) i`
const POLICY = `
version: 1
defaults: { approval: { groups: [approvers] } }
rules: []
`

test('detectors act while sessions run: many small pulls of a person are cut at the row, a large one waits there', async (t) => {
  await using rig = await startRig(t, 'embedded', {
    policy: POLICY,
    seed: SEED,
    findings: {
      tables: [{ target: 'shop', table: 'customers' }],
      detectors: { 'stitched-rows': { rowsHour: 250 }, 'large-pull': { rows: 500 } },
      inline: { 'stitched-rows': { action: 'block' }, 'large-pull': { action: 'hold', approval: { timeout: '60s' } } },
    },
  })
  if (rig === undefined) return
  const { keys, dataDir } = rig.gateway.folder
  /** Rows that came through, and how it ended. */
  const take = async (user: string, password: string, sql: string): Promise<readonly [number, string]> => {
    const client = new Client({ host: '127.0.0.1', port: rig.tee.port, user, password, database: rig.database })
    // A refusal may end the connection.
    client.on('error', () => undefined)
    await client.connect()
    let rows = 0
    try {
      const query = client.query(sql)
      client.connection.on('dataRow', () => {
        rows += 1
      })
      await query
      return [rows, 'complete']
    } catch (error) {
      return [rows, `${error} ${Object(error).detail}`]
    } finally {
      await client.end().catch(() => undefined)
    }
  }
  const some = 'select * from customers limit 100'
  await t.test('over sessions and everybody who acts for a person, and only of the tables named', async () => {
    assert.deepEqual(await take(AGENT, keys.agent, some), [100, 'complete'])
    assert.deepEqual(await take(HUMAN, keys.human, some), [100, 'complete'])
    assert.deepEqual(await take(AGENT, keys.agent, 'select id from orders limit 400'), [400, 'complete'])
    const [rows, how] = await take(AGENT, keys.agent, some)
    assert.equal(rows, 50)
    assert.match(how, /Many small pulls that are a large one together/)
    assert.match(how, /finding\.stitched-rows\.hour\.shop/)
  })
  await t.test('a large one is held in its middle, and goes on when somebody approves it', async () => {
    using desk = openFolderDesk(placesIn(dataDir).approvals)
    const taken = take(HUMAN, keys.human, 'select id from orders limit 900')
    const request = await pending(desk)
    // What is decided about is the statement whose answer waits.
    assert.deepEqual([request.rules, request.command], [['finding.large-pull'], 'select id from orders limit 900'])
    await desk.decide(request.id, { act: 'approve' }, APPROVER)
    assert.deepEqual(await taken, [900, 'complete'])
  })
})

async function pending(desk: RecordsDesk): Promise<Approval> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await delay(100)) {
    const found = (await desk.list()).find(({ state }) => state === 'pending')
    if (found !== undefined) return found
  }
  throw new Error('nothing was held')
}

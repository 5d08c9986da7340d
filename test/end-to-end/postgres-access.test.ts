import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import { placesIn } from '../../gateway/places.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { runCli } from '../support/cli.ts'
import {
  AGENT,
  APPROVER,
  type GatewayFolder,
  gatewayFolder,
  type RunningGateway,
  spawnGateway,
  startGateway,
  targetAt,
} from '../support/gateway.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'
import { framesOf, sessionsOf } from '../support/tapes.ts'

let server: PgServer
before(async () => {
  server = await startPostgres()
})
after(() => server.stop())

/** A target that nobody reaches without asking. */
const guarded = () => ({
  targets: [
    targetAt(server, {
      name: 'shop',
      groups: [],
      access: { groups: ['agents'], approvers: { groups: [APPROVER.groups[1]] }, max: '2h' },
    }),
  ],
})

async function connect(at: Pick<RunningGateway, 'port' | 'folder'>, as: 'agent' | 'human' = 'agent'): Promise<Client> {
  const client = new Client({ host: '127.0.0.1', port: at.port, user: as, password: at.folder.keys[as], database: 'shop' })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

test('who may ask is told how; approved, they get in until somebody ends it, and their session ends with it', {
  timeout: 120_000,
}, async () => {
  await using gateway = await startGateway(guarded())
  const { config, keys } = gateway.folder
  await assert.rejects(connect(gateway), (error: Error & { code?: string }) => {
    assert.match(
      error.message,
      /agent-7 may reach shop once somebody has approved it; ask with: sallyport access request shop --for 1h/,
    )
    assert.equal(error.code, '28000')
    return true
  })
  await assert.rejects(connect(gateway, 'human'), /there is no target "shop"/, 'who may not even ask learns nothing')

  const asAgent = { SALLYPORT_KEY: keys.agent }
  const asked = await runCli(
    ['access', 'request', 'shop', '--for', '1h', '--reason', 'ticket 4711', '--config', config, '--json'],
    { env: asAgent },
  )
  const { id } = JSON.parse(asked.out)
  assert.match(asked.out, /"about": ?"access"/)
  const tooLong = await runCli(['access', 'request', 'shop', '--for', '3h', '--reason', 'x', '--config', config], {
    env: asAgent,
  })
  assert.match(tooLong.err, /1 to 120 minutes/)
  await assert.rejects(connect(gateway), /once somebody has approved it/, 'asked is not approved')
  const own = await runCli(['approvals', 'approve', id, '--config', config], { env: asAgent })
  assert.match(own.err, /APPROVAL_FORBIDDEN|no person/)
  const approved = await runCli(['approvals', 'approve', id, '--config', config], { env: { SALLYPORT_KEY: keys.approver } })
  assert.equal(approved.code, 0, approved.err)

  const client = await connect(gateway)
  assert.equal((await client.query('select 1 as one')).rows[0].one, 1)
  const gone = once(client, 'error')
  const ended = await runCli(['access', 'end', id, '--reason', 'done', '--config', config], {
    env: { SALLYPORT_KEY: keys.approver },
  })
  assert.equal(ended.code, 0, ended.err)
  const [error] = await gone
  assert.match(String(error), /access to shop \(request A-\w+\) was ended/)
  await assert.rejects(connect(gateway), /once somebody has approved it/)

  const ledger = await runCli(['ledger', 'list', '--type', 'access', '--config', config, '--json'], { env: {} })
  assert.match(ledger.out, new RegExp(`access\\.grant[\\s\\S]*${id}[\\s\\S]*access\\.end`))
  assert.match(ledger.out, /"subject": ?"agent-7"/)
  await gateway.stop()
  const [session] = await sessionsOf(gateway.folder.dataDir)
  const frames = await framesOf(gateway.folder.dataDir, session?.id ?? '')
  assert.ok(
    frames.some(({ kind, facts }) => kind === 'access' && facts['approval'] === id),
    'the tape says by whose leave',
  )
})

test('access survives a crash of the gateway, and a session ends when its time is over', { timeout: 240_000 }, async () => {
  await using folder: GatewayFolder = await gatewayFolder(guarded())
  using desk = openFolderDesk(placesIn(folder.dataDir).approvals)
  const FOR_MS = 90_000
  const first = await spawnGateway(folder, { startTimeoutMs: 90_000 })
  const { id } = await desk.submit({
    about: 'access',
    requester: AGENT,
    requesterKind: 'agent',
    target: 'shop',
    kind: 'access',
    command: 'a short look',
    facts: {},
    rules: [],
    reason: 'access',
    approvers: { groups: [APPROVER.groups[1]], count: 1 },
    binding: 'e'.repeat(64),
    access: { forMs: FOR_MS },
    ttlMs: 60_000,
  })
  await desk.decide(id, { act: 'approve' }, APPROVER)
  const approvedMs = Date.now()
  await (await connect(first)).query('select 1')
  await first.kill()
  await using second = await spawnGateway(folder, { startTimeoutMs: 80_000 })
  const client = await connect(second)
  const gone = once(client, 'error')
  await wait(Math.max(0, approvedMs + FOR_MS - Date.now() - 15_000))
  await client.query('select 1')
  const [error] = await gone
  assert.match(String(error), /access to shop \(request A-\w+\) is over/)
  const lateMs = Date.now() - approvedMs - FOR_MS
  assert.ok(lateMs >= 0 && lateMs < 60_000, `${lateMs} ms late`)
  await assert.rejects(connect(second), /once somebody has approved it/)
})

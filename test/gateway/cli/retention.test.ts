import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../../gateway/config.ts'
import { tellLedger } from '../../../gateway/tape-room.ts'
import { startAzurite } from '../../support/azurite.ts'
import { runCli } from '../../support/cli.ts'
import { EchoClient, type EchoGateway, echoGateway } from '../../support/echo-gateway.ts'

async function recorded(gateway: EchoGateway): Promise<string> {
  const { service, port } = await gateway.start()
  {
    using client = await EchoClient.enter(port, gateway.keys.agent)
    client.say('hello')
    assert.equal(await client.hear(), 'hello')
  }
  await service.stop('done')
  const [session] = JSON.parse((await runCli(['sessions', '--json', '--config', gateway.config])).out)
  return session.id
}

test('people hold a session and lift it, each matter by itself, under a name they prove; the ledger has it all', async () => {
  await using gateway = await echoGateway()
  const id = await recorded(gateway)
  const hold = (args: readonly string[], key?: string) =>
    runCli(['retention', 'hold', ...args], { cwd: gateway.folder, env: key === undefined ? {} : { SALLYPORT_KEY: key } })
  assert.match((await hold(['set', id, '--reason', 'audit'])).err, /AUTH_REQUIRED: who holds\?/)
  assert.match((await hold(['set', id, '--reason', 'audit'], gateway.keys.agent)).err, /AUTH_DENIED: .*by people/)
  assert.equal((await hold(['set', id], gateway.keys.approver)).code, 2)
  assert.match((await hold(['set', 'nothing', '--reason', 'x'], gateway.keys.approver)).err, /STORE_MISSING/)
  assert.equal((await hold(['list'])).err, 'nothing is held\n')
  assert.equal((await hold(['list', id])).code, 1)

  const set = await hold(['set', id.slice(-8), '--reason', 'audit', '--matter', 'case-7'], gateway.keys.approver)
  assert.equal(set.code, 0, set.err)
  assert.match(set.err, /is held; there is no evidence container that would enforce it: whoever deletes has to ask/)
  await writeFile(join(gateway.folder, 'key'), gateway.keys.outsider)
  assert.equal((await hold(['set', id, '--reason', 'a complaint', '--key-file', 'key'])).code, 0)
  const listed = await hold(['list', id, '--json'])
  assert.equal(listed.code, 0)
  assert.deepEqual(
    JSON.parse(listed.out).map(({ at: _, ...found }: { at: string }) => found),
    [
      { session: id, matter: 'case-7', actor: 'grace', proof: 'key:grace', reason: 'audit' },
      { session: id, matter: '', actor: 'eve', proof: 'key:eve', reason: 'a complaint' },
    ],
  )
  assert.match((await hold(['clear', id, '--reason', 'x', '--matter', 'case-8'], gateway.keys.approver)).err, /for case-8/)
  const cleared = await hold(['clear', id, '--reason', 'closed', '--matter', 'case-7', '--json'], gateway.keys.approver)
  assert.deepEqual(JSON.parse(cleared.out), { session: id, matter: 'case-7', held: true, copies: null })
  assert.equal((await hold(['clear', id, '--reason', 'answered'], gateway.keys.approver)).code, 0)
  assert.equal((await hold(['list', id])).code, 1)
  const entries = (await runCli(['ledger', 'list', '--type', 'hold', '--json'], { cwd: gateway.folder })).out.trim().split('\n')
  assert.deepEqual(
    entries.map((line) => [JSON.parse(line).type, JSON.parse(line).actor]),
    [
      ['hold.set', 'grace'],
      ['hold.set', 'eve'],
      ['hold.clear', 'grace'],
      ['hold.clear', 'grace'],
    ],
  )
  assert.equal((await runCli(['verify', '--config', gateway.config])).code, 0)
  const one = ['verify', '--session', id.slice(-8), '--purpose', 'audit', '--config', gateway.config]
  assert.equal((await runCli(one, { env: { SALLYPORT_KEY: gateway.keys.approver } })).code, 0)
  assert.match((await runCli([...one, gateway.dataDir])).err, /leave out the path/)
  const runs = (await runCli(['ledger', 'list', '--type', 'evidence', '--json'], { cwd: gateway.folder })).out.trim().split('\n')
  assert.deepEqual(
    runs
      .map((line) => JSON.parse(line))
      .map(({ proof, session, verdict, tapes, purpose }) => [proof === 'os', session, verdict, tapes, purpose]),
    [
      [true, undefined, 'VALID', 1, undefined],
      [false, id, 'VALID', 1, 'audit'],
    ],
  )
})

test('a tape is deleted by a person, under a rule, where nobody holds it: DELETED-BY-POLICY', async () => {
  await using gateway = await echoGateway()
  const id = await recorded(gateway)
  const run = (args: readonly string[], key: string) =>
    runCli(['retention', ...args, '--config', gateway.config], { env: { SALLYPORT_KEY: key } })
  const { agent, approver } = gateway.keys
  assert.equal((await run(['delete', id], approver)).code, 2)
  assert.match((await run(['delete', id, '--rule', 'after-90-days'], agent)).err, /AUTH_DENIED/)
  assert.equal((await run(['hold', 'set', id, '--reason', 'audit', '--matter', 'case-7'], approver)).code, 0)
  const refused = await run(['delete', id, '--rule', 'after-90-days'], approver)
  assert.match(refused.err, /STORE_DENIED: .* under legal hold \(grace for case-7\)/)
  assert.equal((await runCli(['verify', '--config', gateway.config])).code, 0)
  assert.equal((await run(['hold', 'clear', id, '--reason', 'closed', '--matter', 'case-7'], approver)).code, 0)
  // Somebody else's, which is no object of the tape.
  await mkdir(join(gateway.dataDir, 'tapes', id, 'deeper'))
  await writeFile(join(gateway.dataDir, 'tapes', id, 'deeper', '0000.tape'), 'x')
  const deleted = await run(['delete', id, '--rule', 'after-90-days', '--json'], approver)
  assert.deepEqual(JSON.parse(deleted.out), { session: id, objects: 2, removed: true })
  assert.equal((await runCli(['verify', '--config', gateway.config])).code, 50)
  assert.match((await run(['delete', id, '--rule', 'again'], approver)).err, /STORE_MISSING/)
})

test('a tape that somebody removed under hold is INVALID, whatever the ledger was told', async () => {
  await using gateway = await echoGateway()
  const id = await recorded(gateway)
  const env = { SALLYPORT_KEY: gateway.keys.approver }
  assert.equal((await runCli(['retention', 'hold', 'set', id, '--reason', 'r', '--config', gateway.config], { env })).code, 0)
  const told = { type: 'retention.delete', actor: 'cron', proof: 'os', session: id, rule: 'after-90-days', objects: 2 } as const
  await tellLedger(await loadConfig(gateway.config, {}), told)
  await rm(join(gateway.dataDir, 'tapes', id), { recursive: true })
  const { code, out } = await runCli(['verify', '--config', gateway.config])
  assert.equal(code, 20, out)
  assert.match(out, /deleted at .* by rule after-90-days, under legal hold/)
})

test('where the store has a key, whoever tells the ledger needs that secret and no other; it is said where it is missing', async () => {
  await using azurite = await startAzurite()
  const { url, container, access } = await azurite.place()
  const env = { STORE_KEY: 'key' in access ? access.key : '' }
  await using gateway = await echoGateway({
    env,
    extra: `store: { blob: { url: '${url}', container: ${container}, key: { env: STORE_KEY } } }\n`,
  })
  const { service, port } = await gateway.start()
  {
    using client = await EchoClient.enter(port, gateway.keys.agent)
    client.say('hello')
    assert.equal(await client.hear(), 'hello')
  }
  await service.stop('done')
  // Whoever investigates need not have what serving needs.
  await rm(join(gateway.folder, 'policy.yaml'))
  const person = { SALLYPORT_KEY: gateway.keys.approver }
  const run = (args: readonly string[], given: NodeJS.ProcessEnv = { ...person, ...env }) =>
    runCli([...args, '--config', gateway.config], { env: given })
  const [session] = JSON.parse((await run(['sessions', '--json'])).out)
  const hold = ['retention', 'hold', 'set', session.id, '--reason', 'audit']
  const without = await run(hold, person)
  assert.equal(without.code, 1)
  assert.match(without.err, /CONFIG_INVALID: .*STORE_KEY/s)
  const held = await run(hold)
  assert.equal(held.code, 0, held.err)
  assert.equal(JSON.parse((await run(['retention', 'hold', 'list', '--json'])).out)[0].session, session.id)
  const made = await run(['keys', 'create', 'agent-7', '--json'])
  assert.equal(made.code, 0, made.err)
  const revoked = await run(['keys', 'revoke', JSON.parse(made.out).id])
  assert.equal(revoked.code, 0, revoked.err)
  assert.equal((await run(['keys', 'list'], {})).code, 0, 'a list of keys asks no store')
  const types = (await run(['ledger', 'list', '--json'])).out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).type)
  for (const type of ['hold.set', 'key.create', 'key.revoke']) assert.ok(types.includes(type), `${type} in ${types}`)
})

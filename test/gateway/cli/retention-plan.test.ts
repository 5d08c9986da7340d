import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../../support/cli.ts'
import { EchoClient, echoGateway } from '../../support/echo-gateway.ts'

const DAY_MS = 86_400_000
const RULES = `retention:
  approvers: { groups: [deciders] }
  rules:
    - { name: short, keep: 1d }
    - { name: parrots, targets: [parrot], keep: 30d }
    - { name: production, labels: { env: production }, keep: 900d }
`

test('what is over is planned, held sessions stay, somebody else approves, and the ledger has it: DELETED-BY-POLICY', {
  timeout: 120_000,
}, async (t) => {
  await using gateway = await echoGateway({ extra: RULES })
  const { service, port } = await gateway.start()
  for (const text of ['one', 'two', 'three']) {
    using client = await EchoClient.enter(port, gateway.keys.agent)
    client.say(text)
    assert.equal(await client.hear(), text)
  }
  await service.stop('done')
  const run = (args: readonly string[], key = gateway.keys.outsider) =>
    runCli([...args, '--config', gateway.config], { env: { SALLYPORT_KEY: key } })
  const plan = async () => JSON.parse((await run(['retention', 'plan', '--json'])).out)
  const ids: string[] = JSON.parse((await run(['sessions', '--json'])).out).map(({ id }: { id: string }) => id)
  const [first = '', second = '', third = ''] = ids.sort()

  const early = await plan()
  assert.deepEqual([early.plan, early.due, early.kept], [null, [], 3])
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 20 * DAY_MS })
  assert.equal((await plan()).kept, 3, 'of two rules the longer counts')
  t.mock.timers.setTime(Date.now() + 11 * DAY_MS)

  const hold = ['retention', 'hold', 'set', second, '--reason', 'r', '--matter', 'case-7']
  assert.equal((await run(hold, gateway.keys.approver)).code, 0)
  const planned = await plan()
  assert.deepEqual(
    planned.due.map((one: { session: string; rule: string }) => [one.session, one.rule]),
    [
      [first, 'parrots'],
      [third, 'parrots'],
    ],
  )
  assert.deepEqual(
    planned.held.map((one: { session: string; holds: { matter: string }[] }) => [one.session, one.holds[0]?.matter]),
    [[second, 'case-7']],
  )
  assert.match(
    (await run(['retention', 'plan'])).err,
    /2 would be deleted, 1 held, 0 kept, 0 not ended.*\n.*--plan R-[0-9a-f]{16}/,
  )
  assert.match((await run(['retention', 'delete', first, '--rule', 'x'])).err, /STORE_DENIED: .*by a plan/)
  assert.equal((await run(['retention', 'delete', first])).code, 2)
  const remove = ['retention', 'delete', '--plan', planned.plan]
  assert.match((await run(remove, gateway.keys.agent)).err, /AUTH_DENIED/)
  assert.match((await run(['retention', 'delete', '--plan', 'R-0123456789abcdef'])).err, /STORE_MISSING/)

  // Whoever asks does not decide, whatever groups they are in; another's approval is not theirs.
  const own = JSON.parse((await run([...remove, '--json'], gateway.keys.approver)).out)
  assert.match((await run(['approvals', 'approve', own.request], gateway.keys.approver)).err, /APPROVAL_FORBIDDEN/)
  const asked = await run([...remove, '--json'])
  assert.equal(asked.code, 1)
  const { request, state } = JSON.parse(asked.out)
  assert.equal(state, 'pending')
  assert.notEqual(request, own.request)
  assert.equal(JSON.parse((await run([...remove, '--json'])).out).request, request, 'asked again, it is the same request')
  assert.equal((await plan()).plan, planned.plan, 'and the same sessions are the same plan')
  const shown = JSON.parse((await run(['approvals', 'show', request, '--json'])).out)
  assert.deepEqual([shown.about, shown.requester, shown.command.split('\n').length], ['retention', 'eve', 2])
  assert.equal((await run(['sessions', '--json'])).out.match(/"id"/g)?.length, 3, 'nothing is deleted yet')
  assert.equal((await run(['approvals', 'approve', request], gateway.keys.approver)).code, 0)

  // Held after it was approved: it stays.
  assert.equal((await run(['retention', 'hold', 'set', third, '--reason', 'late'], gateway.keys.approver)).code, 0)
  const done = await run([...remove, '--json'])
  assert.equal(done.code, 0, done.err)
  const { deleted, left } = JSON.parse(done.out)
  assert.deepEqual([deleted, left], [[first], [third]])
  const entries = (await run(['ledger', 'list', '--type', 'retention', '--json'])).out.trim().split('\n')
  assert.deepEqual(
    entries
      .map((line) => JSON.parse(line))
      .map((entry) => [entry.session, entry.rule, entry.actor, entry.request, entry.approvedBy]),
    [[first, 'parrots', 'eve', request, ['grace']]],
  )
  const decided = JSON.parse((await run(['ledger', 'list', '--type', 'approval.decide', '--json'])).out)
  assert.deepEqual([decided.actor, decided.proof], ['grace', 'key:grace'])
  // As of the newest checkpoint, which knows of it before it is gone.
  const period = ['--from', '2020-01-01T00:00:00Z', '--to', '2100-01-01T00:00:00Z']
  const bundle = JSON.parse((await run(['bundle', 'create', ...period, '--out', join(gateway.folder, 'b.zip'), '--json'])).out)
  assert.deepEqual([bundle.tapes.deleted, bundle.tapes.missing, bundle.unledgered], [1, 0, 0])
  const verified = await run(['verify'])
  assert.equal(verified.code, 50, verified.out)
  assert.match(verified.out, /DELETED-BY-POLICY/)
  // An approval is good once.
  assert.equal((await run(remove)).code, 1)
  await writeFile(join(gateway.dataDir, 'desk/plans', `${planned.plan}.json`), '{"v":1,"due":[]}')
  assert.match((await run(remove)).err, /STORE_CONFLICT: .*not what it was/)
})

test('without rules there is no plan', async () => {
  await using gateway = await echoGateway()
  const { code, err } = await runCli(['retention', 'plan', '--config', gateway.config])
  assert.equal(code, 1)
  assert.match(err, /CONFIG_INVALID: .*no retention: rules/)
})

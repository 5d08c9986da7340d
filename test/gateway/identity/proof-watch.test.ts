import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProofWatch } from '../../../gateway/identity/proof-watch.ts'
import type { Identity } from '../../../schemas/session.ts'
import type { Refusal } from '../../../schemas/verdict.ts'
import { runCli } from '../../support/cli.ts'
import { EchoClient, echoGateway } from '../../support/echo-gateway.ts'

/** How long after the command an open session is told, at most: a second or two where the machine is quiet, and it may be loaded. */
const END_MS = 60_000

async function endOf(client: EchoClient, from: number): Promise<{ readonly said: string; readonly ms: number }> {
  const said = (await client.hear()) ?? ''
  return { said, ms: Date.now() - from }
}

test('sessions end within seconds of what was revoked: a key, an expired token, somebody altogether; others go on', async () => {
  await using gateway = await echoGateway()
  const { port } = await gateway.start()
  const world = { cwd: gateway.folder }
  const make = async (args: readonly string[]) => JSON.parse((await runCli([...args, '--json'], world)).out)
  const [key, other] = [await make(['keys', 'create', 'agent-7']), await make(['keys', 'create', 'agent-7'])]
  using revoked = await EchoClient.enter(port, key.key)
  using stays = await EchoClient.enter(port, other.key)
  for (const client of [revoked, stays]) {
    client.say('hello')
    assert.equal(await client.hear(), 'hello')
  }
  const from = Date.now()
  assert.equal((await runCli(['keys', 'revoke', key.id], world)).code, 0)
  const end = await endOf(revoked, from)
  assert.match(end.said, /this session ends: key k-\w+ is revoked/)
  assert.ok(end.ms < END_MS, `${end.ms} ms`)
  stays.say('still here')
  assert.equal(await stays.hear(), 'still here')

  const blocking = await runCli(['identities', 'block', 'agent-7', '--reason', 'stolen laptop'], world)
  assert.equal(blocking.code, 0, blocking.err)
  assert.match((await endOf(stays, Date.now())).said, /agent-7 is kept out/)
  using refused = await EchoClient.enter(port, other.key)
  assert.match((await refused.hear()) ?? '', /AUTH_DENIED/)
  assert.match((await runCli(['identities', 'list'], world)).out, /agent-7 .* stolen laptop/)
  assert.equal((await runCli(['identities', 'unblock', 'agent-7', '--reason', 'found'], world)).code, 0)
  using again = await EchoClient.enter(port, other.key)
  again.say('back')
  assert.equal(await again.hear(), 'back')
  // Of a person: who acts for them goes with them.
  const person = await runCli(['identities', 'block', 'Ada', '--reason', 'left'], world)
  assert.doesNotMatch(person.err, /warning/)
  assert.match((await again.hear()) ?? '', /agent-7 is kept out with ada, for whom it acts/)
  using outside = await EchoClient.enter(port, other.key)
  assert.match((await outside.hear()) ?? '', /AUTH_DENIED/)
  const typo = await runCli(['identities', 'block', 'adda', '--reason', 'left'], world)
  assert.match(typo.err, /nobody of that name is configured/)
  assert.match((await runCli(['identities', 'unblock', 'add', '--reason', 'x'], world)).err, /add was not kept out/)
  const entries = (await runCli(['ledger', 'list', '--type', 'identity', '--json'], world)).out.trim().split('\n')
  assert.deepEqual(
    entries.map((line) => /"type":"([\w.]+)"/.exec(line)?.[1]),
    ['identity.block', 'identity.unblock', 'identity.block', 'identity.block', 'identity.unblock'],
  )
})

test('a token reaches the targets it was made for, says what it is for, and lives for a day at most', async () => {
  await using gateway = await echoGateway()
  const { port } = await gateway.start()
  const world = { cwd: gateway.folder }
  const token = ['tokens', 'create', 'agent-7', '--ttl', '30m', '--target', 'parrot', '--run', 'run-4711', '--purpose', 'report']
  const made = JSON.parse((await runCli([...token, '--json'], world)).out)
  assert.deepEqual([made.targets, made.run, made.purpose], [['parrot'], 'run-4711', 'report'])
  using client = await EchoClient.enter(port, made.key)
  client.say('hello')
  assert.equal(await client.hear(), 'hello')
  const [session] = JSON.parse((await runCli(['sessions', '--json'], world)).out)
  assert.deepEqual(session.identity.about, { run: 'run-4711', purpose: 'report' })
  assert.deepEqual(session.identity.scope, { targets: ['parrot'] })
  assert.equal((await runCli(['tokens', 'create', 'agent-7', '--ttl', '2d'], world)).code, 1)
  assert.match((await runCli(['tokens', 'create', 'agent-7', '--ttl', '1h', '--target', 'cat'], world)).err, /no target "cat"/)
})

test('a session ends with its token: asked anew until it holds no longer', async () => {
  const identity: Identity = { subject: 'agent-7', kind: 'agent', groups: [], proof: 'token:k-1' }
  let why: string | undefined
  const asked = Promise.withResolvers<void>()
  // The watch's own timer keeps no process alive.
  const alive = setInterval(() => undefined, 1_000)
  using watch = new ProofWatch(
    async () => {
      asked.resolve()
      return why
    },
    (error) => assert.fail(String(error)),
    10,
  )
  const ended = Promise.withResolvers<Refusal>()
  watch.add({ identity, end: ended.resolve })
  await asked.promise
  why = 'token k-1 has expired'
  const { why: kind, message } = await ended.promise
  clearInterval(alive)
  assert.deepEqual([kind, message], ['withdrawn', 'this session ends: token k-1 has expired'])
})

test('whoever comes while it looks is not judged by what was known before', async () => {
  const identity: Identity = { subject: 'ada', kind: 'human', groups: [], proof: 'key:k1' }
  const ended: string[] = []
  const session = (name: string) => ({ identity, end: () => void ended.push(name) })
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<string | undefined>()
  using watch = new ProofWatch(
    () => {
      asked.resolve()
      return answer.promise
    },
    (error) => assert.fail(String(error)),
    5,
  )
  watch.add(session('before'))
  await asked.promise
  // Let in again, and there at once.
  watch.add(session('again'))
  answer.resolve('ada is kept out')
  await answer.promise
  await new Promise(setImmediate)
  assert.deepEqual(ended, ['before'])
})

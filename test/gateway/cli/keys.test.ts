import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiryOf } from '../../../gateway/cli/keys.ts'
import { runCli } from '../../support/cli.ts'
import { EchoClient, echoGateway } from '../../support/echo-gateway.ts'

test('a key made by the command opens a session of a running gateway, and none once it is revoked', async () => {
  await using gateway = await echoGateway()
  const { port } = await gateway.start()
  const world = { cwd: gateway.folder }
  const made = await runCli(['keys', 'create', 'agent-7', '--expires', '1h'], world)
  assert.equal(made.code, 0)
  const key = made.out.trim()
  assert.match(made.out, /^sp_[\w-]{43}\n$/, 'stdout has the key and nothing else')
  {
    using client = await EchoClient.enter(port, key)
    client.say('hello')
    assert.equal(await client.hear(), 'hello')
  }
  const [, listed] = (JSON.parse((await runCli(['keys', 'list', '--json'], world)).out) as { id: string; state: string }[])
    .reverse()
    .slice(0, 2)
    .reverse()
  assert.equal(listed?.state, 'active')
  assert.equal((await runCli(['keys', 'revoke', listed?.id ?? ''], world)).code, 0)
  using refused = await EchoClient.enter(port, key)
  assert.match((await refused.hear()) ?? '', /AUTH_DENIED/)
  const after = await runCli(['keys', 'list'], world)
  assert.match(after.out, new RegExp(`${listed?.id}.*revoked`))
  assert.equal(after.out.includes(key), false)
})

test('a key for a subject that is not configured could open nothing, and is not made', async () => {
  await using gateway = await echoGateway()
  const made = await runCli(['keys', 'create', 'nobody'], { cwd: gateway.folder })
  assert.equal(made.code, 1)
  assert.match(made.err, /known: agent-7, eve, grace/)
})

test('a token for a verb that nothing has is not made', async () => {
  await using gateway = await echoGateway()
  const world = { cwd: gateway.folder }
  const made = await runCli(['tokens', 'create', 'agent-7', '--ttl', '1h', '--verb', 'SAI'], world)
  assert.equal(made.code, 1)
  assert.match(made.err, /has the verb "SAI"; did you mean "SAY"/)
  assert.equal((await runCli(['tokens', 'create', 'agent-7', '--ttl', '1h', '--verb', 'say'], world)).code, 0)
})

test('a key in the configuration is revoked there', async () => {
  await using gateway = await echoGateway()
  const revoked = await runCli(['keys', 'revoke', 'agent'], { cwd: gateway.folder })
  assert.equal(revoked.code, 1)
  assert.match(revoked.err, /remove it there/)
})

test('expiries are times from now or dates, always ahead', () => {
  const now = Date.parse('2026-11-20T10:00:00Z')
  assert.equal(expiryOf('90d', now).toISOString(), '2027-02-18T10:00:00.000Z')
  assert.equal(expiryOf('30m', now).toISOString(), '2026-11-20T10:30:00.000Z')
  assert.equal(expiryOf('2027-01-01', now).toISOString(), '2027-01-01T00:00:00.000Z')
  for (const text of ['0d', 'soon', '2020-01-01', '-3h', '5w', ''])
    assert.throws(() => expiryOf(text, now), { code: 'CONFIG_INVALID' })
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { echoGateway } from '../../support/echo-gateway.ts'
import { greeted, Serving, WAIT_MS } from '../../support/serving.ts'

test('one process: SIGTERM says farewell, seals and exits with 0', async () => {
  await using gateway = await echoGateway()
  await using serving = new Serving(gateway, [])
  using client = await greeted(await serving.port(1), gateway.keys.agent)
  assert.equal(await serving.stop(), 0)
  assert.match((await client.hear()) ?? '', /shutting down/)
  await serving.line('session sealed')
})

for (const workers of ['1', '2', 'auto']) {
  test(`${workers} processes: who is asked to stop while the rest still opens stops the same way`, async () => {
    await using gateway = await echoGateway()
    await using serving = new Serving(gateway, ['--workers', workers])
    await serving.line('listening')
    assert.equal(await serving.stop(), 0)
    await serving.line('stopped')
  })
}

test('a configuration that cannot be served ends at once with 1 and every mistake', async () => {
  await using gateway = await echoGateway({ limits: { sessions: 0, idleTimeoutMs: 1 } })
  await using serving = new Serving(gateway, ['--workers', '2'])
  const [code] = await once(serving.child, 'exit', { signal: AbortSignal.timeout(WAIT_MS) })
  assert.equal(code, 1)
  const told = serving.lines.map(({ text }) => text).join('\n')
  assert.match(told, /CONFIG_INVALID/)
  assert.match(told, /limits.sessions/)
  assert.match(told, /limits.idleTimeoutMs/)
})

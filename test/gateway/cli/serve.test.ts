import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { placesIn } from '../../../gateway/places.ts'
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

test('a data folder that cannot be used ends the start, by its name in the configuration', async () => {
  await using gateway = await echoGateway()
  await writeFile(gateway.dataDir, 'a file where a folder has to be')
  await using serving = new Serving(gateway, [])
  const [code] = await once(serving.child, 'exit', { signal: AbortSignal.timeout(WAIT_MS) })
  assert.equal(code, 1)
  assert.match(serving.lines.map(({ text }) => text).join('\n'), /CONFIG_INVALID: dataDir: nothing can be kept in /)
})

const CONSOLE = 'console: { address: "127.0.0.1:0", roles: { investigator: [deciders] } }'

for (const workers of ['1', '2']) {
  test(`${workers} processes: while the console cannot be opened sessions are served, and it is told why; it opens once it can`, async () => {
    await using gateway = await echoGateway({ extra: CONSOLE })
    const { bundles } = placesIn(gateway.dataDir)
    await mkdir(gateway.dataDir, { mode: 0o700 })
    await writeFile(bundles, 'a file where a folder has to be')
    await using serving = new Serving(gateway, ['--workers', workers])
    const failed = await serving.line('it could not be opened; sessions are served, and it is tried again')
    assert.deepEqual([failed['what'], failed['code']], ['console', 'EEXIST'])
    using _client = await greeted(await serving.port(Number(workers)), gateway.keys.agent)
    await serving.line('this gateway does it for all', ({ role }) => role === 'notify')
    await rm(bundles)
    const { url } = await serving.line('console is served')
    assert.equal((await fetch(`${url}/api/v1/sign-in`)).status, 200)
    assert.equal(await serving.stop(), 0)
  })

  test(`${workers} processes: a port of the console that is taken ends the start`, async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    try {
      const { port } = taken.address() as AddressInfo // it listens on TCP
      await using gateway = await echoGateway({ extra: CONSOLE.replace(':0', `:${port}`) })
      await using serving = new Serving(gateway, ['--workers', workers])
      const [code] = await once(serving.child, 'exit', { signal: AbortSignal.timeout(WAIT_MS) })
      assert.equal(code, 1)
      assert.match(serving.lines.map(({ text }) => text).join('\n'), /CONFIG_INVALID: console: cannot listen/)
    } finally {
      taken.close()
    }
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

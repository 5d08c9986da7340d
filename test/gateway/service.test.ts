import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { placesIn } from '../../gateway/places.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { EchoClient, echoGateway } from '../support/echo-gateway.ts'

const grace = { subject: 'grace', kind: 'human' as const, groups: ['deciders'] }

test('a stop says farewell, seals every tape and leaves nothing open', async () => {
  await using gateway = await echoGateway()
  const { port, service } = await gateway.start()
  const clients = [await EchoClient.enter(port, gateway.keys.agent), await EchoClient.enter(port, gateway.keys.agent)]
  for (const client of clients) {
    client.say('hello')
    assert.equal(await client.hear(), 'hello')
  }
  assert.equal(await service.stop('test'), true)
  for (const client of clients) {
    assert.match((await client.hear()) ?? '', /shutting down/)
    assert.equal(await client.hear(), undefined)
  }
  assert.equal(service.sessions.size, 0)
})

test('a stop sends silent connections away at once', async () => {
  await using gateway = await echoGateway({ limits: { shutdownTimeoutMs: 100 } })
  const { port, service } = await gateway.start()
  using silent = await EchoClient.open(port)
  const heard = silent.hear()
  assert.equal(await service.stop('test'), true)
  assert.equal(await heard, undefined)
})

test('a client that reads nothing cannot keep the gateway from stopping', async () => {
  await using gateway = await echoGateway({ limits: { shutdownTimeoutMs: 500 } })
  const { port, service } = await gateway.start()
  using deaf = await EchoClient.enter(port, gateway.keys.agent)
  deaf.say('hello')
  assert.equal(await deaf.hear(), 'hello')
  deaf.socket.pause()
  for (let count = 0; count < 64; count += 1) deaf.say('x'.repeat(100_000))
  assert.equal(await service.stop('test'), true)
  assert.equal(service.sessions.size, 0)
})

test('a held message waits for a person, and goes on once', async () => {
  await using gateway = await echoGateway()
  const { port } = await gateway.start()
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  using client = await EchoClient.enter(port, gateway.keys.agent)
  client.say('please open')
  const notice = (await client.hear()) ?? ''
  const id = /A-[0-9A-Z]{8}/.exec(notice)?.[0] ?? ''
  client.say('meanwhile', 1)
  assert.equal(await client.hear(), 'meanwhile', 'other channels go on')
  const approval = await desk.decide(id, { act: 'approve' }, grace)
  assert.equal(approval.principal, 'ada')
  assert.equal(await client.hear(), 'please open')
  assert.equal((await desk.get(id)).state, 'consumed')
})

test('an asker who hangs up withdraws what is held, within a second', async () => {
  await using gateway = await echoGateway()
  const { port } = await gateway.start()
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const client = await EchoClient.enter(port, gateway.keys.agent)
  client.say('please open')
  const id = /A-[0-9A-Z]{8}/.exec((await client.hear()) ?? '')?.[0] ?? ''
  client[Symbol.dispose]()
  const deadline = AbortSignal.timeout(20_000)
  while ((await desk.get(id)).state === 'pending') {
    deadline.throwIfAborted()
    await delay(10)
  }
  assert.equal((await desk.get(id)).state, 'withdrawn')
})

test('what people may decide later survives a restart: the same words then pass at once, one time', async () => {
  await using gateway = await echoGateway()
  const first = await gateway.start()
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const asking = await EchoClient.enter(first.port, gateway.keys.agent)
  asking.say('please open')
  const id = /A-[0-9A-Z]{8}/.exec((await asking.hear()) ?? '')?.[0] ?? ''
  await desk.decide(id, { act: 'approve' }, grace)
  assert.equal(await asking.hear(), 'please open')
  asking.say('please again')
  const second = /A-[0-9A-Z]{8}/.exec((await asking.hear()) ?? '')?.[0] ?? ''
  // A second wire keeps the request alive while the first one's gateway goes away.
  const { binding, ttlMs, ...ask } = { ...(await desk.get(second)), ttlMs: 3_600_000 }
  await desk.request({ ...ask, binding, ttlMs })
  await first.service.stop('restart')
  await desk.decide(second, { act: 'approve' }, grace)
  const { port } = await gateway.start()
  using client = await EchoClient.enter(port, gateway.keys.agent)
  client.say('please again')
  assert.equal(await client.hear(), 'please again')
  client.say('please again')
  assert.match((await client.hear()) ?? '', /A-[0-9A-Z]{8}/, 'the second time is asked anew')
})

test('the keys of the gateway are its own: 0600, made once, the same after a restart', async () => {
  await using gateway = await echoGateway()
  const first = await gateway.start()
  await first.service.stop('restart')
  const { keys } = placesIn(gateway.dataDir)
  const before = await snapshot(keys)
  assert.deepEqual(
    Object.keys(before)
      .filter((name) => name.endsWith('.key'))
      .sort(),
    ['approval-binding.key', 'gateway.key', 'mask-fingerprint.key'],
  )
  for (const name of Object.keys(before)) {
    if (name !== 'gateway.pub') assert.equal((await stat(join(keys, name))).mode & 0o077, 0, `${name} is readable by others`)
  }
  const second = await gateway.start()
  await second.service.stop('test')
  assert.deepEqual(await snapshot(keys), before)
})

async function snapshot(folder: string): Promise<Record<string, string>> {
  const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile())
  return Object.fromEntries(
    await Promise.all(entries.map(async ({ name }) => [name, (await readFile(join(folder, name))).toString('base64')] as const)),
  )
}

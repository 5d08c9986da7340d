import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { pino } from 'pino'
import { loadConfig, type Settings } from '../../gateway/config.ts'
import { ListenerContext } from '../../gateway/credentials/listener-context.ts'
import { Listener } from '../../gateway/listener.ts'
import { Log, silentLog } from '../../gateway/log.ts'
import { placesIn } from '../../gateway/places.ts'
import type { Protocol } from '../../gateway/protocol.ts'
import { Unproved } from '../../gateway/unproved.ts'
import { EchoClient, echoGateway } from '../support/echo-gateway.ts'
import { LogLines } from '../support/gateway-log.ts'

async function silent(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined).resume()
  await once(socket, 'connect')
  return socket
}

function ownContext({ dataDir, gateway }: Settings): Promise<ListenerContext> {
  return ListenerContext.open({}, { keysDir: placesIn(dataDir).keys, gateway, onNews: (news) => assert.fail(news) })
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close', { signal: AbortSignal.timeout(60_000) })
}

test('what goes in comes back, through the gate and onto a tape', async () => {
  await using gateway = await echoGateway()
  const { port, service } = await gateway.start()
  using client = await EchoClient.enter(port, gateway.keys.agent)
  client.say('hello', 2)
  assert.equal(await client.hear(), 'hello')
  client.say('mail ana@example.org')
  assert.match((await client.hear()) ?? '', /^mail \[MASKED:email/)
  client.say('damn')
  assert.match((await client.hear()) ?? '', /^! mind your language/)
  assert.equal(service.sessions.size, 1)
})

test('five hundred connections that never speak do not keep anybody out', async () => {
  await using gateway = await echoGateway()
  const { port } = await gateway.start()
  using early = await EchoClient.enter(port, gateway.keys.agent)
  early.say('before')
  assert.equal(await early.hear(), 'before')
  const crowd = await Promise.all(Array.from({ length: 500 }, () => silent(port)))
  using late = await EchoClient.enter(port, gateway.keys.agent)
  late.say('after')
  assert.equal(await late.hear(), 'after')
  early.say('still here')
  assert.equal(await early.hear(), 'still here')
  for (const socket of crowd) socket.destroy()
})

test('too many silent connections: the oldest is told to go', async () => {
  await using gateway = await echoGateway({ limits: { connectionsUnprovedPerAddress: 2 } })
  const { port } = await gateway.start()
  const [first, second, third] = [await silent(port), await silent(port), await silent(port)]
  await closed(first)
  assert.equal(second.closed, false)
  assert.equal(third.closed, false)
  second.destroy()
  third.destroy()
})

test('an address that opens too many is closed before it says a word, and the log tells of it once', async () => {
  await using gateway = await echoGateway({ limits: { connectionsPerAddress: 1 } })
  const log = new LogLines()
  const { port } = await gateway.start(new Log(pino({ level: 'warn', base: {} }, log)))
  using _early = await EchoClient.enter(port, gateway.keys.agent)
  // Faster than one in a second on any machine: two are a second's burst, one of which is taken.
  const crowd = await Promise.all(Array.from({ length: 20 }, () => silent(port)))
  await Promise.any(crowd.map(closed))
  await log.until((line) => line['msg'] === 'too many connections from one address are closed at once')
  for (const socket of crowd) socket.destroy()
})

test('sessions do not count among the silent', async () => {
  await using gateway = await echoGateway({ limits: { connectionsUnprovedPerAddress: 1, connectionsUnproved: 1 } })
  const { port } = await gateway.start()
  const clients: EchoClient[] = []
  for (let count = 0; count < 5; count += 1) {
    const client = await EchoClient.enter(port, gateway.keys.agent)
    client.say('in')
    assert.equal(await client.hear(), 'in')
    clients.push(client)
  }
  for (const client of clients) {
    client.say('still in')
    assert.equal(await client.hear(), 'still in')
    client[Symbol.dispose]()
  }
})

test('a connection that does not say who it is in time is closed', async () => {
  await using gateway = await echoGateway({ limits: { handshakeTimeoutMs: 100 } })
  const { port } = await gateway.start()
  await closed(await silent(port))
})

test('a protocol that throws, at once or later, harms nobody else', async () => {
  await using gateway = await echoGateway()
  const { service } = await gateway.start()
  const settings = await loadConfig(gateway.config, {})
  const [own] = settings.listeners
  assert.ok(own !== undefined)
  const protocol: Protocol = {
    name: 'echo',
    async serve(client) {
      const [chunk] = await once(client, 'data')
      if (String(chunk) === 'bug') throw new TypeError('a bug of ours')
      client.end(chunk)
    },
  }
  const listener = await Listener.open({
    settings: own,
    limits: settings.limits,
    unproved: new Unproved(settings.limits),
    context: await ownContext(settings),
    protocol,
    sessions: service.sessions,
    log: silentLog(),
  })
  const [good, bad] = [await silent(listener.address.port), await silent(listener.address.port)]
  bad.write('bug')
  await closed(bad)
  const answer = once(good, 'data')
  good.write('fine')
  assert.equal(String((await answer)[0]), 'fine')
  listener.close()
  await listener.drained()
})

test('last words arrive even over bytes that were never read', async () => {
  await using gateway = await echoGateway()
  const { port } = await gateway.start()
  using client = await EchoClient.enter(port, 'not a key')
  client.socket.write(Buffer.alloc(200_000))
  assert.match((await client.hear()) ?? '', /^! AUTH_DENIED/)
})

test('an address that is taken is a mistake in the configuration, told with the address', async () => {
  await using one = await echoGateway()
  const { port, service } = await one.start()
  const settings = await loadConfig(one.config, {})
  await assert.rejects(
    Listener.open({
      settings: { protocol: 'echo', host: '127.0.0.1', port, tls: { required: false } },
      limits: settings.limits,
      unproved: new Unproved(settings.limits),
      context: await ownContext(settings),
      protocol: { name: 'echo', serve: async () => undefined },
      sessions: service.sessions,
      log: silentLog(),
    }),
    { code: 'CONFIG_INVALID', message: new RegExp(`127.0.0.1:${port}`) },
  )
})

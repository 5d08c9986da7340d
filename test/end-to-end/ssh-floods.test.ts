import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { ClientChannel, Client as SshClient } from 'ssh2'
import { Client } from '../../gateway/protocols/ssh/library.ts'
import { type SshGateway, startSshGateway, TARGET } from '../support/ssh-gateway.ts'

const HELD = `
version: 1
rules:
  - { id: ask, on: ssh, match: { kind: forward }, action: hold, reason: people decide, approval: { groups: [approvers], timeout: 15s } }
  - { id: ask-exec, on: ssh, match: { program: reboot }, action: hold, reason: people decide, approval: { groups: [approvers], timeout: 20s } }
`

async function login(gateway: SshGateway): Promise<SshClient> {
  const client = new Client()
  client.on('error', () => undefined)
  const privateKey = await readFile(gateway.identityFiles.human)
  client.connect({ host: '127.0.0.1', port: gateway.port, username: TARGET, privateKey })
  await once(client, 'ready')
  return client
}

async function rejectAll(desk: Awaited<ReturnType<SshGateway['desk']>>): Promise<void> {
  const by = { subject: 'grace', kind: 'human', groups: ['approvers'] } as const
  for (const { id } of await desk.list({ state: 'pending' })) await desk.decide(id, { act: 'reject', reason: 'no' }, by)
}

/** What the library sends, without what it knows of when it may be sent. */
function raw(client: SshClient): Record<string, (...args: readonly unknown[]) => void> {
  const protocol: unknown = Reflect.get(client, '_protocol')
  return new Proxy({}, { get: (_, name) => (Reflect.get(Object(protocol), name) as () => void).bind(protocol) })
}

/** A session channel that was asked to be nothing yet, by the number the gateway knows it by. */
async function session(client: SshClient): Promise<number> {
  const manager: unknown = Reflect.get(client, '_chanMgr')
  const opened = Promise.withResolvers<ClientChannel>()
  const done = Object.assign((_: unknown, channel: ClientChannel) => opened.resolve(channel), { type: 'session' })
  const id: unknown = Object(manager).add(done)
  raw(client)['session']?.(id, 2 ** 21, 2 ** 15)
  const { outgoing }: { outgoing: { id: number } } = Object(await opened.promise)
  return outgoing.id
}

test('a client that asks for its agent, its screen and variables without end is asked about once, and has a few', async (t) => {
  await using gateway = await startSshGateway(t, { policy: HELD })
  if (gateway === undefined) return
  const client = await login(gateway)
  const say = raw(client)
  const channels = [await session(client), await session(client)]
  for (const channel of channels) {
    for (let count = 0; count < 1_000; count++) {
      say['openssh_agentForward']?.(channel, false)
      say['x11Forward']?.(channel, { protocol: 'MIT-MAGIC-COOKIE-1', cookie: '0'.repeat(32), screen: 0, single: false }, false)
      say['env']?.(channel, `LC_${'A'.repeat(1 + (count % 26))}${String.fromCharCode(65 + Math.floor(count / 26))}`, 'x', false)
    }
  }
  say['exec']?.(channels[0], 'true', false)
  const desk = await gateway.desk()
  while ((await desk.list({ state: 'pending' })).length < 2) await new Promise((resolve) => setTimeout(resolve, 20))
  await rejectAll(desk)
  const other = await new Promise<ClientChannel>((resolve, reject) =>
    client.exec('sleep 2', (error, channel) => (error === undefined ? resolve(channel) : reject(error))),
  )
  await once(other.resume(), 'close')
  client.end()
  const frames = await gateway.frames()
  assert.equal((await desk.list({})).length, 2)
  const env = frames.find(({ kind, facts }) => kind === 'exec' && facts['env'] !== undefined)?.facts['env']
  assert.equal(Array.isArray(env) && env.length, 128)
})

test('ports that are asked for without end are asked about one after the other, and connections count as channels from then on', async (t) => {
  await using gateway = await startSshGateway(t, { policy: HELD })
  if (gateway === undefined) return
  const client = await login(gateway)
  const desk = await gateway.desk()
  for (let count = 0; count < 1_000; count++) client.forwardIn('127.0.0.1', 10_000 + count, () => undefined)
  const denied = Array.from(
    { length: 1_000 },
    (_, port) => new Promise((resolve) => client.forwardOut('127.0.0.1', 1, '127.0.0.1', 1 + port, (error) => resolve(error))),
  )
  // All but as many channels as there may be are refused at once.
  let refused = 0
  for (const one of denied) void one.then(() => refused++)
  while (refused < 1_000 - 128) await new Promise((resolve) => setTimeout(resolve, 20))
  while ((await desk.list({})).length < 129) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal((await desk.list({})).length, 129)
  client.end()
  await gateway.frames()
  while ((await desk.list({ state: 'pending' })).length > 0) await new Promise((resolve) => setTimeout(resolve, 20))
})

test('a client that asks more than it waits to be answered is sent away', async (t) => {
  await using gateway = await startSshGateway(t, { policy: HELD })
  if (gateway === undefined) return
  const client = await login(gateway)
  const say = raw(client)
  client.forwardIn('127.0.0.1', 10_000, () => undefined)
  const closed = new Promise<void>((resolve) => void client.on('close', () => resolve()))
  for (let count = 0; count < 2_000; count++) say['ping']?.()
  await closed
})

test('what is asked of a channel behind its command changes nothing of what was judged', async (t) => {
  await using gateway = await startSshGateway(t, { policy: HELD, sshd: ['AcceptEnv LC_*'] })
  if (gateway === undefined) return
  const client = await login(gateway)
  const channel = await new Promise<ClientChannel>((resolve, reject) =>
    client.exec('reboot || echo "[$LC_ALL]"; tty', (error, opened) => (error === undefined ? resolve(opened) : reject(error))),
  )
  const { outgoing }: { outgoing: { id: number } } = Object(channel)
  raw(client)['env']?.(outgoing.id, 'LC_ALL', 'C.UTF-8', false)
  raw(client)['pty']?.(outgoing.id, 24, 80, 0, 0, 'xterm', null, false)
  const desk = await gateway.desk()
  let open: string | undefined
  while (open === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    open = (await desk.list({ state: 'pending' }))[0]?.id
  }
  await desk.decide(open, { act: 'approve' }, { subject: 'grace', kind: 'human', groups: ['approvers'] })
  let said = ''
  channel.on('data', (bytes: Buffer) => {
    said += bytes.toString()
  })
  await once(channel, 'close')
  client.end()
  assert.match(said, /\[\]/)
  assert.match(said, /not a tty/)
})

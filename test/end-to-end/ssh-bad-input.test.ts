import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { ClientChannel, Client as SshClient } from 'ssh2'
import { Client } from '../../gateway/protocols/ssh/library.ts'
import { assertRan } from '../support/clients.ts'
import { type SshGateway, startSshGateway, TARGET } from '../support/ssh-gateway.ts'
import { sessionsOf } from '../support/tapes.ts'

async function login(gateway: SshGateway, config: Record<string, unknown> = {}): Promise<SshClient> {
  const client = new Client()
  client.on('error', () => undefined)
  client.connect({
    host: '127.0.0.1',
    port: gateway.port,
    username: TARGET,
    privateKey: await readFile(gateway.identityFiles.human),
    ...config,
  })
  await once(client, 'ready')
  return client
}

function exec(client: SshClient, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => (error === undefined ? resolve(channel) : reject(error)))
  })
}

/** What the gateway answers to these bytes, until it closes. */
async function answer(port: number, bytes: Uint8Array | string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  let said = ''
  socket.on('error', () => undefined)
  socket.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  socket.write(bytes)
  const closed = once(socket, 'close')
  const timer = setTimeout(() => socket.destroy(), 10_000)
  await closed
  clearTimeout(timer)
  return said
}

test('bytes that are no handshake end their own connection, and nothing else', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const packet = Buffer.alloc(40_000)
  packet.writeUInt32BE(0x7fffffff, 0)
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    `SSH-1.5-old\r\n`,
    `SSH-2.0-${'x'.repeat(10_000)}`,
    Buffer.concat([Buffer.from('SSH-2.0-hostile\r\n'), packet]),
    Buffer.concat([Buffer.from('SSH-2.0-hostile\r\n'), Buffer.from([0, 0, 0, 12, 10, 20]), Buffer.alloc(10)]),
  ]) {
    const said = await answer(gateway.port, bytes)
    assert.ok(said === '' || said.startsWith('SSH-2.0-Sallyport'), said)
  }
  assertRan(await gateway.run(['echo still here']), 'the next client')
})

test('a client that guesses is sent away, and one that only offers keys proves nothing', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = new Client()
  let tries = 0
  const closed = new Promise<void>((resolve) => void client.on('close', () => resolve()))
  client.on('error', () => undefined)
  client.connect({
    host: '127.0.0.1',
    port: gateway.port,
    username: TARGET,
    authHandler: (_left, _partial, next) => {
      tries++
      next({ type: 'none', username: TARGET })
    },
  })
  await closed
  assert.equal(tries, 21)
  assert.deepEqual(await sessionsOf(gateway.dataDir), [])
})

test('more channels than there may be are refused one by one, unknown requests are answered with no', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = await login(gateway)
  const opened = await Promise.allSettled(Array.from({ length: 200 }, () => exec(client, 'sleep 1')))
  const refused = opened.filter(({ status }) => status === 'rejected').length
  assert.equal(refused, 200 - 128)
  const channel = await new Promise<ClientChannel>((resolve) => {
    const retry = (): void => void exec(client, 'cat').then(resolve, () => setTimeout(retry, 100))
    retry()
  })
  channel.end('served again\n')
  assert.equal(String((await once(channel, 'data'))[0]), 'served again\n')
  await assert.rejects(new Promise((_, reject) => client.forwardIn('127.0.0.1', 0, reject)))
  client.end()
})

test('a client that sends more than its window is cut off; others go on', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const [greedy, modest] = [await login(gateway), await login(gateway)]
  const channel = await exec(greedy, 'sleep 30')
  const closed = new Promise<void>((resolve) => void greedy.on('close', () => resolve()))
  // What the library believes of the window, which it would otherwise respect.
  const flood = setInterval(() => {
    Reflect.set(Object(channel.outgoing), 'window', 2 ** 31)
    for (let count = 0; count < 32; count++) channel.write(Buffer.alloc(32_000))
  }, 5)
  await closed
  clearInterval(flood)
  const still = await exec(modest, 'echo still here')
  assert.equal(String((await once(still, 'data'))[0]), 'still here\n')
  modest.end()
})

test('forwarding of every kind is refused and recorded', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const remote = await gateway.run(['echo in'], { flags: ['-R', '0:127.0.0.1:1', '-o', 'ExitOnForwardFailure=yes'] })
  assert.equal(remote.code, 255)
  assert.match(remote.stderr, /remote port forwarding failed/)
  const jump = await gateway.run([], { flags: ['-W', '127.0.0.1:22'] })
  assert.match(jump.stderr, /administratively prohibited: sallyport: forwarding is not allowed here \[policy\.forward\]/)
  const frames = await gateway.frames()
  const forward = frames.find(({ kind }) => kind === 'forward')
  assert.deepEqual(forward?.verdict?.rules, ['policy.forward'])
  assert.equal(forward?.facts['host'], '127.0.0.1')
})

test('a target that dies in the middle is told to the client, and the tape is sealed', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = gateway.ssh(['echo begun; sleep 60'])
  await client.says(/begun/)
  await gateway.sshd.kill()
  const ran = await client.ended
  assert.equal(ran.code, 255)
  assert.match(ran.stderr, /sallyport: the connection to the target broke/)
  assert.ok((await gateway.frames()).some(({ kind }) => kind === 'farewell'))
})

test('a session ended by an operator says so', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = gateway.ssh(['echo begun; sleep 60'])
  await client.says(/begun/)
  const [session] = await sessionsOf(gateway.dataDir)
  assert.ok(gateway.service.kill(session?.id ?? '', 'ended by grace'))
  const ran = await client.ended
  assert.equal(ran.code, 255)
  assert.match(ran.stderr, /sallyport: ended by grace/)
})

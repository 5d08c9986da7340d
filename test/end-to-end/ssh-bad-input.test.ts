import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { ClientChannel, ParsedKey, Client as SshClient } from 'ssh2'
import { BaseAgent, Client, utils } from '../../gateway/protocols/ssh/library.ts'
import { assertRan, clientHere, run } from '../support/clients.ts'
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
    assert.ok(said === '' || said.startsWith('SSH-2.0-OpenSSH_compatible_Sallyport'), said)
  }
  assertRan(await gateway.run(['echo still here']), 'the next client')
})

test('a client that guesses is sent away, and one that only offers keys proves nothing', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = new Client()
  let tries = 0
  const closed = new Promise<void>((resolve) => void client.on('close', () => resolve()))
  const told: string[] = []
  client.on('error', ({ message }) => void told.push(message))
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
  assert.deepEqual(told, ['20 attempts to sign in were not enough'])
  assert.deepEqual(await sessionsOf(gateway.dataDir), [])
})

test('a key that is only offered, however often, lets nobody in', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const line = await readFile(`${gateway.identityFiles.human}.pub`, 'utf8')
  class Offers extends BaseAgent {
    asked = 0
    getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
      const key = utils.parseKey(line)
      if (key instanceof Error) done(key)
      else done(undefined, Array<ParsedKey>(10).fill(Object(key)))
    }
    sign(...args: readonly unknown[]): void {
      this.asked++
      const done = args.at(-1)
      if (typeof done === 'function') done(new Error('it has not the key'))
    }
  }
  const agent = new Offers()
  const client = new Client()
  let ready = false
  client
    .on('error', () => undefined)
    .on('ready', () => {
      ready = true
    })
  const closed = new Promise<void>((resolve) => void client.on('close', () => resolve()))
  client.connect({ host: '127.0.0.1', port: gateway.port, username: TARGET, agent })
  await closed
  assert.equal(ready, false)
  assert.ok(agent.asked > 0, 'the offer was answered: sign')
  assert.deepEqual(await sessionsOf(gateway.dataDir), [])
})

test('requests and channels of kinds nobody knows are answered with no, and the connection goes on', async (t) => {
  await using gateway = await startSshGateway(t)
  const program = clientHere(t, 'paramiko')
  if (gateway === undefined || program === undefined) return
  const script = `
import paramiko, sys
from paramiko.common import cMSG_CHANNEL_REQUEST
port, user, key = sys.argv[1:]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect('127.0.0.1', int(port), user, key_filename=key, allow_agent=False, look_for_keys=False)
transport = client.get_transport()
for kind in ['x-unknown@example.org', 'hostkeys-prove-00@openssh.com', 'streamlocal-forward@openssh.com']:
    print('global', transport.global_request(kind, (b'x' * 1000,), wait=True))
for kind in ['x-unknown', 'x11', 'forwarded-tcpip', 'auth-agent@openssh.com', 'tun@openssh.com']:
    try:
        transport.open_channel(kind, ('127.0.0.1', 1), ('127.0.0.1', 1), timeout=60)
        print('opened', kind)
    except (paramiko.ChannelException, paramiko.SSHException) as error:
        print('no', type(error).__name__)
channel = transport.open_session()
for kind in ['x-unknown', 'break', 'signal\\x00']:
    m = paramiko.Message()
    m.add_byte(cMSG_CHANNEL_REQUEST)
    m.add_int(channel.remote_chanid)
    m.add_string(kind)
    m.add_boolean(False)
    m.add_string(b'y' * 1000)
    transport._send_user_message(m)
channel.exec_command('echo still here')
print(channel.makefile().read().decode().strip())
client.close()
`
  const ran = await run(program, ['-c', script, String(gateway.port), TARGET, gateway.identityFiles.human])
  assertRan(ran, 'the script')
  assert.deepEqual(ran.stdout.trim().split('\n'), [
    ...Array<string>(3).fill('global None'),
    ...Array<string>(5).fill('no ChannelException'),
    'still here',
  ])
})

test('sizes and signals said behind input that nobody takes do not pile up', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = await login(gateway)
  const channel = await exec(client, 'sleep 4')
  channel.write(Buffer.alloc(8 * 1024 * 1024))
  await wait(1_500)
  for (let at = 0; at < 10_000; at++) {
    channel.setWindow(24, 80 + (at % 100), 0, 0)
    channel.signal('USR1')
  }
  channel.resume()
  await once(channel, 'close')
  client.end()
  const kinds = (await gateway.frames()).map(({ kind }) => kind)
  const said = kinds.filter((kind) => kind === 'terminal-resize' || kind === 'signal').length
  assert.ok(said > 0 && said < 1_000, `${said} of 20,000`)
})

test('more channels than there may be are refused one by one, unknown requests are answered with no', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = await login(gateway)
  const opened = await Promise.allSettled(Array.from({ length: 1_000 }, () => exec(client, 'sleep 1')))
  const refused = opened.filter(({ status }) => status === 'rejected').length
  assert.equal(refused, 1_000 - 128)
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

test('keys are renewed in the middle of transfers, both ways, and questions nobody has to know are answered', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const scp = clientHere(t, 'scp')
  if (scp === undefined) return
  const data = randomBytes(6 * 1024 * 1024)
  const file = join(gateway.folder, 'file')
  await writeFile(file, data)
  const flags = ['-o', 'RekeyLimit=1M', '-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=2']
  const there = `${TARGET}@127.0.0.1:${join(gateway.sshd.files, 'there')}`
  // Those of the first kind are read and written by us, the others by the library.
  for (const cipher of ['aes256-gcm@openssh.com', 'aes128-ctr', 'chacha20-poly1305@openssh.com']) {
    const options = ['-c', cipher, ...flags, ...gateway.options()]
    assertRan(await run(scp, ['-s', ...options, file, there]), `there by ${cipher}`)
    assert.deepEqual(await readFile(join(gateway.sshd.files, 'there')), data)
    assertRan(await run(scp, ['-O', ...options, there, `${file}.back`]), `back by ${cipher}`)
    assert.deepEqual(await readFile(`${file}.back`), data)
  }
  // Without an answer to keepalive@openssh.com the client would give up.
  assertRan(await gateway.run(['sleep 4'], { flags }), 'a client that asks whether we are there')
})

test('a client that stops reading is waited for, in bounded memory', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = await login(gateway)
  const channel = await exec(client, 'yes | head -c 300000000; echo over >&2')
  await once(channel, 'readable')
  const before = process.memoryUsage.rss()
  let most = before
  // The target goes on until the window, ours and its pipe are full; what it wrote by then is all there is to keep.
  for (let count = 0; count < 20; count++) {
    await wait(100)
    most = Math.max(most, process.memoryUsage.rss())
  }
  assert.ok(most - before < 64 * 1024 * 1024, `${(most - before) >> 20} MiB more`)
  const still = await exec(client, 'echo still here')
  assert.equal(String((await once(still, 'data'))[0]), 'still here\n')
  client.end()
})

test('a target that sends garbage as SFTP ends that channel, and no other', async (t) => {
  await using gateway = await startSshGateway(t, { sshd: ['Subsystem sftp /bin/echo no packets at all'] })
  if (gateway === undefined) return
  const sftp = clientHere(t, 'sftp')
  if (sftp === undefined) return
  const ran = await run(sftp, [...gateway.options(), '-b', '-', `${TARGET}@127.0.0.1`], { input: 'ls\n' })
  assert.notEqual(ran.code, 0)
  assert.match(ran.stderr, /sallyport: PROTOCOL_/)
  assertRan(await gateway.run(['echo still here']), 'the next client')
})

test('a name with a zero byte, which sshd leaves off, is not another name than the one that is judged', async (t) => {
  const policy = `
version: 1
rules:
  - { id: most, on: ssh, match: { forward: { direction: local } }, action: allow }
  - { id: inner, on: ssh, match: { forward: { host: [127.0.0.1, /srv/inner] } }, action: block }
`
  await using gateway = await startSshGateway(t, { policy })
  if (gateway === undefined) return
  const client = await login(gateway, { strictVendor: false })
  const said = async (channel: ClientChannel): Promise<string> => {
    let words = ''
    channel.resume()
    channel.stderr.setEncoding('utf8').on('data', (text: string) => {
      words += text
    })
    await once(channel, 'close')
    return words
  }
  const sftp = await new Promise<ClientChannel>((resolve, reject) => {
    client.subsys('sftp\0', (error, channel) => (error === undefined ? resolve(channel) : reject(error)))
  })
  assert.match(await said(sftp), /policy\.malformed/)
  assert.match(await said(await exec(client, 'echo ran\0')), /policy\.malformed/)
  const refused = (open: (done: (error: Error | undefined) => void) => unknown): Promise<string> =>
    new Promise((resolve) => open((error) => resolve(error?.message ?? 'opened')))
  const port = (host: string, number: number): Promise<string> =>
    refused((done) => client.forwardOut('127.0.0.1', 1, host, number, done))
  const path = (name: string): Promise<string> => refused((done) => client.openssh_forwardOutStreamLocal(name, done))
  assert.match(await port('127.0.0.1', 9), /inner/)
  assert.match(await port('127.0.0.1\0', 9), /policy\.malformed/)
  assert.match(await port('localhost', 65_536 + 9), /policy\.malformed/)
  assert.match(await path('/srv/inner\0'), /policy\.malformed/)
  for (const name of ['/srv/inner', '//srv/./inner', 'srv/inner', '/srv/public/../inner'])
    assert.match(await path(name), /inner/, name)
  client.end()
})

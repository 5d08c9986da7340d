import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TapeFrame } from '../../recorder/index.ts'
import { assertRan, clientHere, Running, run } from '../support/clients.ts'
import { type SshGateway, startSshGateway, TARGET } from '../support/ssh-gateway.ts'
import { freePort } from '../support/sshd.ts'

/** Answers every connection with what it was sent, backwards, once the other half is over. */
async function backwards(t: TestContext): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    let said = ''
    socket.on('error', () => undefined)
    socket.setEncoding('latin1').on('data', (text: string) => {
      said += text
    })
    socket.on('end', () => socket.end([...said].reverse().join('')))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const allow = (forward: string): string => `
version: 1
rules:
  - { id: some, on: ssh, match: { forward: ${forward} }, action: allow }
  - { id: little, on: ssh, match: { kind: forward-output }, threshold: { bytes: 64KiB, per: session }, action: block }
`

/** What passed in one direction of what was forwarded. */
function passed(frames: readonly TapeFrame[], kind: string): string {
  return Buffer.concat(frames.filter((frame) => frame.kind === kind).map(({ body }) => Buffer.from(body ?? []))).toString(
    'latin1',
  )
}

async function spoken(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let said = ''
  socket.setEncoding('latin1').on('data', (more: string) => {
    said += more
  })
  socket.on('error', () => undefined)
  socket.end(text)
  await once(socket, 'close')
  return said
}

/** An agent of OpenSSH's with one key in it; its socket, and the key's line. */
async function agentWithKey(t: TestContext, gateway: SshGateway): Promise<{ socket: string; key: string } | undefined> {
  const program = clientHere(t, 'ssh-agent')
  if (program === undefined) return undefined
  const socket = join(gateway.folder, 'agent.sock')
  const agent = new Running(program, ['-D', '-a', socket])
  t.after(() => agent.child.kill())
  await agent.says(/SSH_AUTH_SOCK/)
  const added = await run('ssh-add', ['-q', gateway.identityFiles.human], { env: { SSH_AUTH_SOCK: socket } })
  assertRan(added, 'ssh-add')
  const { stdout } = await run('ssh-add', ['-L'], { env: { SSH_AUTH_SOCK: socket } })
  return { socket, key: stdout.trim() }
}

test('nothing is forwarded unless a rule allows it, and the client is told so in each case', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const agent = await agentWithKey(t, gateway)
  if (agent === undefined) return
  const port = await backwards(t)
  const jump = await gateway.run([], { flags: ['-W', `127.0.0.1:${port}`] })
  assert.match(jump.stderr, /administratively prohibited: sallyport: forwarding is not allowed here \[policy\.forward\]/)
  const remote = await gateway.run(['echo ran'], { flags: ['-R', `0:127.0.0.1:${port}`] })
  assert.equal(remote.stdout, 'ran\n')
  assert.match(remote.stderr, /sallyport: forwarding is not allowed here \[policy\.forward\]/)
  const env = { SSH_AUTH_SOCK: agent.socket }
  const forwarded = await gateway.run(['echo "[$SSH_AUTH_SOCK]"'], { flags: ['-A', '-o', `IdentityAgent=${agent.socket}`], env })
  assert.equal(forwarded.stdout, '[]\n')
  assert.match(forwarded.stderr, /sallyport: forwarding is not allowed here \[policy\.forward\]/)
})

test('a forward that a rule allows passes both ways, half-closed ends and all, and stands on the tape byte for byte', async (t) => {
  const port = await backwards(t)
  await using gateway = await startSshGateway(t, { policy: allow(`{ direction: local, host: 127.0.0.1, port: ${port} }`) })
  if (gateway === undefined) return
  const here = await freePort()
  const client = gateway.ssh(['echo up; cat'], { flags: ['-L', `${here}:127.0.0.1:${port}`] })
  await client.says(/up/)
  assert.equal(await spoken(here, 'through the gate'), 'etag eht hguorht')
  client.child.stdin?.end()
  assertRan(await client.ended, 'the client')
  const frames = await gateway.frames()
  assert.equal(passed(frames, 'forward-input'), 'through the gate')
  assert.equal(passed(frames, 'forward-output'), 'etag eht hguorht')
  const forward = frames.find(({ kind }) => kind === 'forward')
  assert.deepEqual([forward?.facts['host'], forward?.facts['port'], forward?.verdict?.rules], ['127.0.0.1', port, ['some']])
  const other = await gateway.run([], { flags: ['-W', `127.0.0.1:${port + 1}`] })
  assert.match(other.stderr, /forwarding is not allowed here/)
})

test('a rule on an address is about that address, however it is written', async (t) => {
  const port = await backwards(t)
  const policy = `${allow('{ direction: local }')}  - { id: here, on: ssh, match: { forward: { host: ["0:0:0:0:0:ffff:7f00:1"] } }, action: block }\n`
  await using gateway = await startSshGateway(t, { policy })
  if (gateway === undefined) return
  for (const host of ['127.1', '0x7f.0.0.1', '2130706433', '0', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]']) {
    const { stderr } = await gateway.run([], { flags: ['-W', `${host}:${port}`] })
    assert.match(stderr, /administratively prohibited: sallyport: .*\[.*here.*\]/, host)
  }
  // The name is one of its own, and its target's to resolve.
  assert.equal((await gateway.run([], { flags: ['-W', `localhost:${port}`], input: 'abc' })).stdout, 'cba')
})

test('ProxyCommand and ProxyJump through the gateway: what is inside is said to be sealed', async (t) => {
  await using gateway = await startSshGateway(t, { policy: allow('{ direction: local }') })
  if (gateway === undefined) return
  const key = join(gateway.folder, 'inner')
  await writeFile(key, gateway.sshd.userKey, { mode: 0o600 })
  const own = [
    '-F',
    'none',
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    '-o',
    'BatchMode=yes',
    '-i',
    key,
  ]
  const at = ['-p', String(gateway.sshd.port), `${gateway.sshd.user}@127.0.0.1`, 'echo inside']
  const proxy = `ssh ${gateway.options().join(' ')} -W %h:%p ${TARGET}@127.0.0.1`
  const ran = await run('ssh', [...own, '-o', `ProxyCommand=${proxy}`, ...at])
  assertRan(ran, 'ProxyCommand')
  assert.equal(ran.stdout, 'inside\n')
  const frames = await gateway.frames()
  const opaque = frames.filter(({ kind }) => kind === 'forward-opaque').map(({ dir, facts }) => [dir, facts['holds']])
  assert.deepEqual(opaque.sort(), [
    ['in', 'ssh'],
    ['out', 'ssh'],
  ])
  // -J runs a client of its own, which takes its settings from the file.
  const config = join(gateway.folder, 'config')
  const options = gateway
    .options()
    .filter((word) => word.includes('='))
    .map((word) => word.replace('=', ' '))
  await writeFile(
    config,
    ['Host gate', ` HostName 127.0.0.1`, ` User ${TARGET}`, ...options.map((line) => ` ${line}`), ''].join('\n'),
  )
  const jumped = await run('ssh', [...own.map((word) => (word === 'none' ? config : word)), '-J', 'gate', ...at])
  assertRan(jumped, 'ProxyJump')
  assert.equal(jumped.stdout, 'inside\n')
})

test('a port of the target and the agent of the client, each by its own rule', async (t) => {
  const port = await backwards(t)
  await using gateway = await startSshGateway(t, { policy: allow('{ direction: [remote, agent] }') })
  if (gateway === undefined) return
  const agent = await agentWithKey(t, gateway)
  if (agent === undefined) return
  const client = gateway.ssh(['echo up; cat'], { flags: ['-R', `0:127.0.0.1:${port}`] })
  const [, bound] = await client.says(/Allocated port (\d+)/)
  assert.equal(await spoken(Number(bound), 'from the target'), 'tegrat eht morf')
  client.child.stdin?.end()
  assertRan(await client.ended, 'the client')
  const frames = await gateway.frames()
  assert.equal(passed(frames, 'forward-output'), 'from the target')
  assert.equal(passed(frames, 'forward-input'), 'tegrat eht morf')
  const flags = ['-A', '-o', `IdentityAgent=${agent.socket}`]
  const listed = await gateway.run(['ssh-add -L'], { flags, env: { SSH_AUTH_SOCK: agent.socket } })
  assertRan(listed, 'ssh-add at the target')
  assert.equal(listed.stdout.trim(), agent.key)
  const later = await gateway.frames()
  assert.ok(later.some(({ kind, facts }) => kind === 'forward-open' && facts['direction'] === 'agent'))
  assert.ok(later.some(({ kind, body }) => kind === 'forward-input' && (body?.length ?? 0) > 0))
})

test('a budget cuts what is forwarded, and the rest of the connection goes on', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(Buffer.alloc(1024 * 1024, 'x'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await using gateway = await startSshGateway(t, { policy: allow('{ direction: local }') })
  if (gateway === undefined) return
  const here = await freePort()
  const client = gateway.ssh(['echo up; read line; echo "still $line"'], { flags: ['-L', `${here}:127.0.0.1:${port}`] })
  await client.says(/up/)
  const got = await spoken(here, '')
  assert.ok(got.length <= 64 * 1024, `${got.length} bytes came through`)
  client.child.stdin?.end('here\n')
  const ran = await client.ended
  assertRan(ran, 'the client')
  assert.match(ran.stdout, /still here/)
})

test('a client ends the ports it was given, and no others', async (t) => {
  const port = await backwards(t)
  await using gateway = await startSshGateway(t, { policy: allow('{ direction: remote }') })
  if (gateway === undefined) return
  const there = await freePort()
  const control = join(gateway.folder, 'control')
  const forward = `${there}:127.0.0.1:${port}`
  const client = gateway.ssh(['echo up; cat'], { flags: ['-M', '-S', control, '-R', forward] })
  await client.says(/up/)
  assert.equal(await spoken(there, 'before'), 'erofeb')
  assertRan(await run('ssh', ['-S', control, '-O', 'cancel', '-R', forward, 'x']), 'cancel')
  await assert.rejects(spoken(there, 'after'), { code: 'ECONNREFUSED' })
  client.child.stdin?.end()
  assertRan(await client.ended, 'the client')
  const cancelled = (await gateway.frames()).filter(({ kind }) => kind === 'forward-cancel')
  assert.deepEqual(
    cancelled.map(({ facts }) => facts['port']),
    [there],
  )
})

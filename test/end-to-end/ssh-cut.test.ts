import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { ClientChannel, SFTPWrapper, Client as SshClient } from 'ssh2'
import { Client } from '../../gateway/protocols/ssh/library.ts'
import type { TapeFrame } from '../../recorder/index.ts'
import { type SshGateway, startSshGateway, TARGET } from '../support/ssh-gateway.ts'

/** Nothing that ends a value stands in it: the tape's copy waits for more. */
const TYPED = 'rm$IFS-rf$IFS/srv/data'
const TRIES = 5

async function login(gateway: SshGateway): Promise<SshClient> {
  const client = new Client()
  client.on('error', () => undefined)
  const privateKey = await readFile(gateway.identityFiles.human)
  client.connect({ host: '127.0.0.1', port: gateway.port, username: TARGET, privateKey })
  await once(client, 'ready')
  return client
}

const taped = (frames: readonly TapeFrame[], ...kinds: readonly string[]): string =>
  frames
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ body }) => Buffer.from(body ?? []).toString())
    .join('')

function exec(client: SshClient, command: string, pty: boolean): Promise<ClientChannel> {
  return new Promise((resolve, reject) =>
    client.exec(command, { pty }, (error, channel) => (error === undefined ? resolve(channel) : reject(error))),
  )
}

for (const pty of [true, false])
  test(`a client that is gone right behind its last keys leaves none at the target that the tape has not, pty ${pty}`, async (t) => {
    await using gateway = await startSshGateway(t)
    if (gateway === undefined) return
    for (let count = 0; count < TRIES; count++) {
      const client = await login(gateway)
      const file = join(gateway.sshd.files, `got-${count}`)
      const channel = await exec(client, `${pty ? 'stty raw -echo; ' : ''}echo here; cat > ${file}`, pty)
      await once(channel, 'data')
      await new Promise((written) => channel.write(TYPED, written))
      client.destroy()
      const tape = taped(await gateway.frames(), pty ? 'terminal-input' : 'stdin')
      const got = await readFile(file, 'utf8').catch(() => '')
      assert.ok(tape.startsWith(got), `at the target ${got}, on the tape ${tape}`)
    }
  })

test('what is written right before the channel is closed reaches the target', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = await login(gateway)
  for (let count = 0; count < TRIES; count++) {
    const file = join(gateway.sshd.files, `all-${count}`)
    const channel = await exec(client, `echo here; cat > ${file}; echo done > ${file}.over`, false)
    await once(channel, 'data')
    channel.write(`a line\n${TYPED}`)
    if (count % 2 === 0) channel.end()
    channel.close()
    let over = ''
    for (const until = Date.now() + 60_000; over === '' && Date.now() < until; await wait(20))
      over = await readFile(`${file}.over`, 'utf8').catch(() => '')
    assert.equal(await readFile(file, 'utf8'), `a line\n${TYPED}`)
  }
  client.destroy()
})

test('of an upload that is cut the tape has all that the target has, and says so', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = await login(gateway)
  const file = join(gateway.sshd.files, 'sent')
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) =>
    client.sftp((error, session) => (error === undefined ? resolve(session) : reject(error))),
  )
  sftp.on('error', () => undefined)
  await new Promise<void>((resolve, reject) =>
    sftp.open(file, 'w', (error, handle) => {
      if (error !== undefined) return reject(error)
      sftp.write(handle, Buffer.from(TYPED), 0, TYPED.length, 0, (fault) => (fault ? reject(fault) : resolve()))
    }),
  )
  client.destroy()
  const frames = await gateway.frames()
  assert.equal(await readFile(file, 'utf8'), TYPED)
  assert.equal(taped(frames, 'file-upload', 'file-close'), TYPED)
  const { facts } = frames.find(({ kind }) => kind === 'file-close') ?? {}
  assert.equal(facts?.['status'], 'cut')
  assert.equal(facts?.['uploaded'], TYPED.length)
})

test('scp -O: of an upload that is cut the tape has all that the target has, and says so', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const client = await login(gateway)
  const file = join(gateway.sshd.files, 'sent')
  const channel = await exec(client, `scp -t ${file}`, false)
  await once(channel, 'data')
  channel.write(`C0600 ${TYPED.length * 2} sent\n`)
  await once(channel, 'data')
  await new Promise((written) => channel.write(TYPED, written))
  // Behind the answer to another command it has been passed on.
  await new Promise<void>((resolve) => client.exec('true', (_, other) => void other.once('close', resolve).resume()))
  client.destroy()
  const frames = await gateway.frames()
  assert.equal(taped(frames, 'file-upload', 'file-close'), TYPED)
  const { facts } = frames.find(({ kind }) => kind === 'file-close') ?? {}
  assert.equal(facts?.['status'], 'cut')
  assert.equal(facts?.['uploaded'], TYPED.length)
})

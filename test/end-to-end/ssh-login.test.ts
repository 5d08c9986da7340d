import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { assertRan, Running } from '../support/clients.ts'
import { startSshGateway, TARGET } from '../support/ssh-gateway.ts'
import { keyIn, startSshd } from '../support/sshd.ts'
import { sessionsOf } from '../support/tapes.ts'

const run = promisify(execFile)

/** A program that answers every question of ssh with this. */
async function askpass(folder: string, answer: string): Promise<Record<string, string>> {
  const path = join(folder, 'askpass')
  await writeFile(path, `#!/bin/sh\necho '${answer}'\n`)
  await chmod(path, 0o700)
  return { SSH_ASKPASS: path, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: '' }
}

const WITHOUT_KEYS = ['-o', 'PubkeyAuthentication=no', '-o', 'BatchMode=no', '-o', 'NumberOfPasswordPrompts=1']

test('an access key is a password, or the answer to a question', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const env = await askpass(gateway.folder, gateway.keys.human)
  for (const method of ['password', 'keyboard-interactive']) {
    const ran = await gateway.run(['echo in'], { env, flags: ['-o', `PreferredAuthentications=${method}`, ...WITHOUT_KEYS] })
    assertRan(ran, method)
    const frames = await gateway.frames()
    assert.equal(frames.find(({ kind }) => kind === 'authentication')?.facts['method'], method)
  }
  const subjects = (await sessionsOf(gateway.dataDir)).map(({ header }) => header?.session.identity.subject)
  assert.deepEqual(subjects, ['ada', 'ada'])
})

test('a wrong key, and a key that is nobody’s, are told nothing but no', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const env = await askpass(gateway.folder, 'sp_wrong')
  const wrong = await gateway.run(['echo in'], { env, flags: ['-o', 'PreferredAuthentications=password', ...WITHOUT_KEYS] })
  assert.equal(wrong.code, 255)
  assert.match(wrong.stderr, /Permission denied/)
  const stranger = await keyIn(gateway.folder, 'stranger')
  const none = await gateway.run(['echo in'], { flags: ['-o', `IdentityFile=${stranger.path}`, '-i', stranger.path] })
  assertRan(none, 'the first key is nobody’s, the second is')
  await rm(gateway.identityFiles.agent)
  const denied = await gateway.run(['echo in'], { flags: ['-i', stranger.path] })
  assert.match(denied.stderr, /Permission denied/)
  assert.deepEqual((await sessionsOf(gateway.dataDir)).length, 1)
})

test('a certificate is as good as whoever signed it, for whom, and until when', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-ca-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const authority = await keyIn(folder, 'authority')
  const other = await keyIn(folder, 'other')
  await using gateway = await startSshGateway(t, { userAuthorities: [authority.line] })
  if (gateway === undefined) return
  const signed = async (name: string, type: string, ca: string, args: readonly string[]): Promise<readonly string[]> => {
    const key = await keyIn(folder, name, type)
    await run('ssh-keygen', ['-q', '-s', ca, '-I', name, ...args, `${key.path}.pub`])
    return ['-o', 'PubkeyAuthentication=yes', '-o', `CertificateFile=${key.path}-cert.pub`, '-i', key.path]
  }
  await rm(gateway.identityFiles.agent)
  for (const type of ['ed25519', 'rsa', 'ecdsa']) {
    const flags = await signed(type, type, authority.path, ['-n', 'ada,somebody', '-V', '-5m:+5m'])
    assertRan(await gateway.run(['echo in'], { flags }), type)
  }
  const frames = await sessionsOf(gateway.dataDir)
  assert.deepEqual([...new Set(frames.map(({ header }) => header?.session.identity.subject))], ['ada'])
  assert.match(frames[0]?.header?.session.identity.proof ?? '', /^ssh-cert:SHA256:/)
  const refused: readonly (readonly [string, string, readonly string[]])[] = [
    ['of another authority', other.path, ['-n', 'ada']],
    ['expired', authority.path, ['-n', 'ada', '-V', '-10m:-5m']],
    ['not valid yet', authority.path, ['-n', 'ada', '-V', '+5m:+10m']],
    ['for nobody known', authority.path, ['-n', 'somebody']],
    ['for whoever', authority.path, []],
    ['of a host', authority.path, ['-h', '-n', 'ada']],
    ['from elsewhere', authority.path, ['-n', 'ada', '-O', 'source-address=10.0.0.0/8']],
    ['for one command', authority.path, ['-n', 'ada', '-O', 'force-command=id']],
  ]
  for (const [index, [why, ca, args]] of refused.entries()) {
    const flags = await signed(`refused-${index}`, 'ed25519', ca, args)
    assert.match((await gateway.run(['echo in'], { flags })).stderr, /Permission denied/, why)
  }
  const near = await signed('near', 'ed25519', authority.path, ['-n', 'ada', '-O', 'source-address=127.0.0.0/8'])
  assertRan(await gateway.run(['echo in'], { flags: near }), 'from here')
})

test('a target that is not there, cannot be had, or is somebody else, is told on the channel', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const ssh = (user: string): Promise<{ code: number | null; stderr: string }> =>
    new Running('ssh', [...gateway.options(), `${user}@127.0.0.1`, 'echo in'], { input: '' }).ended
  const unknown = await ssh('agent+nowhere')
  assert.equal(unknown.code, 255)
  assert.match(unknown.stderr, /^sallyport: TARGET_UNKNOWN: there is no target "nowhere"/)
  assertRan({ ...(await ssh(TARGET)), stdout: '' }, 'the target alone is a user name, too')
  await gateway.sshd.kill()
  const down = await gateway.run(['echo in'])
  assert.equal(down.code, 255)
  assert.match(down.stderr, /^sallyport: TARGET_UNREACHABLE: target web-1 cannot be reached \(ECONNREFUSED\)/)
})

test('a target that cannot prove a pinned host key is not spoken to', async (t) => {
  await using real = await startSshd()
  await using gateway = await startSshGateway(t, { hostKeys: [real.hostKey] })
  if (gateway === undefined) return
  const ran = await gateway.run(['echo in'])
  assert.equal(ran.code, 255)
  assert.match(ran.stderr, /^sallyport: TARGET_REFUSED: target web-1 shows a host key that is none of its configured ones/)
  assert.doesNotMatch(gateway.sshd.log(), /Accepted publickey/)
})

test('the host key stays the same over starts, and only its own user reads it', async (t) => {
  await using gateway = await startSshGateway(t)
  if (gateway === undefined) return
  const { hostKeys } = await import('../../gateway/protocols/ssh/host-key.ts')
  const own = { keysDir: join(gateway.dataDir, 'keys'), gateway: 'gw1' }
  const first = await readFile(join(own.keysDir, 'ssh_host_ed25519_key'), 'utf8')
  assert.deepEqual(await hostKeys(undefined, own), [first])
})

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import type { TapeFrame } from '../../recorder/index.ts'
import { assertRan } from '../support/clients.ts'
import { startSshGateway } from '../support/ssh-gateway.ts'
import { keyIn } from '../support/sshd.ts'

const run = promisify(execFile)
const NAME = 'web-1.internal'

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-ca-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('a target whose host key an authority has certified is believed, by its name and while that is valid', async (t) => {
  const folder = await folderOf(t)
  const authority = await keyIn(folder, 'authority')
  const other = await keyIn(folder, 'other')
  const certificate = join(folder, 'host-cert.pub')
  const keys: Record<string, string> = {}
  for (const type of ['ed25519', 'ecdsa', 'rsa']) keys[type] = (await keyIn(folder, `host-${type}`, type)).path
  const signed = async (type: string, ca: string, args: readonly string[]): Promise<void> => {
    const key = keys[type] ?? ''
    await run('ssh-keygen', ['-q', '-s', ca, '-I', `the ${type} key`, ...args, `${key}.pub`])
    await copyFile(`${key}-cert.pub`, certificate)
  }
  const valid = ['-h', '-n', `${NAME},web-2.internal`, '-V', '-5m:+5m']
  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    await signed(type, authority.path, valid)
    await using gateway = await startSshGateway(t, {
      hostAuthorities: [authority.line],
      hostName: NAME,
      // Keys are renewed in the middle, and the certificate is shown again.
      sshd: [`HostKey ${keys[type]}`, `HostCertificate ${certificate}`, 'RekeyLimit 1M'],
    })
    if (gateway === undefined) return
    const ran = await gateway.run(['head -c 3000000 /dev/zero'])
    assertRan({ ...ran, stdout: '' }, type)
    assert.equal(ran.stdout.length, 3_000_000)
    const frames: readonly TapeFrame[] = await gateway.frames()
    const upstream = frames.find(({ kind }) => kind === 'upstream')
    assert.equal(upstream?.facts['hostCertificate'], `the ${type} key`)
    assert.match(String(upstream?.facts['hostAuthority']), /^SHA256:/)
  }
  const refused: readonly (readonly [RegExp, string, readonly string[]])[] = [
    [/none of the configured authorities signed it/, other.path, valid],
    [/it is not of web-1\.internal/, authority.path, ['-h', '-n', 'web-2.internal']],
    [/it is not of web-1\.internal/, authority.path, ['-h']],
    [/it is not valid at this time/, authority.path, ['-h', '-n', NAME, '-V', '-10m:-5m']],
  ]
  for (const [why, ca, args] of refused) {
    await signed('ed25519', ca, args)
    await using gateway = await startSshGateway(t, {
      hostAuthorities: [authority.line],
      hostName: NAME,
      sshd: [`HostKey ${keys['ed25519']}`, `HostCertificate ${certificate}`],
    })
    if (gateway === undefined) return
    const ran = await gateway.run(['echo in'])
    assert.equal(ran.code, 255)
    assert.match(ran.stderr, /TARGET_REFUSED: target web-1 shows a host certificate that does not count here/)
    assert.match(ran.stderr, why)
    assert.doesNotMatch(gateway.sshd.log(), /Accepted publickey/)
  }
})

test('the gateway logs in by a certificate the client never sees, and takes a renewed one for the next session', async (t) => {
  const folder = await folderOf(t)
  const authority = await keyIn(folder, 'authority')
  const key = join(folder, 'own')
  const certificate = join(folder, 'own-cert.pub')
  const issue = async (type: string, id: string, ...args: readonly string[]): Promise<void> => {
    await rm(key, { force: true })
    await rm(`${key}.pub`, { force: true })
    await keyIn(folder, 'own', type)
    await run('ssh-keygen', ['-q', '-s', authority.path, '-I', id, '-n', userInfo().username, ...args, `${key}.pub`])
  }
  await issue('ed25519', 'first')
  await using gateway = await startSshGateway(t, {
    own: { key, certificate },
    sshd: [`TrustedUserCAKeys ${authority.path}.pub`, 'AuthorizedKeysFile none', 'PubkeyAuthentication yes'],
  })
  if (gateway === undefined) return
  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    await issue(type, `of ${type}`)
    assertRan(await gateway.run(['echo in']), type)
    const frames: readonly TapeFrame[] = await gateway.frames()
    const upstream = frames.find(({ kind }) => kind === 'upstream')
    assert.equal(upstream?.facts['certificate'], `of ${type}`)
    assert.match(gateway.sshd.log(), new RegExp(`Accepted publickey .*ID of ${type}`))
  }
  await issue('ed25519', 'for another', '-n', 'somebody-else')
  const refused = await gateway.run(['echo in'])
  assert.equal(refused.code, 255)
  assert.match(refused.stderr, /TARGET_REFUSED: target web-1 refused the gateway's own login/)
  await issue('ed25519', 'old', '-V', '-10m:-5m')
  const old = await gateway.run(['echo in'])
  assert.equal(old.code, 255)
  assert.match(old.stderr, /TARGET_REFUSED: .* cannot be used: the certificate has run out/)
  const kept = await readFile(certificate)
  await issue('ed25519', 'new')
  assertRan(await gateway.run(['echo in']), 'renewed')
  await writeFile(certificate, kept)
  assert.match((await gateway.run(['echo in'])).stderr, /cannot be used: the certificate is not of the private key/)
})

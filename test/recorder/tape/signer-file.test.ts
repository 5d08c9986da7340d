import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openFileSigner, readGatewayKeys } from '../../../recorder/tape/signer-file.ts'

async function keysFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-keys-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('a public key whose line was cut while it was written is published anew, and the others are believed as before', async (t) => {
  const folder = await keysFolder(t)
  const path = join(folder, 'gateway.pub')
  await openFileSigner(folder, 'gw1')
  const { publicKey } = await openFileSigner(folder, 'gw1-1')
  const whole = await readFile(path, 'utf8')
  const second = whole.indexOf('\n') + 1
  for (let size = second + 1; size < whole.length; size += 1) {
    await writeFile(path, whole.slice(0, size))
    // Another one comes first: to it the cut line is a stranger's.
    await openFileSigner(folder, 'gw1-2')
    await openFileSigner(folder, 'gw1-1')
    const keys = await readGatewayKeys(folder)
    assert.deepEqual(new Set(keys.map(({ gateway }) => gateway)), new Set(['gw1', 'gw1-1', 'gw1-2']), `cut at ${size}`)
    assert.ok(keys.every((key) => Buffer.from(key.publicKey).equals(publicKey)))
    const { mode } = await stat(path)
    assert.equal(mode & 0o777, 0o644)
  }
})

test('several that publish their keys at once find all of them there, and leave nothing else', async (t) => {
  const folder = await keysFolder(t)
  const names = Array.from({ length: 12 }, (_, index) => `gw1-${index + 1}`)
  await Promise.all(names.map((name) => openFileSigner(folder, name)))
  const keys = await readGatewayKeys(folder)
  assert.deepEqual(keys.map(({ gateway }) => gateway).sort(), [...names].sort())
  assert.deepEqual((await readdir(folder)).sort(), ['gateway.key', 'gateway.pub'])
})

test('a private key that is damaged is named, and no other is made in its place', async (t) => {
  const folder = await keysFolder(t)
  const path = join(folder, 'gateway.key')
  await openFileSigner(folder, 'gw1')
  const pem = await readFile(path, 'utf8')
  for (const damaged of ['', pem.slice(0, 50), pem.replace('MC', 'MD')]) {
    await writeFile(path, damaged)
    await assert.rejects(openFileSigner(folder, 'gw1'), { code: 'CONFIG_INVALID', message: /gateway\.key is no private key/ })
    assert.equal(await readFile(path, 'utf8'), damaged)
  }
})

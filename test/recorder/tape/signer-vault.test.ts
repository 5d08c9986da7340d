import assert from 'node:assert/strict'
import { randomUUID, verify } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { Vault } from '../../../recorder/azure/vault.ts'
import { certify, checkCertificate, keyIdOf, verifyKey } from '../../../recorder/tape/signer.ts'
import { openVaultSigner } from '../../../recorder/tape/signer-vault.ts'
import { type IdentityEndpoint, startIdentityEndpoint, trustedTls, withEnv } from '../../support/azure-identity.ts'
import { startVault, type TestVault } from '../../support/vault.ts'

let endpoint: IdentityEndpoint
let env: Disposable
let vault: TestVault

before(async () => {
  endpoint = await startIdentityEndpoint()
  env = withEnv(endpoint.env)
  vault = await startVault(await trustedTls())
})
after(async () => {
  env[Symbol.dispose]()
  await vault[Symbol.asyncDispose]()
  await endpoint[Symbol.asyncDispose]()
})
beforeEach(() => {
  vault.failures = []
  vault.alter = undefined
})

const identity = { kind: 'managed', clientId: randomUUID() } as const

test('signs as ES256 with a key that stays in the vault; node:crypto and our own check agree', async () => {
  const signer = await openVaultSigner({ url: vault.url, identity, key: 'evidence' }, 'gw1')
  assert.equal(signer.algorithm, 'ES256')
  const bytes = Buffer.from('a statement')
  const signature = await signer.sign(bytes)
  assert.equal(signature.length, 64)
  assert.equal(verify('sha256', bytes, { key: vault.publicKey, dsaEncoding: 'ieee-p1363' }, signature), true)
  assert.deepEqual(Buffer.from(signer.publicKey), vault.publicKey.export({ format: 'der', type: 'spki' }))

  const statement = Buffer.from('header')
  const certificate = await certify(signer, 'header', statement)
  const trusted = [{ gateway: 'gw1', publicKey: signer.publicKey }]
  assert.equal(certificate.keyId, keyIdOf(signer.publicKey))
  assert.equal(checkCertificate(certificate, 'header', statement, trusted), true)
  assert.equal(checkCertificate(certificate, 'header', Buffer.from('other'), trusted), false)
})

test('signs with the version it found at the start', async () => {
  const signer = await openVaultSigner({ url: vault.url, identity, key: 'evidence' }, 'gw1')
  vault.asked.length = 0
  await signer.sign(Buffer.from('x'))
  assert.match(vault.asked[0] ?? '', /^POST \/keys\/evidence\/[0-9a-f]{32}\/sign$/)
})

test('a vault that is away for a moment delays; one that stays away is told, with a code of ours', async () => {
  const signer = await openVaultSigner({ url: vault.url, identity, key: 'evidence' }, 'gw1')
  vault.failures = [503, 0]
  assert.equal((await signer.sign(Buffer.from('x'))).length, 64)
  vault.failures = [503, 503, 503, 503]
  await assert.rejects(signer.sign(Buffer.from('x')), { code: 'RECORDER_FAILED', message: /vault does not sign.*503/ })
  vault.failures = [403]
  await assert.rejects(openVaultSigner({ url: vault.url, identity, key: 'evidence' }, 'gw1'), { code: 'AZURE_FAILED' })
})

test('a new version of the key leaves open recordings alone: they go on with the one they began with, the next start takes the new one', async () => {
  const place = { url: vault.url, identity, key: 'evidence' }
  const before = await openVaultSigner(place, 'gw1')
  vault.rotate()
  const bytes = Buffer.from('a statement')
  assert.equal(verify('sha256', bytes, { key: vault.publicKey, dsaEncoding: 'ieee-p1363' }, await before.sign(bytes)), true)
  const after = await openVaultSigner(place, 'gw1')
  assert.notDeepEqual(after.publicKey, before.publicKey)
  assert.equal(verifyKey(after.publicKey, 'ES256', bytes, await after.sign(bytes)), true)
})

test('a signature by another key, or none, is not recorded', async () => {
  const signer = await openVaultSigner({ url: vault.url, identity, key: 'evidence' }, 'gw1')
  for (const [name, value] of [
    ['of another key', Buffer.alloc(64, 7).toString('base64url')],
    ['too short', Buffer.alloc(63, 7).toString('base64url')],
    ['no text', 7],
    ['nothing', undefined],
  ] as const) {
    vault.alter = (answer) => ({ ...answer, value })
    await assert.rejects(signer.sign(Buffer.from('x')), { code: 'RECORDER_FAILED', message: /the vault does not sign/ }, name)
  }
  vault.alter = undefined
  await signer.sign(Buffer.from('x'))
})

test('a key that is another than was asked for, may not sign, or is none, is refused at the start, with the reason', async () => {
  const place = { url: vault.url, identity, key: 'evidence' }
  const seconds = Math.floor(Date.now() / 1000)
  const { version } = await new Vault(place).key('evidence')
  const rows: readonly (readonly [key: object, attributes: object, words: RegExp])[] = [
    [{ kid: `${vault.url}/keys/other/${version}` }, {}, /asked for key evidence.*sent .*\/keys\/other/],
    [{ kid: `${vault.url}/keys/evidence/${'9'.repeat(32)}` }, {}, /asked for key evidence.*sent .*9999/],
    [{ kid: 'nothing' }, {}, /asked for key evidence/],
    [{ kid: undefined }, {}, /asked for key evidence/],
    [{ key_ops: ['verify'] }, {}, /not for signing/],
    [{ x: 'AAAA' }, {}, /no point on P-256/],
    [{ x: Buffer.alloc(32, 1).toString('base64url') }, {}, /no point on P-256/],
    [{}, { enabled: false }, /is disabled/],
    [{}, { exp: seconds - 10 }, /has expired, at 20/],
    [{}, { nbf: seconds + 3600 }, /may not sign before 20/],
    [{}, { nbf: 1e300 }, /may not sign before 1e\+300 s/],
  ]
  for (const [key, attributes, message] of rows) {
    vault.alter = (answer) => ({ ...answer, key: { ...(answer['key'] as object), ...key }, attributes })
    await assert.rejects(openVaultSigner({ ...place, version }, 'gw1'), { code: 'AZURE_FAILED', message })
  }
  vault.alter = (answer) => ({ ...answer, attributes: { exp: seconds + 3600 } })
  assert.equal((await openVaultSigner(place, 'gw1')).expiresMs, (seconds + 3600) * 1000)
})

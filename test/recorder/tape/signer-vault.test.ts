import assert from 'node:assert/strict'
import { randomUUID, verify } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { certify, checkCertificate, keyIdOf } from '../../../recorder/tape/signer.ts'
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

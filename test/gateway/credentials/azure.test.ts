import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { vaultSecret } from '../../../gateway/credentials/azure.ts'
import { type CredentialSource, readCredential } from '../../../gateway/credentials/upstream.ts'
import { type IdentityEndpoint, startIdentityEndpoint, trustedTls, withEnv } from '../../support/azure-identity.ts'
import { mistakes } from '../../support/config.ts'
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
  vault.asked.length = 0
  endpoint.asked.length = 0
})

const clientId = randomUUID()
const source = (credential: Partial<CredentialSource>): CredentialSource => ({
  user: 'gateway',
  tls: { mode: 'verify' },
  from: (path) => path,
  ...credential,
})

test("a database's password is a token for databases, asked for with the identity named", async () => {
  const { password } = await readCredential(source({ managedIdentity: { clientId } }), {})
  assert.equal(password?.split('.').length, 3)
  assert.deepEqual(endpoint.asked, [`https://ossrdbms-aad.database.windows.net ${clientId}`])
  // The next session takes the same one, while it lives.
  assert.equal((await readCredential(source({ managedIdentity: { clientId } }), {})).password, password)
  assert.equal(endpoint.asked.length, 1)
})

test('a secret is asked for once by sessions that open together, and anew after a minute', async () => {
  vault.secrets.set('a', 'first')
  const keyVault = { vault: vault.url, secret: 'a', clientId }
  const read = await Promise.all([1, 2, 3].map(() => readCredential(source({ keyVault }), {})))
  assert.deepEqual(
    read.map(({ password }) => password),
    ['first', 'first', 'first'],
  )
  vault.secrets.set('a', 'rotated')
  assert.equal(await vaultSecret(keyVault), 'first')
  assert.equal(vault.asked.length, 1)
  assert.equal(await vaultSecret(keyVault, performance.now() + 61_000), 'rotated')
})

test('while the vault is away the last value is used, for an hour', async () => {
  vault.secrets.set('b', 'known')
  const keyVault = { vault: vault.url, secret: 'b', clientId }
  const nowMs = performance.now()
  assert.equal(await vaultSecret(keyVault, nowMs), 'known')
  vault.failures = [503, 503, 503, 503, 0, 0, 0, 0]
  assert.equal(await vaultSecret(keyVault, nowMs + 3_500_000), 'known')
  await assert.rejects(vaultSecret(keyVault, nowMs + 3_700_000), { code: 'AZURE_FAILED' })
})

test('a secret that was deleted, disabled or is no longer ours is not used any more, when that is asked next', async () => {
  const keyVault = { vault: vault.url, secret: 'c', clientId }
  const nowMs = performance.now()
  for (const status of [403, 404]) {
    vault.secrets.set('c', 'known')
    assert.equal(await vaultSecret(keyVault, nowMs), 'known')
    vault.failures = [status]
    await assert.rejects(vaultSecret(keyVault, nowMs + 61_000), { code: 'AZURE_FAILED' })
    vault.failures = [503, 503, 503, 503]
    await assert.rejects(vaultSecret(keyVault, nowMs + 62_000), { code: 'AZURE_FAILED' })
  }
})

test('a vault that hangs keeps nobody waiting for a secret that is known; what it says in the end counts', async () => {
  const keyVault = { vault: vault.url, secret: 'd', clientId }
  const nowMs = performance.now()
  vault.secrets.set('d', 'known')
  assert.equal(await vaultSecret(keyVault, nowMs), 'known')
  vault.secrets.set('d', 'rotated')
  vault.failures = [Number.POSITIVE_INFINITY]
  assert.equal(await vaultSecret(keyVault, nowMs + 61_000, 1), 'known')
  // The question that was left is asked again by itself, and its answer is taken.
  assert.equal(await vaultSecret(keyVault, nowMs + 62_000, 60_000), 'rotated')
  assert.equal(vault.asked.length, 3)
})

test('what cannot be had is told as ours, without the secret or where it lies', async () => {
  const reading = readCredential(source({ keyVault: { vault: vault.url, secret: 'none', clientId } }), {})
  await assert.rejects(reading, (error: Error) => {
    assert.match(error.message, /cannot read its own credential/)
    assert.doesNotMatch(error.message, /none|127\.0\.0\.1/)
    return 'code' in error && error.code === 'TARGET_REFUSED' && error.cause instanceof Error
  })
})

const TARGET = (credential: string, tls = 'verify', host = 'db.internal'): string => `
gateway: gw1
dataDir: data
policy: policy.yaml
listeners: { postgres: { address: '127.0.0.1:0' } }
targets:
  - name: shop
    protocol: postgres
    host: ${host}
    port: 5432
    groups: [agents]
    tls: { mode: ${tls} }
    credential: ${credential}
identities: [{ subject: a, kind: agent, groups: [agents] }]
`

test('a token over a line anybody could read, two passwords, and a vault that is none are refused by line', async () => {
  assert.equal(await mistakes(TARGET('{ user: gateway, managedIdentity: {} }')), '')
  assert.equal(await mistakes(TARGET('{ user: gateway, managedIdentity: {} }', 'off', '127.0.0.1')), '')
  assert.match(
    await mistakes(TARGET('{ user: gateway, managedIdentity: {} }', 'unverified')),
    /:13:.*only sent over verified TLS/,
  )
  const keyVault = "keyVault: { vault: 'https://kv.vault.azure.net', secret: shop }"
  assert.equal(await mistakes(TARGET(`{ user: gateway, ${keyVault} }`)), '')
  assert.match(await mistakes(TARGET(`{ user: gateway, ${keyVault}, managedIdentity: {} }`)), /:13:.*one of password/)
  assert.match(
    await mistakes(TARGET("{ user: g, keyVault: { vault: 'https://kv.example.org', secret: shop } }")),
    /:13:.*no key vault/,
  )
  const signer = "signer: { keyVault: { vault: 'https://169.254.169.254', key: evidence } }\n"
  assert.match(await mistakes(TARGET('{ user: gateway }') + signer), /:15:.*no key vault/)
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { Vault, vaultScope } from '../../../recorder/azure/vault.ts'
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
  vault.asked.length = 0
})

const identity = { kind: 'managed', clientId: randomUUID() } as const
const open = (): Vault => new Vault({ url: vault.url, identity })

test('tokens are for vaults, each cloud its own, and go nowhere else', () => {
  assert.equal(vaultScope('https://evidence.vault.azure.net'), 'https://vault.azure.net/.default')
  assert.equal(vaultScope('https://evidence.managedhsm.azure.net'), 'https://managedhsm.azure.net/.default')
  assert.equal(vaultScope('https://evidence.vault.usgovcloudapi.net'), 'https://vault.usgovcloudapi.net/.default')
  for (const url of [
    'http://evidence.vault.azure.net',
    'https://evidence.vault.azure.net.example.org',
    'https://169.254.169.254',
    'https://xvault.azure.net',
  ])
    assert.throws(() => vaultScope(url), { code: 'CONFIG_INVALID' }, url)
})

test('a secret is read with the managed identity; overloads and silence are tried again', async () => {
  vault.secrets.set('shop-password', 'hunter2')
  vault.failures = [429, 0, 503]
  assert.equal(await open().secret('shop-password'), 'hunter2')
  assert.equal(vault.asked.length, 4)
})

test('what a vault refuses is told with its words, and not asked again', async () => {
  await assert.rejects(open().secret('none'), { code: 'AZURE_FAILED', message: /secrets\/none: 404 SecretNotFound/ })
  assert.equal(vault.asked.length, 1)
  vault.failures = [403]
  await assert.rejects(open().secret('none'), { code: 'AZURE_FAILED', message: /403/ })
  vault.failures = [500, 500, 500, 500]
  await assert.rejects(open().secret('none'), { code: 'AZURE_FAILED', message: /500/ })
})

test('a key that cannot sign ES256 is refused', async () => {
  await assert.rejects(open().key('rsa'), { code: 'AZURE_FAILED', message: /not an EC key on P-256/ })
})

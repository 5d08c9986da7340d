import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
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
  vault.alter = undefined
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

test('answers that are none, or without end, are failures of ours, and a vault that asks for a year of patience gets some tries', async () => {
  vault.secrets.set('s', 'value')
  for (const answer of ['', 'no JSON', '[]', 'null', '{"value":7}', '{"value":""}', `{"value":"${'x'.repeat(1 << 20)}"}`]) {
    vault.alter = () => answer
    await assert.rejects(open().secret('s'), { code: 'AZURE_FAILED' }, answer.slice(0, 20))
  }
  vault.alter = undefined
  vault.asked.length = 0
  vault.failures = [429, 429, 429, 429]
  await assert.rejects(open().secret('s'), { code: 'AZURE_FAILED', message: /429/ })
  assert.equal(vault.asked.length, 4)
  vault.failures = [401]
  await assert.rejects(open().secret('s'), { code: 'AZURE_FAILED', message: /401/ })
})

test('a redirect is not followed: tokens go where they are for', async () => {
  const heard: (string | undefined)[] = []
  const stranger = createServer((request, response) => {
    heard.push(request.headers.authorization)
    response.end('{"value":"x"}')
  })
  await once(stranger.listen(0, '127.0.0.1'), 'listening')
  try {
    vault.elsewhere = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/secrets/s` // it listens on TCP
    vault.failures = [302, 302, 302, 302]
    await assert.rejects(open().secret('s'), { code: 'AZURE_FAILED', message: /redirect/ })
    assert.deepEqual(heard, [])
  } finally {
    stranger.close()
  }
})

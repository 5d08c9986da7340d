import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { tokensOf } from '../../../recorder/azure/identity.ts'
import { type IdentityEndpoint, startIdentityEndpoint, withEnv } from '../../support/azure-identity.ts'

const STORAGE = 'https://storage.azure.com/.default'

// One for all: the library remembers the first endpoint it finds for the life of its process.
let endpoint: IdentityEndpoint
let env: Disposable

before(async () => {
  endpoint = await startIdentityEndpoint()
  env = withEnv({ ...endpoint.env, AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential' })
})
after(async () => {
  env[Symbol.dispose]()
  await endpoint[Symbol.asyncDispose]()
})
beforeEach(() => {
  endpoint.asked.length = 0
  endpoint.answers = ['ok']
})

test("the library's managed identity gets tokens for the resource of the scope and the identity named", async () => {
  const clientId = randomUUID()
  using tokens = await tokensOf({ kind: 'managed', clientId })
  const { token, expiresOnTimestamp } = await tokens.getToken(STORAGE)
  assert.equal(token.split('.').length, 3)
  assert.ok(expiresOnTimestamp > Date.now() + 3_000_000)
  assert.deepEqual(endpoint.asked, [`https://storage.azure.com ${clientId}`])
  await tokens.getToken('6dae42f8-4368-4678-94ff-3960e28e3630/.default')
  assert.equal(endpoint.asked[1], `6dae42f8-4368-4678-94ff-3960e28e3630 ${clientId}`)
  assert.equal(await tokensOf({ kind: 'managed', clientId }), tokens)
})

test('429 of the endpoint, which the library does not try again, is tried again', async () => {
  endpoint.answers = [429, 'ok']
  using tokens = await tokensOf({ kind: 'managed', clientId: randomUUID() })
  assert.ok((await tokens.getToken(STORAGE)).token.length > 0)
  assert.equal(endpoint.asked.length, 2)
})

test('an identity the endpoint does not know is told at once', async () => {
  endpoint.answers = [400]
  using tokens = await tokensOf({ kind: 'managed', clientId: randomUUID() })
  await assert.rejects(tokens.getToken(STORAGE), { code: 'AZURE_FAILED' })
  assert.equal(endpoint.asked.length, 1)
})

test('a developer gets whatever sign-in there is: here, the managed identity', async () => {
  using tokens = await tokensOf({ kind: 'default', clientId: randomUUID() })
  assert.ok((await tokens.getToken(STORAGE)).token.length > 0)
})

import { randomUUID } from 'node:crypto'
import { after, before } from 'node:test'
import { openStore } from '../../../recorder/store/open-store.ts'
import { type IdentityEndpoint, startIdentityEndpoint, trustedTls, withEnv } from '../../support/azure-identity.ts'
import { type Azurite, startAzurite } from '../../support/azurite.ts'
import { storeContract } from './contract.ts'

let overHttp: Azurite
let overHttps: Azurite
let endpoint: IdentityEndpoint
let env: Disposable

before(async () => {
  overHttp = await startAzurite()
  overHttps = await startAzurite({ tls: await trustedTls() })
  endpoint = await startIdentityEndpoint()
  env = withEnv(endpoint.env)
})
after(async () => {
  env[Symbol.dispose]()
  await endpoint[Symbol.asyncDispose]()
  await overHttps[Symbol.asyncDispose]()
  await overHttp[Symbol.asyncDispose]()
})

storeContract('a Blob container, by key', async () => ({
  store: await openStore({ blob: await overHttp.place() }),
  [Symbol.asyncDispose]: async () => undefined,
}))

const clientId = randomUUID()

storeContract('a Blob container, over HTTPS with the managed identity', async () => ({
  store: await openStore({ blob: { ...(await overHttps.place()), access: { identity: { kind: 'managed', clientId } } } }),
  [Symbol.asyncDispose]: async () => undefined,
}))

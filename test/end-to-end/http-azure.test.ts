import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { BlobServiceClient } from '@azure/storage-blob'
import { type IdentityEndpoint, startIdentityEndpoint, trustedTls, withEnv } from '../support/azure-identity.ts'
import { AZURITE_ACCOUNT, startAzurite } from '../support/azurite.ts'
import { type HttpGateway, httpGateway } from '../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../support/tapes.ts'

// The unmodified SDK holds nothing but an access key of the gateway; what opens the account is the gateway's managed identity.

// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`
const STORAGE = 'https://storage.azure.com'

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

async function tapeText(gateway: HttpGateway): Promise<string> {
  await gateway.stop()
  const sessions = await sessionsOf(gateway.dataDir)
  const frames = await Promise.all(sessions.map(({ id }) => framesOf(gateway.dataDir, id)))
  return frames
    .flat()
    .map(({ body, facts }) => `${JSON.stringify(facts)}${Buffer.from(body ?? '').toString('latin1')}`)
    .join('\n')
}

const keyOnly = ({ keys }: HttpGateway) => ({
  getToken: () => Promise.resolve({ token: keys.agent, expiresOnTimestamp: Date.now() + 3_600_000 }),
})

test('@azure/storage-blob writes, lists and reads blobs by the gateway’s managed identity', async () => {
  const tls = await trustedTls('127.0.0.1')
  await using azurite = await startAzurite({ tls })
  const { container: name } = await azurite.place()
  await using gateway = await httpGateway(() => undefined, {
    identity: tls,
    at: { port: Number(new URL(azurite.url).port), tls: '{ mode: verify }' },
    credential: `{ managedIdentity: { scope: '${STORAGE}/.default' } }`,
    policy: `
version: 1
rules:
  - { id: no-blob-deletes, on: http, match: { method: DELETE }, action: block, reason: blobs stay }
`,
  })
  const service = new BlobServiceClient(`https://127.0.0.1:${gateway.port}/t/shop/${AZURITE_ACCOUNT}`, keyOnly(gateway))
  const container = service.getContainerClient(name)
  const binary = Buffer.from(Array.from({ length: 9 << 20 }, (_unused, at) => (at * 7919) & 0xff))
  await container.getBlockBlobClient('notes/one.txt').upload(`to ${MAIL}`, `to ${MAIL}`.length, {
    blobHTTPHeaders: { blobContentType: 'text/plain' },
  })
  await container.getBlockBlobClient('large.bin').uploadData(binary, { blockSize: 4 << 20, maxSingleShotSize: 1 << 20 })
  const names: string[] = []
  for await (const blob of container.listBlobsFlat()) names.push(blob.name)
  assert.deepEqual(names.sort(), ['large.bin', 'notes/one.txt'])
  const download = await container.getBlobClient('notes/one.txt').download()
  const pieces: Buffer[] = []
  for await (const piece of download.readableStreamBody ?? []) pieces.push(Buffer.from(piece))
  const text = Buffer.concat(pieces).toString()
  assert.match(text, /^to \[MASKED:email:[0-9a-f]{12}\]$/, 'what an agent reads is masked')
  assert.ok(binary.equals(await container.getBlobClient('large.bin').downloadToBuffer(0, undefined, { blockSize: 4 << 20 })))
  const stored = await azurite.container(name).getBlobClient('notes/one.txt').downloadToBuffer()
  assert.equal(stored.toString(), `to ${MAIL}`, 'what it wrote is not')
  await assert.rejects(container.getBlobClient('large.bin').delete(), { statusCode: 403 })
  assert.ok(await azurite.container(name).getBlobClient('large.bin').exists())
  assert.ok(endpoint.asked.every((question) => question.startsWith(STORAGE)))
  const tape = await tapeText(gateway)
  assert.ok(tape.includes('"path":"/devstoreaccount1/'))
  for (const secret of [MAIL, gateway.keys.agent, 'Bearer ey']) assert.ok(!tape.includes(secret), 'nothing of it is on the tape')
})

test('a secret of a vault’s shape is read with the gateway’s token, and leaves masked', async () => {
  const proofs: (string | undefined)[] = []
  const value = `hunter-${'7'.repeat(9)}`
  await using gateway = await httpGateway(
    (request, response) => {
      proofs.push(request.headers.authorization)
      response.setHeader('content-type', 'application/json; charset=utf-8')
      response.end(JSON.stringify({ value, id: 'https://vault.vault.azure.net/secrets/db/1', attributes: { enabled: true } }))
    },
    {
      credential: `{ managedIdentity: { scope: 'https://vault.azure.net/.default', clientId: ${randomUUID()} } }`,
      policy: 'version: 1\nlabels: { vault.secret: { names: [value], entity: secret } }\nrules: []\n',
    },
  )
  const response = await fetch(`${gateway.url}/secrets/db?api-version=7.4`, {
    headers: { authorization: `Bearer ${gateway.keys.agent}` },
  })
  const secret = (await response.json()) as { readonly value: string; readonly attributes: object } // as the target answers
  assert.match(secret.value, /^\[MASKED:secret:[0-9a-f]{12}\]$/)
  assert.deepEqual(secret.attributes, { enabled: true })
  assert.match(proofs[0] ?? '', /^Bearer ey/)
  assert.match(endpoint.asked.at(-1) ?? '', /^https:\/\/vault\.azure\.net /)
  assert.ok(!(await tapeText(gateway)).includes(value))
})

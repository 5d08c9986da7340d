import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import type { ContainerClient } from '@azure/storage-blob'
import { type Evidence, openEvidence, type Retention } from '../../../recorder/store/store-blob-evidence.ts'
import { type Azurite, startAzurite } from '../../support/azurite.ts'
import { type BlobProxy, startBlobProxy } from '../../support/blob-proxy.ts'
import { MemoryStore } from '../../support/memory-store.ts'

let azurite: Azurite
let proxy: BlobProxy

before(async () => {
  azurite = await startAzurite()
  proxy = await startBlobProxy({ to: azurite.url, worm: true })
})
after(async () => {
  await proxy[Symbol.asyncDispose]()
  await azurite[Symbol.asyncDispose]()
})
beforeEach(() => {
  proxy.fault = () => undefined
})

async function through(retention: Retention = {}): Promise<{ readonly evidence: Evidence; readonly container: ContainerClient }> {
  const place = { ...(await azurite.place()), url: proxy.url }
  const evidence = await openEvidence(place, retention, { firstPauseMs: 1, longestPauseMs: 2 })
  // Through the proxy as well: what is kept is kept there.
  return { evidence, container: azurite.through(proxy.url).getContainerClient(place.container) }
}

async function filled(size: number): Promise<{ readonly from: MemoryStore; readonly bytes: Buffer; readonly sha256: string }> {
  const from = new MemoryStore()
  const bytes = randomBytes(size)
  await from.put('tapes/s/0000.tape', bytes)
  return { from, bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}

const KEY = 'tapes/s/0000.tape'

test('a copy is a block blob of the same bytes, compared by reading it back; copying again changes nothing', async () => {
  const { evidence, container } = await through()
  const { from, bytes, sha256 } = await filled((9 << 20) + 5)
  assert.deepEqual(await evidence.copy(from, KEY), { size: bytes.length, sha256 })
  const { blobType, metadata } = await container.getBlobClient(KEY).getProperties()
  assert.equal(blobType, 'BlockBlob')
  assert.equal(metadata?.['sha256'], sha256)
  assert.deepEqual(await evidence.copy(from, KEY), { size: bytes.length, sha256 })
  const empty = new MemoryStore()
  await empty.put('none', new Uint8Array(0))
  assert.equal((await evidence.copy(empty, 'none')).size, 0)
})

test('lost answers, overloads and blocks gone astray leave one right copy', async () => {
  const { evidence } = await through()
  const { from, bytes, sha256 } = await filled(5 << 20)
  const faults = ['answer-lost', 503, 'lost', 'answer-lost'] as const
  let asked = 0
  proxy.fault = ({ method }) => (method === 'PUT' ? faults[asked++] : undefined)
  assert.deepEqual(await evidence.copy(from, KEY), { size: bytes.length, sha256 })
})

test('another object under the name is a conflict, and stays', async () => {
  const { evidence, container } = await through()
  const { from } = await filled(100)
  await container.getBlockBlobClient(KEY).upload('else', 4)
  await assert.rejects(evidence.copy(from, KEY), { code: 'STORE_CONFLICT', message: /is another: 4 bytes/ })
  assert.equal((await evidence.store.get(KEY)).length, 4)
})

test('with retention and hold configured a copy can be neither overwritten nor deleted, and a locked policy not shortened', async () => {
  const { evidence, container } = await through({ days: 30, mode: 'locked', legalHold: true })
  const { from } = await filled(100)
  await evidence.copy(from, KEY)
  const blob = container.getBlobClient(KEY)
  const { immutabilityPolicyExpiresOn, immutabilityPolicyMode, legalHold } = await blob.getProperties()
  assert.ok((immutabilityPolicyExpiresOn?.getTime() ?? 0) > Date.now() + 29 * 86_400_000)
  assert.equal(immutabilityPolicyMode?.toLowerCase(), 'locked')
  assert.equal(legalHold, true)
  await assert.rejects(blob.delete(), { code: 'BlobImmutableDueToPolicy' })
  await assert.rejects(container.getBlockBlobClient(KEY).upload('x', 1), { code: 'BlobImmutableDueToPolicy' })
  await evidence.hold(KEY, false)
  await assert.rejects(blob.delete(), { code: 'BlobImmutableDueToPolicy' })
  await assert.rejects(evidence.retain(KEY, new Date(Date.now() + 60_000), 'locked'), {
    code: 'STORE_FAILED',
    message: /BlobImmutableDueToPolicy/,
  })
  await evidence.retain(KEY, new Date(Date.now() + 60 * 86_400_000), 'locked')
  // It is still copied again without harm: that writes nothing.
  assert.equal((await evidence.copy(from, KEY)).size, 100)
})

test('what is put is kept as a copy is, whatever of its answers is lost; other bytes under its name are a conflict', async () => {
  const { evidence, container } = await through({ days: 30 })
  const faults = ['answer-lost', 503, 'lost', 'answer-lost'] as const
  let asked = 0
  proxy.fault = ({ method }) => (method === 'PUT' ? faults[asked++] : undefined)
  const bytes = Buffer.from('whole')
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  for (let time = 0; time < 2; time += 1) assert.deepEqual(await evidence.put('copies/s.json', bytes), { size: 5, sha256 })
  await assert.rejects(container.getBlobClient('copies/s.json').delete(), { code: 'BlobImmutableDueToPolicy' })
  await assert.rejects(evidence.put('copies/s.json', Buffer.from('other')), { code: 'STORE_CONFLICT' })
  assert.equal(Buffer.from(await evidence.store.get('copies/s.json')).toString(), 'whole')
})

test('what is put again is kept as long as what is put now, and never for less', async () => {
  const { evidence, container } = await through({ days: 30 })
  const until = async (): Promise<number> =>
    (await container.getBlobClient('keys/gw.pub').getProperties()).immutabilityPolicyExpiresOn?.getTime() ?? 0
  const key = Buffer.from('a key')
  await evidence.put('keys/gw.pub', key)
  await evidence.retain('keys/gw.pub', new Date(Date.now() + 86_400_000), 'unlocked')
  await evidence.put('keys/gw.pub', key)
  assert.ok((await until()) > Date.now() + 30 * 86_400_000)
  const far = new Date(Date.now() + 60 * 86_400_000)
  await evidence.retain('keys/gw.pub', far, 'locked')
  await evidence.put('keys/gw.pub', key)
  assert.equal(await until(), Math.floor(far.getTime() / 1000) * 1000)
})

test('a hold can be set and taken away on what is there', async () => {
  const { evidence, container } = await through()
  const { from } = await filled(10)
  await evidence.copy(from, KEY)
  await evidence.hold(KEY, true)
  await assert.rejects(container.getBlobClient(KEY).delete(), { code: 'BlobImmutableDueToPolicy' })
  await evidence.hold(KEY, false)
  await container.getBlobClient(KEY).delete()
})

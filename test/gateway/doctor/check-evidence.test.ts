import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { checkEvidence } from '../../../gateway/doctor/check-evidence.ts'
import type { EvidencePlace } from '../../../gateway/store-place.ts'
import { Sealer } from '../../../recorder/retention/sealer.ts'
import { openEvidence } from '../../../recorder/store/store-blob-evidence.ts'
import { type IdentityEndpoint, startIdentityEndpoint, trustedTls, withEnv } from '../../support/azure-identity.ts'
import { type Azurite, startAzurite } from '../../support/azurite.ts'
import { type Action, type BlobProxy, startBlobProxy } from '../../support/blob-proxy.ts'
import { recordingFolder, START } from '../../support/recording.ts'

/** Of the sealer, who may not ask what the container is like, and who may. */
const SEALER: readonly Action[] = ['blobs/read', 'blobs/write', 'blobs/immutableStorage/runAsSuperUser/action']
const ASKING: readonly Action[] = [...SEALER, 'containers/read']

let azurite: Azurite
let proxy: BlobProxy
let endpoint: IdentityEndpoint
let env: Disposable

before(async () => {
  const tls = await trustedTls()
  azurite = await startAzurite({ tls })
  proxy = await startBlobProxy({ to: azurite.url, tls, worm: true })
  endpoint = await startIdentityEndpoint()
  env = withEnv(endpoint.env)
})
after(async () => {
  env[Symbol.dispose]()
  for (const each of [endpoint, proxy, azurite]) await each[Symbol.asyncDispose]()
})
beforeEach(() => {
  endpoint.answers = ['ok']
})

async function evidence(retention: EvidencePlace['retention'] = {}): Promise<EvidencePlace & { readonly path: string }> {
  const { container } = await azurite.place()
  const access = { identity: { kind: 'managed', clientId: randomUUID() } } as const
  return { place: { url: proxy.url, container, access }, retention, path: `${new URL(proxy.url).pathname}/${container}` }
}

async function seen(where: EvidencePlace): Promise<string[]> {
  return (await checkEvidence(where)).map(({ what, status }) => `${what} ${status}`)
}

/** Records a session and copies it as the sealer does; its id. */
async function copied({ place, retention }: EvidencePlace): Promise<string> {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  await recorder.seal('client.left')
  const told: unknown[] = []
  await using sealer = new Sealer({
    live: folder.store,
    evidence: await openEvidence(place, retention),
    onCopied: (id) => told.push(id),
    onProblem: (_id, error) => told.push(error),
  })
  await sealer.look()
  assert.deepEqual([...new Set(told)], [info.id])
  return info.id
}

test('where nothing is copied there is nothing to check', async () => {
  assert.deepEqual(await checkEvidence(undefined), [])
})

test('a container without immutability keeps nothing, which is told, and fails where copies ask for it', async () => {
  proxy.rights = new Set(ASKING)
  assert.deepEqual(await seen(await evidence()), ['evidence list ok', 'evidence immutability excess'])
  for (const retention of [{ days: 30 }, { legalHold: true }])
    assert.deepEqual(await seen(await evidence(retention)), ['evidence list ok', 'evidence immutability failed'])
})

test('what keeps the last copy is seen by the copy, also by an identity that may not ask about the container', async () => {
  for (const rights of [SEALER, ASKING]) {
    proxy.rights = new Set(rights)
    const where = await evidence({ days: 30 })
    proxy.worm.versioned.add(where.path)
    assert.deepEqual(await seen(where), ['evidence list ok', 'evidence immutability skipped'])
    const id = await copied(where)
    assert.deepEqual(await seen(where), ['evidence list ok', 'evidence immutability ok'])
    proxy.worm.keep(`${where.path}/copies/${id}.json`, new Date(Date.now() - 1000), 'Locked')
    assert.deepEqual(await seen(where), ['evidence list ok', 'evidence immutability excess'], 'its time has passed')
    const unkept = await evidence()
    await copied(unkept)
    assert.deepEqual(await seen(unkept), ['evidence list ok', 'evidence immutability excess'])
  }
})

test('a container that cannot be listed, is not there, or gives no token, fails', async () => {
  proxy.rights = new Set<Action>(['blobs/write'])
  assert.deepEqual(await seen(await evidence()), ['evidence list failed'])
  proxy.rights = new Set(ASKING)
  const nowhere = await evidence()
  assert.deepEqual(await seen({ ...nowhere, place: { ...nowhere.place, container: 'not-there' } }), ['evidence list failed'])
  endpoint.answers = [400]
  assert.deepEqual(await seen(await evidence()), ['evidence list failed'])
})

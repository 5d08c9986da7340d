import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { StoreLedger, verifyStore } from '../../../recorder/index.ts'
import { Holds } from '../../../recorder/retention/holds.ts'
import { Sealer } from '../../../recorder/retention/sealer.ts'
import type { Store } from '../../../recorder/store/store.ts'
import { type Evidence, openEvidence } from '../../../recorder/store/store-blob-evidence.ts'
import { fence } from '../../../recorder/tape/fence.ts'
import { publishKey } from '../../../recorder/tape/published-keys.ts'
import { type Azurite, startAzurite } from '../../support/azurite.ts'
import { startBlobProxy } from '../../support/blob-proxy.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

let azurite: Azurite

before(async () => {
  azurite = await startAzurite()
})
after(() => azurite[Symbol.asyncDispose]())

const HOUR_MS = 3_600_000

interface Told {
  readonly copied: string[]
  readonly problems: (string | undefined)[]
}

function sealerOf(live: Store, evidence: Evidence, holds?: Holds): { readonly sealer: Sealer; readonly told: Told } {
  const told: Told = { copied: [], problems: [] }
  const sealer = new Sealer({
    live,
    evidence,
    ...(holds === undefined ? {} : { holds }),
    lookEveryMs: HOUR_MS,
    onCopied: (session) => told.copied.push(session),
    onProblem: (session) => told.problems.push(session),
  })
  return { sealer, told }
}

async function keysOf(store: Store): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.list('')) keys.push(key)
  return keys
}

test('ended tapes are copied with their keys and verify where they are kept; open ones wait; a restart copies nothing twice', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const [ended, open] = [await room.open(START), await room.open(START)]
  for (const { recorder } of [ended, open]) await recorder.append([entry()])
  await ended.recorder.seal('client.left')
  await publishKey(folder.store, folder.signer)
  const evidence = await openEvidence(await azurite.place())
  {
    const { sealer, told } = sealerOf(folder.store, evidence)
    await using _sealer = sealer
    await sealer.look()
    assert.deepEqual([...new Set(told.copied)], [ended.info.id])
    assert.deepEqual(told.problems, [])
  }
  const result = await verifyStore(evidence.store, 'evidence')
  assert.deepEqual([result.verdict, result.trust, result.tapes.length], ['VALID', 'beside', 1])
  const before = await keysOf(evidence.store)
  assert.ok(before.includes(`copies/${ended.info.id}.json`))

  await open.recorder.seal('client.left')
  const { sealer, told } = sealerOf(folder.store, evidence)
  await using _sealer = sealer
  await sealer.look()
  assert.deepEqual([...new Set(told.copied)], [open.info.id])
  assert.equal((await verifyStore(evidence.store, 'evidence')).tapes.length, 2)
})

test('a tape that was never begun is nobody’s problem', async () => {
  await using folder = await recordingFolder()
  await fence(folder.store, '20261120T120000Z-gw1-00000009', { segment: 0, position: 0 }, 100)
  const { sealer, told } = sealerOf(folder.store, await openEvidence(await azurite.place()))
  await using _sealer = sealer
  await sealer.look()
  assert.deepEqual(told, { copied: [], problems: [] })
})

test('what cannot be copied is told, the others are copied, and it is tried again', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const ids: string[] = []
  for (const _n of [1, 2]) {
    const { info, recorder } = await room.open(START)
    await recorder.seal('client.left')
    ids.push(info.id)
  }
  const [bad = '', good = ''] = ids
  const place = await azurite.place()
  const evidence = await openEvidence(place)
  // Somebody put another object where the copy of the first belongs.
  const other = azurite.container(place.container).getBlockBlobClient(`tapes/${bad}/0000.tape`)
  await other.upload('x', 1)
  const { sealer, told } = sealerOf(folder.store, evidence)
  await using _sealer = sealer
  await sealer.look()
  assert.ok(told.copied.includes(good))
  assert.ok(told.problems.includes(bad))
  await other.delete()
  await sealer.look()
  assert.ok(told.copied.includes(bad))
})

test('what others put beside a tape or among the keys, or into a folder within, is not copied and holds nothing up', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  await recorder.seal('client.left')
  const own = join(folder.path, 'tapes', info.id)
  await mkdir(join(own, 'deeper'))
  // A store takes no such name: to copy it would fail, and with it the tape.
  for (const name of ['a note', 'deeper/0000.tape']) await writeFile(join(own, name), 'x')
  await writeFile(join(folder.path, 'keys', 'a note.pub'), 'x')
  await writeFile(join(folder.path, 'keys', 'large.pub'), 'x'.repeat(1 << 20))
  const evidence = await openEvidence(await azurite.place())
  const { sealer, told } = sealerOf(folder.store, evidence)
  await using _sealer = sealer
  await sealer.look()
  // The large one is told of, at each look.
  assert.deepEqual([[...new Set(told.copied)], [...new Set(told.problems)]], [[info.id], [undefined]])
  assert.deepEqual(await keysOf(evidence.store), [
    `copies/${info.id}.json`,
    'keys/gateway.pub',
    `tapes/${info.id}/0000.tape`,
    `tapes/${info.id}/salt`,
  ])
})

test('a store that is away is told, and two sealers at once make one copy', async () => {
  await using folder = await recordingFolder()
  const room = await folder.room()
  const { info, recorder } = await room.open(START)
  await recorder.seal('client.left')
  const evidence = await openEvidence(await azurite.place())
  const [one, two] = [sealerOf(folder.store, evidence), sealerOf(new FaultyStore(folder.store), evidence)]
  await using _one = one.sealer
  await using _two = two.sealer
  await Promise.all([one.sealer.look(), two.sealer.look()])
  assert.deepEqual([...one.told.problems, ...two.told.problems], [])
  assert.equal((await keysOf(evidence.store)).filter((key) => key === `copies/${info.id}.json`).length, 1)

  const nowhere = await openEvidence({ ...(await azurite.place()), container: 'no-such' }, {}, { tries: 1 })
  const lost = sealerOf(folder.store, nowhere)
  await assert.rejects(lost.sealer.look(), { code: 'STORE_FAILED', message: /404 ContainerNotFound/ })
  await lost.sealer[Symbol.asyncDispose]()
})

test('what the ledger holds is put under legal hold once it is copied, and released when it is lifted, also after a restart', async () => {
  await using folder = await recordingFolder()
  await using proxy = await startBlobProxy({ to: azurite.url, worm: true })
  const room = await folder.room()
  const [held, other] = [await room.open(START), await room.open(START)]
  for (const { recorder } of [held, other]) await recorder.seal('client.left')
  await publishKey(folder.store, folder.signer)
  const { id } = held.info
  const ledger = await StoreLedger.open({ store: folder.store, gateway: 'gw1-cli', signer: folder.signer, publish: false })
  const by = { actor: 'ada', proof: 'key:k1', session: id, reason: 'audit' }
  await ledger.append({ type: 'hold.set', ...by })
  const place = { ...(await azurite.place()), url: proxy.url }
  const evidence = await openEvidence(place, {}, { tries: 1 })
  const container = azurite.through(proxy.url).getContainerClient(place.container)
  const isKeyHeld = async (): Promise<boolean> =>
    (await container.getBlobClient('keys/gateway.pub').getProperties()).legalHold === true
  /** The recording, and what says that its copy is whole. */
  const blobs = (session: string) =>
    [`tapes/${session}/0000.tape`, `copies/${session}.json`].map((key) => container.getBlobClient(key))
  const isHeld = async (session: string): Promise<boolean> => {
    const held = await Promise.all(blobs(session).map(async (blob) => (await blob.getProperties()).legalHold === true))
    assert.equal(new Set(held).size, 1, 'one with the other')
    return held[0] === true
  }
  const holds = () => new Holds(folder.store, async () => [folder.signer])
  {
    // The first look is not allowed to set holds: it is told, and tried again.
    proxy.rights = new Set(['blobs/read', 'blobs/write'])
    const { sealer, told } = sealerOf(folder.store, evidence, holds())
    await using _sealer = sealer
    await sealer.look()
    assert.ok(told.problems.includes(id))
    assert.equal(await isHeld(id), false)
    proxy.rights = undefined
    await sealer.look()
  }
  assert.deepEqual([await isHeld(id), await isHeld(other.info.id), await isKeyHeld()], [true, false, true])
  for (const blob of blobs(id)) await assert.rejects(blob.delete(), { code: 'BlobImmutableDueToPolicy' })
  await ledger.append({ type: 'hold.clear', ...by })
  await ledger.close()
  const { sealer, told } = sealerOf(folder.store, evidence, holds())
  await using _sealer = sealer
  await sealer.look()
  assert.deepEqual([await isHeld(id), await isKeyHeld(), told.problems], [false, false, []])
})

test('whatever is put where tapes are kept is kept: parts, key and manifest', async () => {
  await using folder = await recordingFolder()
  await using proxy = await startBlobProxy({ to: azurite.url, worm: true })
  const room = await folder.room()
  const { recorder } = await room.open(START)
  await recorder.seal('client.left')
  await publishKey(folder.store, folder.signer)
  const place = { ...(await azurite.place()), url: proxy.url }
  for (const retention of [{ days: 30 }, { legalHold: true }]) {
    const { container } = await azurite.place()
    const evidence = await openEvidence({ ...place, container }, retention)
    const { sealer, told } = sealerOf(folder.store, evidence)
    await using _sealer = sealer
    await sealer.look()
    assert.deepEqual(told.problems, [])
    const client = azurite.through(proxy.url).getContainerClient(container)
    const keys = await keysOf(evidence.store)
    assert.deepEqual([...new Set(keys.map((key) => key.split('/')[0]))], ['copies', 'keys', 'tapes'])
    for (const key of keys) {
      const refused = { code: 'BlobImmutableDueToPolicy' }
      await assert.rejects(client.getBlobClient(key).delete(), refused, key)
      await assert.rejects(client.getBlockBlobClient(key).upload('x', 1), refused, key)
    }
  }
})

test('copies carry index tags where that is asked for, by which they are found; without the right nothing is copied', async () => {
  await using folder = await recordingFolder()
  await using proxy = await startBlobProxy({ to: azurite.url })
  const room = await folder.room()
  const { info, recorder } = await room.open({ ...START, target: { ...START.target, name: 'shop (eu)' } })
  await recorder.seal('client.left')
  const place = { ...(await azurite.place()), url: proxy.url }
  const evidence = await openEvidence(place, { tags: true }, { tries: 1 })
  const { sealer, told } = sealerOf(folder.store, evidence)
  await using _sealer = sealer
  proxy.rights = new Set(['blobs/read', 'blobs/write'])
  await sealer.look()
  assert.deepEqual([told.copied, told.problems.includes(info.id)], [[], true])
  proxy.rights = undefined
  await sealer.look()
  assert.deepEqual([...new Set(told.copied)], [info.id])
  const blob = azurite.container(place.container).getBlobClient(`tapes/${info.id}/0000.tape`)
  const { tags } = await blob.getTags()
  const day = info.startedAt.slice(0, 10)
  assert.deepEqual(tags, { session: info.id, gateway: 'gw1', target: 'shop _eu_', day, state: 'sealed' })
})

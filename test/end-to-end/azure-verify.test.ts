import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Attestations, anchorKey } from '../../recorder/ledger/attest.ts'
import { StoreLedger } from '../../recorder/ledger/store-ledger.ts'
import { openBlobStore } from '../../recorder/store/store-blob.ts'
import { publishKey } from '../../recorder/tape/published-keys.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import type { Verification, VerifyVerdict } from '../../schemas/verification.ts'
import { ledgerKeys } from '../../schemas/verify/ledger-line.ts'
import { type IdentityEndpoint, startIdentityEndpoint, trustedTls, withEnv } from '../support/azure-identity.ts'
import { type Azurite, startAzurite } from '../support/azurite.ts'
import { type BlobProxy, startBlobProxy } from '../support/blob-proxy.ts'
import { runCli } from '../support/cli.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../support/recording.ts'
import { Gallery } from '../support/verifiers.ts'

// The same objects in a container, read by managed identity with no right but to read, and in a folder: the verdict must not depend on where evidence lies.

let azurite: Azurite
let proxy: BlobProxy
let endpoint: IdentityEndpoint
let env: Disposable
let folder: RecordingFolder
let gallery: Gallery
let session: string
const store = new MemoryStore()

before(async () => {
  const tls = await trustedTls()
  azurite = await startAzurite({ tls })
  proxy = await startBlobProxy({ to: azurite.url, tls })
  proxy.rights = new Set(['blobs/read'])
  endpoint = await startIdentityEndpoint()
  env = withEnv({ ...endpoint.env, AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential' })
  folder = await recordingFolder()
  gallery = new Gallery([folder.signer])
  await publishKey(store, folder.signer)
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: folder.signer })
  await ledger.append({ type: 'gateway.start', version: '0', node: 'v24' })
  await ledger.publish()
  const room = await folder.room({ store, ledger })
  for (const text of ['select 1', 'select 2']) {
    const { info, recorder } = await room.open(START)
    session = info.id
    await recorder.append([entry({ body: Buffer.from(text) })], { durable: true })
    await recorder.seal('client.left')
  }
  await room.close()
  await ledger.append({ type: 'gateway.stop', reason: 'stopped' })
  await ledger.close()
})
after(async () => {
  env[Symbol.dispose]()
  gallery[Symbol.dispose]()
  await folder[Symbol.asyncDispose]()
  for (const each of [endpoint, proxy, azurite]) await each[Symbol.asyncDispose]()
})

/** Where the objects stand now: a container with them. */
async function contain(objects: ReadonlyMap<string, Uint8Array>): Promise<string> {
  const { container } = await azurite.place()
  const blobs = azurite.container(container)
  for (const [key, bytes] of objects) await blobs.getBlockBlobClient(key).upload(bytes, bytes.length)
  return container
}

async function verified(...args: string[]): Promise<Verification> {
  const { out, err } = await runCli(['verify', ...args, '--json', '--trust', gallery.keys])
  return JSON.parse(out || `"${err}"`)
}

/** Everything but the sentences and the name of the place. */
function told(result: Verification): unknown {
  return JSON.parse(JSON.stringify(result, (name, value: unknown) => (name === 'what' || name === 'path' ? undefined : value)))
}

type Change = (objects: Map<string, Uint8Array>) => void

const flipped =
  (key: () => string): Change =>
  (objects) => {
    const bytes = Buffer.from(objects.get(key()) ?? assert.fail(key()))
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    objects.set(key(), bytes)
  }

const renamed =
  (name: (id: string) => string, removes = false): Change =>
  (objects) => {
    const own = tapeKeys.prefix(session)
    for (const [key, bytes] of [...objects].filter(([key]) => key.startsWith(own))) {
      objects.set(`tapes/${name(session)}/${key.slice(own.length)}`, bytes)
      if (removes) objects.delete(key)
    }
  }

test('a container has the verdict of the same objects in a folder, whole and attacked, under whatever names', async () => {
  const rows: readonly (readonly [name: string, verdict: VerifyVerdict, change: Change])[] = [
    ['as it was recorded', 'VALID', () => {}],
    [
      'a tape removed',
      'INVALID',
      (objects) => {
        for (const key of [...objects.keys()]) if (key.startsWith(tapeKeys.prefix(session))) objects.delete(key)
      },
    ],
    [
      'a tape’s footer removed',
      'VALID-INCOMPLETE',
      (objects) => {
        const segment = objects.get(tapeKeys.segment(session, 0)) ?? assert.fail()
        objects.set(tapeKeys.segment(session, 0), segment.subarray(0, segment.length - 100))
      },
    ],
    ['a byte of a tape changed', 'INVALID', flipped(() => tapeKeys.segment(session, 0))],
    ['a byte of the ledger changed', 'INVALID', flipped(() => ledgerKeys.sequence(0))],
    [
      'the ledger cut',
      'INVALID',
      (objects) => {
        const lines = Buffer.from(objects.get(ledgerKeys.sequence(0)) ?? assert.fail())
          .toString()
          .split('\n')
        objects.set(ledgerKeys.sequence(0), Buffer.from(`${lines.slice(0, 3).join('\n')}\n`))
      },
    ],
    ['the salt removed', 'UNVERIFIABLE', (objects) => void objects.delete(tapeKeys.salt(session))],
    [
      'the ledger removed',
      'UNVERIFIABLE',
      (objects) => {
        for (const key of [...objects.keys()]) if (key.startsWith('ledger/')) objects.delete(key)
      },
    ],
    [
      'strangers among the tapes',
      'VALID',
      (objects) => {
        for (const key of ['tapes/notes.txt', 'tapes/old/what.bin', `tapes/${session}/more.txt`, 'tapes/back\\slash'])
          objects.set(key, Buffer.from('x'))
      },
    ],
    ['a copy under a name with a backslash', 'VALID', renamed((id) => `${id}\\copy`)],
    ['the tape itself under a name with a backslash', 'INVALID', renamed((id) => `back\\${id}`, true)],
    [
      'a backslash in the place of the slash',
      'VALID',
      (objects) => {
        const key = tapeKeys.segment(session, 0)
        objects.set(`tapes/${session}\\0000.tape`, objects.get(key) ?? assert.fail())
        objects.delete(key)
      },
    ],
    ['a percent sign and what looks like an escape', 'INVALID', renamed(() => '%2e%2e%5c')],
  ]
  for (const [name, verdict, change] of rows) {
    const objects = new Map(store.objects)
    change(objects)
    // The service takes a backslash for a slash.
    const named = new Map([...objects].map(([key, bytes]) => [key.replaceAll('\\', '/'), bytes]))
    const inFolder = await verified(gallery.add(named))
    const inContainer = await verified(`${proxy.url}/${await contain(objects)}`)
    assert.deepEqual([name, inContainer.verdict], [name, verdict])
    assert.deepEqual(told(inContainer), told(inFolder), name)
  }
  assert.ok(endpoint.asked.length > 0)
})

test('an anchor’s container under a second address makes no second party, and the verified one none at all; another container does', async () => {
  const places = [await azurite.place(), await azurite.place()]
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: folder.signer })
  const anchors = await Promise.all(places.map(async (place) => ({ name: place.container, store: await openBlobStore(place) })))
  await using attestations = new Attestations({
    store,
    ledger,
    witnesses: [],
    timestamps: [],
    anchors,
    onProblem: (_, error) => assert.fail(String(error)),
  })
  await ledger.append({ type: 'gateway.stop', reason: 'anchored' })
  await ledger.publish()
  await attestations.settle()
  await ledger.close()
  const [first, second] = places.map(({ container }) => container)
  const policy = join(gallery.path, 'trust.policy')
  const judged = async (url: string) => {
    await writeFile(policy, `anchor a ${proxy.url}/${first}\nanchor b ${url}\ngroup both all a b\nquorum both\n`)
    return runCli(['verify', gallery.add(store.objects), '--trust', gallery.keys, '--trust-policy', policy])
  }
  const two = await judged(`${proxy.url}/${second}`)
  assert.equal(two.code, 0, two.out + two.err)
  const itself = await contain(
    new Map([...store.objects, [anchorKey(ledger.origin, ledger.size), ledger.checkpoint() ?? new Uint8Array()]]),
  )
  await writeFile(policy, `anchor a ${azurite.url}/${itself}\nquorum a\n`)
  const vouching = await runCli(['verify', `${proxy.url}/${itself}`, '--trust', gallery.keys, '--trust-policy', policy])
  assert.deepEqual([vouching.code, vouching.out], [1, ''])
  assert.match(vouching.err, /a is the very store that is verified, which would vouch for itself/)
  for (const other of [`${azurite.url}/${first}`, `${proxy.url}/${first}/`]) {
    const twice = await judged(other)
    assert.deepEqual([twice.code, twice.out], [1, ''], other)
    assert.match(twice.err, /a and b are one (?:container|party), which would count twice/)
  }
})

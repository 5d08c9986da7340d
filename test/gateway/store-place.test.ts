import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evidencePlaceOf, storePlaceOf, storeProblems, tapesOfUrl } from '../../gateway/store-place.ts'
import type { BlobStoreConfig } from '../../schemas/config-evidence.ts'
import { GOOD, mistakes } from '../support/config.ts'

const from = (path: string): string => `/etc/sallyport/${path}`
const said = (blob: BlobStoreConfig): string[] => storeProblems({ store: { blob } }).map(({ message }) => message)

test('without a store tapes are in the data folder', async () => {
  assert.deepEqual(await storePlaceOf({ dataDir: 'data' }, from, {}), { folder: '/etc/sallyport/data' })
})

test('an account is its public address, with the managed identity unless another is named', async () => {
  const place = await storePlaceOf({ dataDir: 'data', store: { blob: { account: 'evidence1' } } }, from, {})
  assert.deepEqual(place, {
    blob: {
      url: 'https://evidence1.blob.core.windows.net',
      container: 'live',
      access: { identity: { kind: 'managed' } },
    },
  })
})

test("the emulator's key comes from where it is named, and is left out for who does not open the store", async () => {
  const store = { blob: { url: 'http://127.0.0.1:10000/devstoreaccount1/', container: 'rec', key: { env: 'STORE_KEY' } } }
  const withKey = await storePlaceOf({ dataDir: 'data', store }, from, { STORE_KEY: 'k' })
  assert.deepEqual(withKey, { blob: { url: 'http://127.0.0.1:10000/devstoreaccount1', container: 'rec', access: { key: 'k' } } })
  const without = await storePlaceOf({ dataDir: 'data', store }, from, undefined)
  assert.deepEqual('blob' in without && without.blob.access, { key: '' })
})

test('evidence is kept beside, by an identity of its own where one is given', async () => {
  const [recorder, sealer] = ['00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002']
  const blob = { account: 'evidence1', clientId: recorder }
  const access = async (evidence: NonNullable<BlobStoreConfig['evidence']>) =>
    (await evidencePlaceOf({ store: { blob: { ...blob, evidence } } }, from, {}))?.place
  const url = 'https://evidence1.blob.core.windows.net'
  const identity = { kind: 'managed', clientId: recorder } as const
  assert.deepEqual(await access({}), { url, container: 'evidence', access: { identity } })
  assert.deepEqual(await access({ container: 'kept', clientId: sealer }), {
    url,
    container: 'kept',
    access: { identity: { kind: 'managed', clientId: sealer } },
  })
  assert.equal(await evidencePlaceOf({ store: { blob } }, from, {}), undefined)
})

test('an account key in production, tokens in clear and the metadata service as a store are refused', async () => {
  assert.match(said({ account: 'evidence1', key: { env: 'K' } })[0] ?? '', /overwrite and delete everything/)
  assert.match(said({ url: 'https://evidence1.blob.core.windows.net', key: { env: 'K' } })[0] ?? '', /only for the emulator/)
  assert.match(said({ url: 'http://10.0.0.4/x', key: { env: 'K' } })[0] ?? '', /in clear/)
  assert.match(said({ url: 'http://127.0.0.1:10000/x' })[0] ?? '', /never sent over http/)
  for (const host of ['169.254.169.254', '[::ffff:169.254.169.254]', '168.63.129.16', '[fe80::1]'])
    assert.match(said({ url: `https://${host}` })[0] ?? '', /metadata service/, host)
  assert.match(said({})[0] ?? '', /either account or url/)
  assert.match(said({ account: 'a11', container: 'one', evidence: { container: 'one' } })[0] ?? '', /another container/)
  assert.match(said({ account: 'a11', evidence: { mode: 'locked' } })[0] ?? '', /nothing without retainDays/)
  assert.deepEqual(said({ account: 'evidence1', clientId: '00000000-0000-0000-0000-000000000001' }), [])
})

test('every mistake in a store is told by its line', async () => {
  const text = await mistakes(`${GOOD}store:\n  blob:\n    account: Evidence_1\n    container: a\n    clientId: me\n`)
  for (const line of [30, 31, 32]) assert.match(text, new RegExp(`:${line}\\b`), text)
  assert.match(
    await mistakes(`${GOOD}store:\n  blob: { url: "http://127.0.0.1:1/a", key: { env: NO_SUCH } }\n`),
    /NO_SUCH is not set/,
  )
})

test('a URL names a container, or one session in it', () => {
  const access = { identity: { kind: 'default' } }
  assert.deepEqual(tapesOfUrl('https://a.blob.core.windows.net/live'), {
    place: { blob: { url: 'https://a.blob.core.windows.net', container: 'live', access } },
  })
  assert.deepEqual(tapesOfUrl('https://127.0.0.1:10000/devstoreaccount1/live/tapes/s-1/'), {
    place: { blob: { url: 'https://127.0.0.1:10000/devstoreaccount1', container: 'live', access } },
    session: 's-1',
  })
  assert.throws(() => tapesOfUrl('https://a.blob.core.windows.net/'), { code: 'STORE_MISSING' })
  // A link with a signature in it is a secret: not taken here, and not repeated.
  assert.throws(
    () => tapesOfUrl('https://a.blob.core.windows.net/live?sig=abc'),
    (error: Error) => !error.message.includes('sig'),
  )
})

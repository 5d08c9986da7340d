import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import type { Check } from '../../../gateway/doctor/check.ts'
import { checkStore } from '../../../gateway/doctor/check-store.ts'
import type { StorePlace } from '../../../recorder/index.ts'
import { type IdentityEndpoint, startIdentityEndpoint, trustedTls, withEnv } from '../../support/azure-identity.ts'
import { type Azurite, startAzurite } from '../../support/azurite.ts'
import { type Action, type BlobProxy, startBlobProxy } from '../../support/blob-proxy.ts'
import type { Identity } from '../../support/pg-tls.ts'

const RECORDER: readonly Action[] = ['blobs/read', 'blobs/add/action']
/** The built-in role that is assigned everywhere, for want of a better one. */
const CONTRIBUTOR: readonly Action[] = [
  ...RECORDER,
  'blobs/write',
  'blobs/delete',
  'containers/read',
  'containers/write',
  'containers/delete',
  'generateUserDelegationKey/action',
]

let tls: Identity
let azurite: Azurite
let proxy: BlobProxy
let endpoint: IdentityEndpoint
let env: Disposable

before(async () => {
  tls = await trustedTls()
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
  proxy.fault = () => undefined
})

async function place(url = proxy.url): Promise<StorePlace> {
  return { blob: { ...(await azurite.place()), url, access: { identity: { kind: 'managed', clientId: randomUUID() } } } }
}

function statuses(checks: readonly Check[]): Record<string, string> {
  return Object.fromEntries(checks.map(({ what, status }) => [what, status]))
}

test('is content with the rights to read and add, also the next time', async () => {
  proxy.rights = new Set(RECORDER)
  const at = await place()
  for (const _run of [1, 2]) {
    const checks = await checkStore(at, 'gw1')
    assert.deepEqual(
      checks.filter(({ status }) => status !== 'ok'),
      [],
    )
    assert.deepEqual(Object.keys(statuses(checks)), [
      'token',
      'store append',
      'store list',
      'clock',
      'rights: overwrite',
      'rights: shorten retention',
      'rights: hold',
      'rights: sign links',
      'rights: read as nobody',
      'rights: delete',
    ])
  }
})

test('says of a role that may too much what each right would be good for', async () => {
  proxy.rights = new Set(CONTRIBUTOR)
  const checks = await checkStore(await place(), 'gw1')
  const found = statuses(checks)
  for (const right of ['overwrite', 'hold', 'sign links', 'delete']) assert.equal(found[`rights: ${right}`], 'excess', right)
  assert.equal(found['rights: shorten retention'], 'ok')
  assert.match(checks.find(({ what }) => what === 'rights: overwrite')?.cure ?? '', /blobs\/write/)
})

test('a container whose policy keeps what is in it is as good as a role that refuses', async () => {
  proxy.rights = new Set([...CONTRIBUTOR, 'blobs/immutableStorage/runAsSuperUser/action'])
  const at = await place()
  if (!('blob' in at)) throw new Error('a container')
  await azurite.container(at.blob.container).getBlockBlobClient('doctor/gw1-canary').upload('x', 1)
  proxy.worm.keep(`/devstoreaccount1/${at.blob.container}/doctor/gw1-canary`, new Date(Date.now() + 3_600_000), 'Locked')
  const found = statuses(await checkStore(at, 'gw1'))
  assert.equal(found['rights: overwrite'], 'ok')
  assert.equal(found['rights: delete'], 'ok')
  assert.equal(found['rights: shorten retention'], 'ok')
  assert.equal(found['rights: hold'], 'excess')
})

test('says which right is missing, and tries nothing that would need it', async () => {
  proxy.rights = new Set<Action>(['blobs/read'])
  const checks = await checkStore(await place(), 'gw1')
  const append = checks.find(({ what }) => what === 'store append')
  assert.equal(append?.status, 'failed')
  assert.match(`${append?.seen} ${append?.cure}`, /403 AuthorizationPermissionMismatch.*blobs\/add\/action/)
})

test('a container that is not there, and one behind a firewall, are told as what they are, and not as rights that are missing', async () => {
  proxy.rights = new Set(RECORDER)
  const at = await place()
  const seen = async (given: StorePlace) =>
    (await checkStore(given, 'gw1')).flatMap(({ what, seen, cure }) => (/^store /.test(what) ? [[seen, cure]] : []))
  for (const [said, cure] of await seen('blob' in at ? { blob: { ...at.blob, container: 'nowhere' } } : at)) {
    assert.match(said ?? '', /404 ContainerNotFound \(there is no container of this name/)
    assert.equal(cure, undefined)
  }
  proxy.fault = () => ({ status: 403, code: 'AuthorizationFailure' })
  for (const [said] of await seen(at)) assert.match(said ?? '', /403 AuthorizationFailure \(the account's firewall/)
})

test('without a token nothing else is asked', async () => {
  endpoint.answers = [400]
  const checks = await checkStore(await place(), 'gw1')
  assert.deepEqual(statuses(checks), { token: 'failed' })
  assert.match(checks[0]?.cure ?? '', /clientId/)
})

test("a clock that is off the store's is told; far off, it fails", async () => {
  for (const [shiftMs, status] of [
    [-10_000, 'warning'],
    [120_000, 'failed'],
  ] as const) {
    await using off = await startBlobProxy({ to: azurite.url, tls, clockMs: shiftMs, rights: new Set(RECORDER) })
    const checks = await checkStore(await place(off.url), 'gw1')
    assert.equal(statuses(checks)['clock'], status)
    assert.match(checks.find(({ what }) => what === 'clock')?.seen ?? '', shiftMs < 0 ? /ahead of/ : /behind/)
  }
})

test("the emulator's key is told to be too much; a folder has no rights to try", async () => {
  await using open = await startAzurite()
  const checks = await checkStore({ blob: await open.place() }, 'gw1')
  assert.equal(statuses(checks)['rights'], 'excess')
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-doctor-'))
  try {
    assert.deepEqual(statuses(await checkStore({ folder }, 'gw1')), { 'store append': 'ok', 'store list': 'ok' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a conflict that is no policy’s keeps nothing, and what the store does not say about overwriting and deleting is no pass', async () => {
  proxy.rights = new Set(CONTRIBUTOR)
  for (const [fault, seen] of [
    [{ status: 409, code: 'InvalidBlobType' }, /409 InvalidBlobType/],
    [{ status: 400, code: 'UnsupportedHeader' }, /400 UnsupportedHeader/],
    [{ status: 501, code: 'NotImplemented' }, /501 NotImplemented/],
  ] as const) {
    proxy.fault = ({ action, comp }) =>
      comp !== 'immutabilityPolicies' && ['blobs/write', 'blobs/delete'].includes(action) ? fault : undefined
    const checks = await checkStore(await place(), 'gw1')
    for (const right of ['overwrite', 'delete']) {
      const check = checks.find(({ what }) => what === `rights: ${right}`)
      assert.deepEqual([check?.status, seen.test(check?.seen ?? '')], ['failed', true], `${right} ${fault.code}`)
    }
  }
})

test('a container that anybody can read is told', async () => {
  proxy.rights = new Set(RECORDER)
  const at = await place()
  if (!('blob' in at)) throw new Error('a container')
  assert.equal(statuses(await checkStore(at, 'gw1'))['rights: read as nobody'], 'ok')
  // As Azure says it of an account that shows nothing to anybody.
  proxy.fault = ({ anonymous }) => (anonymous ? { status: 409, code: 'PublicAccessNotPermitted' } : undefined)
  assert.equal(statuses(await checkStore(at, 'gw1'))['rights: read as nobody'], 'ok')
  proxy.fault = () => undefined
  await azurite.container(at.blob.container).setAccessPolicy('blob')
  const found = statuses(await checkStore(at, 'gw1'))
  assert.deepEqual([found['rights: read as nobody'], found['rights: overwrite']], ['excess', 'ok'])
})

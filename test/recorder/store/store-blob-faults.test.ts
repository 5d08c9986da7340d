import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import type { ContainerClient } from '@azure/storage-blob'
import { type BlobStore, openBlobStore } from '../../../recorder/store/store-blob.ts'
import type { BlobLimits } from '../../../recorder/store/store-blob-attempts.ts'
import { type Azurite, startAzurite } from '../../support/azurite.ts'
import { type BlobFault, type BlobProxy, startBlobProxy } from '../../support/blob-proxy.ts'

const QUICK = { firstPauseMs: 1, longestPauseMs: 2 }

let azurite: Azurite
let proxy: BlobProxy

before(async () => {
  azurite = await startAzurite()
  proxy = await startBlobProxy({ to: azurite.url })
})
after(async () => {
  await proxy[Symbol.asyncDispose]()
  await azurite[Symbol.asyncDispose]()
})
beforeEach(() => {
  proxy.fault = () => undefined
  proxy.rights = undefined
  proxy.calls.length = 0
})

/** A store whose requests go through the proxy, and its container, which is reached behind it. */
async function through(
  limits: Partial<BlobLimits> = {},
): Promise<{ readonly store: BlobStore; readonly container: ContainerClient }> {
  const place = await azurite.place()
  const store = await openBlobStore({ ...place, url: proxy.url }, { ...QUICK, ...limits })
  return { store, container: azurite.container(place.container) }
}

/** These faults for the next requests of this kind, then none. */
function failing(comp: string, ...faults: (BlobFault | undefined)[]): void {
  proxy.fault = (call) => (call.comp === comp && call.method === 'PUT' ? faults.shift() : undefined)
}

async function text(from: BlobStore, key: string): Promise<string> {
  return Buffer.from(await from.get(key)).toString()
}

test('an append whose answer is lost is done once', async () => {
  const { store } = await through()
  let expected = ''
  for (let n = 0; n < 10; n += 1) {
    failing('appendblock', 'answer-lost')
    await store.append('a', expected.length, Buffer.from(`entry ${n};`))
    expected += `entry ${n};`
  }
  assert.equal(await text(store, 'a'), expected)
  assert.equal(proxy.calls.filter(({ comp }) => comp === 'appendblock').length, 20)
})

test('an append that went astray, or met an overload, is made again; so is a creation', async () => {
  const { store } = await through()
  failing('appendblock', 'lost', 503, 'lost', 503)
  await store.append('b', 0, Buffer.from('x'))
  failing('', 'answer-lost', 'lost')
  await store.append('b2', 0, Buffer.from('y'))
  failing('', 'answer-lost', 503)
  await store.put('b3', Buffer.from('z'))
  assert.deepEqual([await text(store, 'b'), await text(store, 'b2'), await text(store, 'b3')], ['x', 'y', 'z'])
})

test('a store that stays away is told after a bounded number of tries; the append can then be made again', async () => {
  const { store } = await through({ tries: 3 })
  await store.append('c', 0, Buffer.from('0'))
  failing('appendblock', 503, 503, 'answer-lost')
  await assert.rejects(store.append('c', 1, Buffer.from('12')), { code: 'STORE_FAILED', message: /append to c failed/ })
  assert.equal(await text(store, 'c'), '012')
})

test('bytes changed on the way are refused, and the refusal is told', async () => {
  const { store } = await through()
  failing('appendblock', 'flipped')
  await assert.rejects(store.append('d', 0, Buffer.from('x')), { code: 'STORE_FAILED', message: /400 Md5Mismatch/ })
  assert.equal(await store.size('d'), 0)
  failing('', 'flipped')
  await assert.rejects(store.put('d2', Buffer.from('x')), { code: 'STORE_FAILED', message: /400 Md5Mismatch/ })
  await assert.rejects(store.size('d2'), { code: 'STORE_MISSING' })
})

test('ours arrived, its answer did not, and somebody went on behind it: done', async () => {
  const { store, container } = await through()
  const theirs = container.getAppendBlobClient('e')
  let asked = 0
  proxy.fault = async ({ comp }) => {
    if (comp !== 'appendblock') return undefined
    asked += 1
    if (asked === 1) return 'answer-lost'
    await theirs.appendBlock('theirs', 6)
    return undefined
  }
  await store.append('e', 0, Buffer.from('ours'))
  assert.equal(await text(store, 'e'), 'ourstheirs')
})

test('ours did not arrive, and somebody was there first: a conflict, and nothing of ours is written', async () => {
  const { store, container } = await through()
  await store.append('f', 0, Buffer.from('0'))
  const theirs = container.getAppendBlobClient('f')
  let asked = 0
  proxy.fault = async ({ comp }) => {
    if (comp !== 'appendblock') return undefined
    asked += 1
    if (asked === 1) return 'lost'
    await theirs.appendBlock('first', 5)
    return undefined
  }
  await assert.rejects(store.append('f', 1, Buffer.from('late')), { code: 'STORE_CONFLICT' })
  assert.equal(await text(store, 'f'), '0first')
})

test('what is larger than a block goes in several, exactly once, also when answers are lost', async () => {
  const { store, container } = await through()
  const bytes = randomBytes((9 << 20) + 17)
  failing('appendblock', undefined, 'answer-lost', undefined, 'lost', undefined)
  await store.append('g', 0, bytes)
  const have = await store.get('g')
  assert.equal(Buffer.compare(have, bytes), 0)
  // Overtaken in the middle: some of it is there, which no conflict may say.
  const theirs = container.getAppendBlobClient('g2')
  let blocks = 0
  proxy.fault = async ({ comp }) => {
    if (comp !== 'appendblock') return undefined
    blocks += 1
    if (blocks === 2) await theirs.appendBlock('theirs', 6)
    return undefined
  }
  await assert.rejects(store.append('g2', 0, bytes), { code: 'STORE_FAILED', message: /overtaken after 4194304 bytes/ })
})

test('one append is under way per object; objects do not wait for each other', async () => {
  const { store } = await through()
  const gate = Promise.withResolvers<void>()
  let [underWay, most] = [0, 0]
  proxy.fault = async ({ comp, path }) => {
    if (comp !== 'appendblock') return undefined
    if (path.endsWith('/h')) {
      underWay += 1
      most = Math.max(most, underWay)
      await gate.promise
      underWay -= 1
    }
    return undefined
  }
  const first = store.append('h', 0, Buffer.from('a'))
  const second = store.append('h', 1, Buffer.from('b'))
  await store.append('i', 0, Buffer.from('c'))
  gate.resolve()
  await Promise.all([first, second])
  assert.equal(most, 1)
  assert.equal(await text(store, 'h'), 'ab')
})

test('an abort ends the wait, whatever the request is doing', async () => {
  const { store } = await through()
  const abort = new AbortController()
  proxy.fault = async ({ comp }) => {
    if (comp === 'appendblock') {
      abort.abort()
      await new Promise(() => undefined)
    }
    return undefined
  }
  await assert.rejects(store.append('j', 0, Buffer.from('x'), abort.signal), { name: 'AbortError' })
})

test('an answer that does not come within the time is an attempt that failed', async () => {
  const { store } = await through({ timeoutMs: 100, tries: 2 })
  proxy.fault = async ({ comp }) => {
    if (comp === 'appendblock') await new Promise(() => undefined)
    return undefined
  }
  await assert.rejects(store.append('k', 0, Buffer.from('x')), { code: 'STORE_FAILED', message: /no answer within 100 ms/ })
})

test('with the rights to read and add alone everything of the contract is done, and what is forbidden is told', async () => {
  const { store } = await through()
  proxy.rights = new Set(['blobs/read', 'blobs/add/action'])
  await store.append('l', 0, Buffer.from('a'))
  await store.append('l', 1, Buffer.from('b'))
  await store.put('m', Buffer.from('c'))
  await store.put('m', Buffer.from('c'))
  await assert.rejects(store.put('m', Buffer.from('d')), { code: 'STORE_CONFLICT' })
  await assert.rejects(store.append('l', 0, Buffer.from('x')), { code: 'STORE_CONFLICT' })
  const keys: string[] = []
  for await (const key of store.list('')) keys.push(key)
  assert.deepEqual(keys, ['l', 'm'])
  assert.equal(await store.size('l'), 2)
  proxy.rights = new Set(['blobs/read'])
  await assert.rejects(store.append('l', 2, Buffer.from('x')), {
    code: 'STORE_DENIED',
    message: /append to l .*403 AuthorizationPermissionMismatch/,
  })
  await assert.rejects(store.put('n', Buffer.from('x')), { code: 'STORE_DENIED' })
  proxy.rights = new Set()
  await assert.rejects(store.get('l'), { code: 'STORE_DENIED' })
  await assert.rejects(store.size('l'), { code: 'STORE_DENIED' })
  await assert.rejects(store.list('')[Symbol.asyncIterator]().next(), { code: 'STORE_DENIED' })
})

test('what others put there is listed and read under whatever name, but the store’s own', async () => {
  const { store, container } = await through()
  for (const name of ['tapes/s/0000.tape', 'a b', '.hidden', 'ü', 'x//y']) await container.getBlockBlobClient(name).upload('x', 1)
  await container.getAppendBlobClient('empty').create()
  const keys: string[] = []
  for await (const key of store.list('')) keys.push(key)
  assert.deepEqual(keys.sort(), ['a b', 'empty', 'tapes/s/0000.tape', 'ü'])
  assert.equal((await store.get('a b')).length, 1)
  assert.equal(await store.size('ü'), 1)
  assert.equal((await store.get('empty')).length, 0)
  assert.equal((await store.get('empty', { from: 0, to: 10 })).length, 0)
})

test('nothing is added to what was put whole, or is sealed', async () => {
  const { store, container } = await through()
  await store.put('o', Buffer.from('abc'))
  await assert.rejects(store.append('o', 3, Buffer.from('d')), { code: 'STORE_CONFLICT' })
  await store.append('p', 0, Buffer.from('abc'))
  await container.getAppendBlobClient('p').seal()
  await assert.rejects(store.append('p', 3, Buffer.from('d')), { code: 'STORE_CONFLICT', message: /BlobIsSealed/ })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Store } from '../../../recorder/store/store.ts'
import { ApplianceError } from '../../../schemas/errors.ts'

export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store
}

const bytes = (text: string): Buffer => Buffer.from(text)

async function keysOf(store: Store, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.list(prefix)) keys.push(key)
  return keys
}

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof ApplianceError && error.code === expected
}

/** What every store must do; run on each. */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a store`, () => {
    test('appends at the end, and only there', async () => {
      await using under = await make()
      const { store } = under
      await store.append('tapes/s/0000.tape', 0, bytes('abc'))
      await store.append('tapes/s/0000.tape', 3, bytes('de'))
      await assert.rejects(store.append('tapes/s/0000.tape', 3, bytes('xx')), code('STORE_CONFLICT'))
      await assert.rejects(store.append('tapes/s/0000.tape', 9, bytes('xx')), code('STORE_CONFLICT'))
      await assert.rejects(store.append('tapes/s/0000.tape', 0, bytes('xx')), code('STORE_CONFLICT'))
      await assert.rejects(store.append('tapes/s/none', 4, bytes('xx')), code('STORE_CONFLICT'))
      assert.equal(Buffer.from(await store.get('tapes/s/0000.tape')).toString(), 'abcde')
      assert.equal(await store.size('tapes/s/0000.tape'), 5)
    })

    test('of appends at one position exactly one wins', async () => {
      await using under = await make()
      const { store } = under
      const tries = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) => store.append('log', 0, bytes(String(index)))),
      )
      assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
      for (const one of tries) if (one.status === 'rejected') assert.ok(code('STORE_CONFLICT')(one.reason))
      const winner = tries.findIndex(({ status }) => status === 'fulfilled')
      assert.equal(Buffer.from(await store.get('log')).toString(), String(winner))
    })

    test('puts an object once: the same bytes again succeed, others conflict', async () => {
      await using under = await make()
      const { store } = under
      await store.put('a/b', bytes('x'))
      await store.put('a/b', bytes('x'))
      await assert.rejects(store.put('a/b', bytes('y')), code('STORE_CONFLICT'))
      assert.equal(Buffer.from(await store.get('a/b')).toString(), 'x')
    })

    test('gives the part of a range that is there', async () => {
      await using under = await make()
      const { store } = under
      await store.put('o', bytes('0123456789'))
      const part = async (from: number, to: number): Promise<string> => Buffer.from(await store.get('o', { from, to })).toString()
      assert.equal(await part(2, 4), '23')
      assert.equal(await part(8, 99), '89')
      assert.equal(await part(10, 20), '')
      assert.equal(await part(50, 60), '')
    })

    test('says what is missing', async () => {
      await using under = await make()
      await assert.rejects(under.store.get('no/such'), code('STORE_MISSING'))
      await assert.rejects(under.store.get('no/such', { from: 0, to: 1 }), code('STORE_MISSING'))
      await assert.rejects(under.store.size('no/such'), code('STORE_MISSING'))
      assert.deepEqual(await keysOf(under.store, 'no/'), [])
    })

    test('lists keys by prefix, sorted by code unit over the whole key', async () => {
      await using under = await make()
      const { store } = under
      for (const key of ['t/b/1', 't/b-c/1', 't/b.d', 't/a', 'u/1', 't/B/2', 't/b/0']) await store.put(key, bytes(key))
      assert.deepEqual(await keysOf(store, ''), ['t/B/2', 't/a', 't/b-c/1', 't/b.d', 't/b/0', 't/b/1', 'u/1'])
      assert.deepEqual(await keysOf(store, 't/b'), ['t/b-c/1', 't/b.d', 't/b/0', 't/b/1'])
      assert.deepEqual(await keysOf(store, 't/b/'), ['t/b/0', 't/b/1'])
    })

    test('takes no key that could lead elsewhere, and writes none that is not plain', async () => {
      await using under = await make()
      const elsewhere = ['', '/etc/x', '../x', 'a/../b', 'a//b', 'a/', '.lock', 'a/.b', 'a\0b']
      for (const key of elsewhere) await assert.rejects(under.store.get(key), code('STORE_FAILED'), key)
      for (const key of [...elsewhere, 'a\\b', 'ä', 'x'.repeat(1025)]) {
        await assert.rejects(under.store.put(key, bytes('x')), code('STORE_FAILED'), key)
        await assert.rejects(under.store.append(key, 0, bytes('x')), code('STORE_FAILED'), key)
      }
      assert.deepEqual(await keysOf(under.store, ''), [])
    })
  })
}

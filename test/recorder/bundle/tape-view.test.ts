import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TapeView } from '../../../recorder/bundle/tape-view.ts'
import { MemoryStore } from '../../support/memory-store.ts'

const [OWN, OTHER] = ['tapes/s1/0000.tape', 'tapes/s2/0000.tape']
/** More than is kept. */
const LARGE = Buffer.alloc((4 << 20) + 1, 7)

test('a small object of a tape is read once, whatever is asked of it; large ones and those of others as they are asked for', async () => {
  const store = new MemoryStore()
  store.objects.set(OWN, Buffer.from('abcdef'))
  store.objects.set('tapes/s1/0001.tape', LARGE)
  store.objects.set(OTHER, Buffer.from('other'))
  const asked: string[] = []
  const get = store.get.bind(store)
  store.get = (key, range) => {
    asked.push(`${key} ${range?.from ?? ''}`)
    return get(key, range)
  }
  const view = new TapeView(store, 's1')
  const listed: string[] = []
  for await (const key of view.list('tapes/s1/')) listed.push(key)
  assert.deepEqual(listed, [OWN, 'tapes/s1/0001.tape'])
  const text = async (from: number, to: number): Promise<string> => Buffer.from(await view.get(OWN, { from, to })).toString()
  assert.deepEqual([await text(0, 2), await text(4, 99), await text(9, 12)], ['ab', 'ef', ''])
  assert.equal(Buffer.from(await view.get(OWN)).toString(), 'abcdef')
  assert.equal((await view.get('tapes/s1/0001.tape', { from: 3, to: 5 })).length, 2)
  assert.equal(Buffer.from(await view.get(OTHER)).toString(), 'other')
  assert.deepEqual(asked, [`${OWN} `, 'tapes/s1/0001.tape 3', `${OTHER} `])
  assert.deepEqual([await view.size(OWN), await view.size(OTHER)], [6, 5])
  await assert.rejects(view.size('tapes/s1/0002.tape'), { code: 'STORE_MISSING' })
  await assert.rejects(view.get('tapes/s1/salt'), { code: 'STORE_MISSING' })
})

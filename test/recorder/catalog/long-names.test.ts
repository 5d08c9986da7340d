import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDatabase } from '../../../recorder/catalog/database.ts'
import { search } from '../../../recorder/catalog/search.ts'
import { storeDigests } from '../../../recorder/catalog/store-rows.ts'
import { digestOf } from '../../support/digests.ts'
import { Random } from '../../support/random.ts'

test('a session is in the catalog however long the names of what it touched are, and is found by them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-names-'))
  const database = await openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
  try {
    const random = new Random(7)
    // Of characters that no compression makes shorter, and of the widest there are.
    const letters = (size: number, from: number, to: number): string =>
      Array.from({ length: size }, () => String.fromCodePoint(random.between(from, to))).join('')
    const names = [letters(20_000, 0x61, 0x7a), letters(300, 0x4e00, 0x9fff), letters(3_000, 0x20000, 0x2a000), 'customers']
    const asked = names.map((table) => ({ text: 'SELECT 1', table, ids: [1] }))
    for (const from of ['backlog', 'live'] as const)
      await storeDigests(database, [digestOf(1, Date.UTC(2026, 10, 20), asked)], from)
    const everybody = { scope: null, results: true }
    for (const name of ['customers', names[1], names[1]?.slice(0, 100).concat('*')]) {
      const { hits } = await search(database, { q: `table:${name}` }, everybody, Date.now())
      assert.equal(hits.length, 1, name)
    }
  } finally {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
})

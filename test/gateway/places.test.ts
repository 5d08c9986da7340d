import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeDataDir, placesIn } from '../../gateway/places.ts'

test('everything a gateway keeps stands under its data folder', () => {
  for (const place of Object.values(placesIn('/data'))) assert.ok(place === '/data' || place.startsWith('/data/'))
})

test('a data folder is made with all above it, for its owner alone; one that is there stays', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'sallyport-places-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  const folder = join(root, 'a folder', 'of örtliche', 'data')
  await Promise.all([makeDataDir(folder), makeDataDir(folder)])
  assert.equal((await stat(folder)).mode & 0o777, 0o700)
  await symlink(folder, join(root, 'link'))
  await makeDataDir(join(root, 'link'))
  await writeFile(join(root, 'file'), '')
  for (const place of ['file', 'file/data', 'link/../../nowhere\0'])
    await assert.rejects(makeDataDir(join(root, place)), { code: 'CONFIG_INVALID', message: /^dataDir: nothing can be kept in / })
})

test('a data folder where nothing can be made is said, and not tried for ever', {
  skip: process.platform !== 'linux',
}, async () => {
  for (const place of ['/proc/self/data', '/proc/self/more/data'])
    await assert.rejects(makeDataDir(place), { code: 'CONFIG_INVALID', message: /nothing can be kept in \/proc.*E[A-Z]+/ })
})

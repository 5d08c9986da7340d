import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hashAccessKey } from '../../../gateway/identity/access-key.ts'
import { AccessKeys } from '../../../gateway/identity/access-keys.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-keys-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('the key itself is nowhere on disk, its hash is', async () => {
  await using made = await temporary()
  const folder = new AccessKeys(new FolderRecords(made.path))
  const { key, secret } = await folder.create('agent:claude')
  const texts = await Promise.all((await readdir(made.path)).map((name) => readFile(join(made.path, name), 'utf8')))
  assert.equal(
    texts.some((text) => text.includes(secret) || text.includes(secret.slice(3))),
    false,
  )
  assert.ok(texts.some((text) => text.includes(hashAccessKey(secret))))
  assert.deepEqual(await folder.list(), [key])
})

test('a key that could not be read again is not made: it would keep out whoever has one', async () => {
  await using made = await temporary()
  const folder = new AccessKeys(new FolderRecords(made.path))
  for (const more of [{ run: '' }, { purpose: '' }, { scope: { targets: [] } }, { scope: { verbs: [''] } }])
    await assert.rejects(folder.create('agent:claude', undefined, more), { code: 'CONFIG_INVALID', message: /fewer than 1/ })
  assert.deepEqual(await folder.list(), [])
})

test('keys made and revoked by another process are seen at the next look', async () => {
  await using made = await temporary()
  const gateway = new AccessKeys(new FolderRecords(made.path))
  const cli = new AccessKeys(new FolderRecords(made.path))
  assert.deepEqual(await gateway.list(), [])
  const { key } = await cli.create('agent:claude', new Date('2099-01-01T00:00:00Z'))
  assert.deepEqual(await gateway.list(), [key])
  await cli.revoke(key.id)
  const [revoked] = await gateway.list()
  assert.ok(revoked?.revokedAt !== undefined)
  await cli.revoke(key.id)
  assert.equal((await gateway.list())[0]?.revokedAt, revoked.revokedAt, 'the first time stands')
})

test('many made at once are all kept', async () => {
  await using made = await temporary()
  const folders = await Promise.all(Array.from({ length: 4 }, () => new AccessKeys(new FolderRecords(made.path))))
  await Promise.all(folders.flatMap((folder) => Array.from({ length: 5 }, () => folder.create('agent:claude'))))
  assert.equal((await folders[0]?.list())?.length, 20)
})

test('an unknown id cannot be revoked, and names no path', async () => {
  await using made = await temporary()
  const folder = new AccessKeys(new FolderRecords(made.path))
  for (const id of ['k-000000000000', '../../x', '']) await assert.rejects(folder.revoke(id), { code: 'CONFIG_INVALID' })
  assert.deepEqual(await readdir(made.path), [])
})

test('a damaged key file is named, not skipped', async () => {
  await using made = await temporary()
  const folder = new AccessKeys(new FolderRecords(made.path))
  await writeFile(join(made.path, 'k-111111111111.json'), '{"id":')
  await assert.rejects(folder.list(), /k-111111111111.json is damaged/)
})

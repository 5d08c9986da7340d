import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ZipWriter } from '../../../recorder/bundle/zip-writer.ts'
import { ZipSource } from '../../../schemas/verify/zip.ts'
import { clientHere } from '../../support/clients.ts'

const AT = new Date('2026-03-01T12:30:40Z')

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-zip-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function sourceOf(bytes: Uint8Array): Promise<ZipSource> {
  return ZipSource.open({ size: bytes.length, read: async (from, to) => bytes.subarray(from, to) })
}

test('more entries than 16 bits count: zip64, as another implementation reads it', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  await inFolder(async (folder) => {
    const path = join(folder, 'many.zip')
    const entries = 66_000
    {
      await using zip = await ZipWriter.create(path, AT)
      for (let n = 0; n < entries; n += 1) await zip.add(`n/${n}`, '')
      await zip.commit()
    }
    const zip = await sourceOf(await readFile(path))
    assert.equal(zip.names().length, entries)
    const script = `import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); i = z.getinfo("n/65999"); print(len(z.namelist()), i.date_time, oct(i.external_attr >> 16))`
    const ran = spawnSync(python, ['-c', script, path], { encoding: 'utf8' })
    assert.equal(ran.stdout.trim(), `${entries} (2026, 3, 1, 12, 30, 40) 0o100644`, ran.stderr)
  })
})

test('names with path tricks are not written, and not read', async () => {
  await inFolder(async (folder) => {
    await using zip = await ZipWriter.create(join(folder, 'a.zip'), AT)
    for (const name of ['../x', '/x', 'a//b', 'a/../b', '.x', 'a\\b', 'c:x', 'a/\u0000', 'é', ''])
      await assert.rejects(zip.add(name, 'x'), { code: 'STORE_FAILED' }, JSON.stringify(name))
    await zip.add('abc/d', 'x')
    await zip.commit()
    const bytes = await readFile(join(folder, 'a.zip'))
    const tricked = Buffer.from(bytes.toString('latin1').replaceAll('abc/d', '../.d'), 'latin1')
    await assert.rejects(sourceOf(tricked), { code: 'TAPE_MALFORMED' })
    assert.equal(Buffer.from(await (await sourceOf(bytes)).get('abc/d')).toString(), 'x')
  })
})

test('an archive with any byte cut off, added or out of place is refused', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'a.zip')
    {
      await using zip = await ZipWriter.create(path, AT)
      await zip.add('a', 'first')
      await zip.add('b', 'second')
      await zip.commit()
    }
    const bytes = await readFile(path)
    for (let size = 0; size < bytes.length; size += 1)
      await assert.rejects(sourceOf(bytes.subarray(0, size)), { code: 'TAPE_MALFORMED' }, `${size} bytes`)
    await assert.rejects(sourceOf(Buffer.concat([bytes, Buffer.from('x')])), { code: 'TAPE_MALFORMED' })
    await assert.rejects(sourceOf(Buffer.concat([Buffer.from('x'), bytes])), { code: 'TAPE_MALFORMED' })
  })
})

test('what is not committed leaves nothing', async () => {
  await inFolder(async (folder) => {
    {
      await using zip = await ZipWriter.create(join(folder, 'a.zip'), AT)
      await zip.add('a', 'x')
      assert.equal((await readdir(folder)).length, 1)
    }
    assert.deepEqual(await readdir(folder), [])
  })
})

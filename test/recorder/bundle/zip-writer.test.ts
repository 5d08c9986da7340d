import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ZipWriter } from '../../../recorder/bundle/zip-writer.ts'
import { ZipSource } from '../../../schemas/verify/zip.ts'
import { clientHere } from '../../support/clients.ts'
import { PYTHON_VERIFIER } from '../../support/verifiers.ts'
import { end64, forgeZip } from '../../support/zip-forge.ts'

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
    const bytes = await readFile(path)
    let reads = 0
    const zip = await ZipSource.open({
      size: bytes.length,
      async read(from, to) {
        reads += 1
        return bytes.subarray(from, to)
      },
    })
    assert.equal(zip.names().length, entries)
    // A browser takes milliseconds for each.
    assert.ok(reads <= 3, `${reads} reads`)
    assert.equal((await zip.get('n/65999')).length, 0)
    assert.ok(reads <= 4, `${reads} reads`)
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

test('of names with very many folders in them none is kept in memory', async () => {
  // More folders than a Set holds (2^24).
  const [count, deep] = [86_000, '/a'.repeat(197)]
  const entries = Array.from({ length: count }, (_, n) => ({ name: `${n}${deep}`, data: Buffer.alloc(0) }))
  const archive = forgeZip(entries, { before: (at, size) => end64(count, size, at) })
  assert.equal((await sourceOf(archive)).names().length, count)
})

test('what is a file and a folder is refused, whichever comes first, by Python too', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  const unpack = 'import sys; sys.path.insert(0, sys.argv[1]); import archive; archive.unpack(sys.argv[2], sys.argv[3])'
  await inFolder(async (folder) => {
    for (const [names, refused] of [
      [['a', 'a/b'], true],
      [['a/b/c', 'a-b', 'a/b'], true],
      [['a/b/c', 'a/b-c', 'a/b.c', 'a-b', 'ab'], false],
    ] as const) {
      const archive = forgeZip(names.map((name) => ({ name, data: Buffer.from('x') })))
      const opened = await sourceOf(archive).catch((error: unknown) => String(error))
      assert.equal(/is a file and a folder/.test(String(opened)), refused, names.join())
      const path = join(folder, 'a.zip')
      await writeFile(path, archive)
      const ran: SpawnSyncReturns<string> = spawnSync(python, ['-Bc', unpack, PYTHON_VERIFIER, path, folder], {
        encoding: 'utf8',
      })
      assert.equal(/is a file and a folder/.test(ran.stderr), refused, `${names.join()}: ${ran.stderr}`)
    }
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

test('what stands between two entries, and a header that is not the directory’s, is refused before a byte of the entry is read', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'a.zip')
    const places: number[] = []
    {
      await using zip = await ZipWriter.create(path, AT)
      for (const name of ['a', 'b', 'c']) places.push((await zip.add(name, `the text of ${name}`)).at)
      await zip.commit()
    }
    const bytes = await readFile(path)
    const [, second = 0, third = 0] = places
    const header = second - 30 - 1 - 20
    const changed = (change: (copy: Buffer) => void): Buffer => {
      const copy = Buffer.from(bytes)
      change(copy)
      return copy
    }
    const line = (name: string): number => bytes.lastIndexOf(name) - 46
    const hidden = Buffer.concat([bytes.subarray(0, header), Buffer.from('hidden'), bytes.subarray(header)])
    for (const name of ['b', 'c']) {
      const at = line(name) + 6
      hidden.writeUInt32LE(hidden.readUInt32LE(at + 42) + 6, at + 42)
    }
    hidden.writeUInt32LE(hidden.readUInt32LE(hidden.length - 6) + 6, hidden.length - 6)
    const cases: readonly (readonly [what: string, archive: Buffer, entry: string])[] = [
      ['bytes in between', hidden, 'a'],
      ['another name', changed((copy) => copy.write('z', header + 30)), 'b'],
      ['no header', changed((copy) => copy.write('X', header)), 'b'],
      ['compressed', changed((copy) => copy.writeUInt16LE(8, header + 8)), 'b'],
      ['encrypted', changed((copy) => copy.writeUInt16LE(1, header + 6)), 'b'],
      ['a longer extra', changed((copy) => copy.writeUInt16LE(21, header + 28)), 'b'],
      ['a shorter extra', changed((copy) => copy.writeUInt16LE(0, header + 28)), 'b'],
    ]
    for (const [what, archive, entry] of cases)
      for (const range of [undefined, { from: 0, to: 3 }, { from: 2, to: 3 }]) {
        const zip = await sourceOf(archive)
        await assert.rejects(zip.get(entry, range), { code: 'TAPE_MALFORMED' }, what)
        await assert.rejects(zip.place(entry), { code: 'TAPE_MALFORMED' }, what)
        assert.equal(Buffer.from(await zip.get('c')).toString(), 'the text of c', what)
      }
    // Overlapping, or out of order, by what the directory says.
    for (const at of [header - 1, header + 1, 0, third, bytes.length, 2 ** 32 - 2]) {
      const archive = changed((copy) => copy.writeUInt32LE(at, line('b') + 42))
      await assert.rejects(async () => (await sourceOf(archive)).get('a').then(async () => (await sourceOf(archive)).get('b')), {
        code: 'TAPE_MALFORMED',
      })
    }
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

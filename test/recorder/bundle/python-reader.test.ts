import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { bundleFiles } from '../../../gateway/bundle-files.ts'
import { bundleRig, unpack } from '../../support/bundle-rig.ts'
import { clientHere } from '../../support/clients.ts'
import { Gallery } from '../../support/verifiers.ts'

/** Of the end of the directory, where no zip64 is needed. */
const END = 22

test('the Python verifier of a bundle leaves it as it is, and takes an archive that has more than its files for none', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  await using rig = await bundleRig(1)
  using gallery = new Gallery([rig.folder.signer])
  const { path } = await rig.make('whole.zip', { sampleSize: 1, files: await bundleFiles() })
  const verify = (program: string, of: string): { readonly code: number | null; readonly said: string } => {
    const { PYTHONDONTWRITEBYTECODE: _, ...env } = process.env
    const { status, stdout, stderr } = spawnSync(python, [program, '--trust', gallery.keys, of], { encoding: 'utf8', env })
    return { code: status, said: stdout + stderr }
  }

  const folder = join(rig.folder.path, 'unpacked')
  await mkdir(folder)
  await unpack(path, folder)
  const program = join(folder, 'verify/verify-python')
  const first = verify(program, folder)
  assert.ok(first.code === 0 || first.code === 10, first.said)
  assert.deepEqual(verify(program, folder), first, 'and again')

  const whole = await readFile(path)
  const entries = whole.readUInt32LE(whole.length - 6)
  const hidden = Buffer.from('hidden')
  const moved = Buffer.from(whole.subarray(-END))
  moved.writeUInt32LE(entries + hidden.length, END - 6)
  const commented = Buffer.from(whole.subarray(-END))
  commented.writeUInt16LE(hidden.length, END - 2)
  const archives = {
    'bytes in front': [hidden, whole],
    'bytes behind': [whole, hidden],
    'a comment': [whole.subarray(0, -END), commented, hidden],
    'bytes before the directory': [whole.subarray(0, entries), hidden, whole.subarray(entries, -END), moved],
  }
  assert.equal(verify(program, path).code, first.code)
  for (const [name, parts] of Object.entries(archives)) {
    const changed = join(rig.folder.path, `${name.replaceAll(' ', '-')}.zip`)
    await writeFile(changed, Buffer.concat(parts))
    const wanted = name === 'bytes before the directory' ? 20 : 1
    assert.equal(verify(program, changed).code, wanted, name)
    const script = spawnSync(process.execPath, [gallery.singleFilePath(), '--trust', gallery.keys, changed], { encoding: 'utf8' })
    // An entry’s own header is read with the entry, and that it does not lead there found then.
    assert.equal(script.status, wanted, `${name}: ${script.stdout}${script.stderr}`)
  }
})

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { verifyBundleAt } from '../../../recorder/bundle/verify-bundle.ts'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import { BUNDLE_PATHS, type BundleManifest, bundleNoteText } from '../../../schemas/bundle.ts'
import { readCsv } from '../../../schemas/csv.ts'
import { FigureCounts } from '../../../schemas/figures.ts'
import type { BundleVerification } from '../../../schemas/verify/bundle-verification.ts'
import { noteKeyOf, signatureLine } from '../../../schemas/verify/note.ts'
import { type BundleRig, bundleRig, sha256Of, unpack } from '../../support/bundle-rig.ts'
import { clientHere } from '../../support/clients.ts'
import { Gallery } from '../../support/verifiers.ts'

test('a row that sums up another recording than the one beside it is found, though whoever has the key signed it', async (t) => {
  const rig = await bundleRig(1)
  const gallery = new Gallery([rig.folder.signer])
  t.after(async () => {
    gallery[Symbol.dispose]()
    await rig[Symbol.asyncDispose]()
  })
  const made = await rig.make('sums.zip', { sampleSize: 6 })
  const [id = ''] = rig.sealed
  const columns = ['frames', 'statements', 'rows', 'bytes_in', 'bytes_out', 'masked']
  const folders: string[] = []
  for (const column of columns) {
    const folder = join(rig.folder.path, column)
    await mkdir(folder)
    await unpack(made.path, folder)
    const [head = '', ...lines] = (await readFile(join(folder, BUNDLE_PATHS.sessions), 'utf8')).trimEnd().split('\n')
    const at = head.split(',').indexOf(column)
    const changed = lines.map((line) => {
      const cells = line.split(',')
      if (cells[0] !== id) return line
      cells[at] = String(Number(cells[at]) + 1)
      return cells.join(',')
    })
    const table = [head, ...changed, ''].join('\n')
    await writeFile(join(folder, BUNDLE_PATHS.sessions), table)
    await resign(rig, folder, table)
    folders.push(folder)
  }
  const frames = /row of \S+ (?:is not what the log says|has frames 8, its recording 7)/
  const python = clientHere(t, 'python3')
  const own = await Promise.all(folders.map((folder) => verifyBundleAt(folder, { keys: [rig.folder.signer] })))
  const others = [gallery.singleFile(folders), ...(python === undefined ? [] : [gallery.python(folders, python)])]
  for (const reports of [own, ...(others as unknown as BundleVerification[][])]) // of bundles they say what verifyBundle does
    for (const [at, { verdict, signed, problems }] of reports.entries()) {
      const column = columns[at] ?? ''
      assert.deepEqual([verdict, signed], ['INVALID', true], column)
      const found = problems.filter((one) => one.verdict === 'INVALID')
      assert.ok(
        found.length > 0 && found.every(({ object, what }) => object === BUNDLE_PATHS.sessions && what.includes(id)),
        JSON.stringify(found),
      )
      const [{ what = '' } = {}] = found.slice(-1)
      assert.match(what, column === 'frames' ? frames : new RegExp(`has ${column} \\d+, its recording \\d+$`))
    }
})

/** As the gateway itself would sign a bundle with this table of sessions: every figure counted from it, every hash right. */
async function resign(rig: BundleRig, folder: string, table: string): Promise<void> {
  const manifest = JSON.parse(await readFile(join(folder, BUNDLE_PATHS.manifest), 'utf8')) as BundleManifest
  const counts = new FigureCounts(manifest.figures)
  for (const file of new Set(manifest.figures.map((one) => one.file)))
    for (const row of readCsv(await readFile(join(folder, file), 'utf8'))) counts.add(file, (column) => row.get(column))
  const figures = counts.result()
  const files = manifest.files.map((file) =>
    file.path === BUNDLE_PATHS.sessions
      ? { ...file, size: Buffer.byteLength(table), sha256: sha256Of(Buffer.from(table)) }
      : file,
  )
  const bytes = Buffer.from(`${JSON.stringify({ ...manifest, figures, files }, null, 1)}\n`)
  await writeFile(join(folder, BUNDLE_PATHS.manifest), bytes)
  const text = bundleNoteText(createHash('sha256').update(bytes).digest('base64'), { at: new Date().toISOString(), by: 'eve' })
  const { signer } = rig.folder
  const key = noteKeyOf(nodeTools, manifest.watermark.origin, signer.publicKey) ?? assert.fail()
  await writeFile(join(folder, BUNDLE_PATHS.note), `${text}\n${signatureLine(key, await signer.sign(Buffer.from(text)))}`)
}

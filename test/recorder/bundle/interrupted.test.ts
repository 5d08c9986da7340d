import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createBundle } from '../../../recorder/bundle/create-bundle.ts'
import { verifyBundleAt } from '../../../recorder/bundle/verify-bundle.ts'
import { bundleRig } from '../../support/bundle-rig.ts'
import { Random } from '../../support/random.ts'

const CHILD = fileURLToPath(new URL('../../support/bundle-interrupted.ts', import.meta.url))

test('a process killed while it makes a bundle leaves none: what it had begun is told from one by its name, and gone with the next', {
  timeout: 120_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-interrupted-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'a.zip')
  const child = fork(CHILD, [path])
  const ended = once(child, 'exit')
  const [said] = (await Promise.race([
    once(child, 'message'),
    ended.then(() => Promise.reject(new Error('it ended by itself'))),
  ])) as [{ readonly folder: string }] // what the child sends
  t.after(() => rm(said.folder, { recursive: true, force: true }))
  child.kill('SIGKILL')
  await ended
  assert.deepEqual(await readdir(folder), [`a.zip.part-${child.pid}`])
  // Of a process that lives, and of nobody: neither is ours to take.
  await writeFile(join(folder, `a.zip.part-${process.ppid}`), '')
  await writeFile(join(folder, 'a.zip.part-x'), '')
  // In a container a process may have the number of the one before it.
  await writeFile(join(folder, `a.zip.part-${process.pid}`), '')

  await using rig = await bundleRig(1)
  await createBundle(rig.parts(), { ...rig.wish('unused.zip'), path })
  assert.deepEqual((await readdir(folder)).sort(), ['a.zip', `a.zip.part-${process.ppid}`, 'a.zip.part-x'].sort())
  assert.equal((await verifyBundleAt(path, { keys: [rig.folder.signer] })).verdict, 'VALID-INCOMPLETE')
})

test('killed at any moment there is the whole bundle or none, and the next attempt is as if nothing had been', {
  timeout: 300_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-interrupted-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const random = new Random(Number(process.env['SALLYPORT_SEED'] ?? 9))
  // It says 12 times how far it is: before the first byte, at each session, when the ledger is told, and when the file has its name.
  for (let round = 0; round < 4; round += 1) {
    const path = join(folder, `${round}.zip`)
    const child = fork(CHILD, [path, 'any'])
    const ended = once(child, 'exit')
    let steps = random.between(0, 12)
    child.on('message', ({ folder: rig }: { readonly folder: string }) => {
      t.after(() => rm(rig, { recursive: true, force: true }))
      steps -= 1
      if (steps < 0) child.kill('SIGKILL')
    })
    await ended
    const [only, ...more] = (await readdir(folder)).filter((name) => name.startsWith(`${round}.`))
    assert.deepEqual(more, [])
    if (only === `${round}.zip`) assert.notEqual((await verifyBundleAt(path, {})).verdict, 'INVALID')
    else assert.ok(only === undefined || only === `${round}.zip.part-${child.pid}`, only)
    if (only !== undefined && only !== `${round}.zip`) {
      await using rig = await bundleRig(1)
      await createBundle(rig.parts(), { ...rig.wish('unused.zip'), path })
      assert.deepEqual(
        (await readdir(folder)).filter((name) => name.startsWith(`${round}.`)),
        [`${round}.zip`],
      )
    }
  }
})

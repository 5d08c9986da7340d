import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { UnpackedBundle } from '../../../recorder/bundle/unpacked-bundle.ts'

let root: string

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'sallyport-unpacked-'))
  for (const folder of ['tapes/a', 'tapes/ab/deeper', 'tapes/.own', 'log']) await mkdir(join(root, folder), { recursive: true })
  for (const file of ['tapes/a/0000.tape', 'tapes/ab/0000.tape', 'tapes/ab/deeper/x', 'tapes/.own/x', 'log/lines.jsonl'])
    await writeFile(join(root, file), 'x')
  await symlink(join(root, 'tapes/a'), join(root, 'tapes/link'))
})
after(() => rm(root, { recursive: true }))

/** What is listed under a prefix, and how many folders were looked into for it. */
async function listed(prefix: string): Promise<readonly [keys: readonly string[], folders: number]> {
  let folders = 0
  const { signal } = new AbortController()
  signal.throwIfAborted = () => {
    folders += 1
  }
  const keys: string[] = []
  for await (const key of new UnpackedBundle(root).list(prefix, signal)) keys.push(key)
  return [keys.sort(), folders]
}

test('a listing looks into the folders that its prefix leads to, and into no other', async () => {
  const inAb = ['tapes/ab/0000.tape', 'tapes/ab/deeper/x']
  const tapes = ['tapes/a/0000.tape', ...inAb, 'tapes/link']
  assert.deepEqual(await listed('tapes/ab/'), [inAb, 2])
  assert.deepEqual(await listed('tapes/ab'), [inAb, 3])
  assert.deepEqual(await listed('tapes/'), [tapes, 4])
  assert.deepEqual(await listed(''), [['log/lines.jsonl', ...tapes], 6])
})

test('behind a link, in what is no folder, under no name and outside there is nothing', async () => {
  for (const prefix of [
    'tapes/link/',
    'tapes/.own/',
    'tapes/a/0000.tape/',
    'none/',
    `${'n'.repeat(300)}/`,
    'tapes//',
    '../',
    '/',
  ])
    assert.deepEqual((await listed(prefix))[0], [], prefix)
})

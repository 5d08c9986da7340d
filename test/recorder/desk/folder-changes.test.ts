import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { FolderChanges } from '../../../recorder/desk/folder-changes.ts'

const never = new AbortController().signal

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-changes-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

test('a file of the prefix wakes who waits for it', async () => {
  await using made = await temporary()
  using changes = new FolderChanges(made.path)
  const first = Promise.race([changes.next('A-1', never).then(() => 'A'), changes.next('B-2', never).then(() => 'B')])
  await writeFile(join(made.path, 'A-1.json'), '')
  assert.equal(await first, 'A')
})

test('a folder that cannot be watched is still looked at again', async () => {
  using changes = new FolderChanges('/nonexistent/folder')
  assert.equal(await changes.next('A-1', never), undefined)
})

test('the signal and the end wake everybody', async () => {
  await using made = await temporary()
  const changes = new FolderChanges(made.path)
  const left = new AbortController()
  const one = changes.next('A-1', left.signal)
  const order: string[] = []
  const both = Promise.all([one.then(() => order.push('left')), changes.next('A-1', never).then(() => order.push('poll'))])
  left.abort()
  await one
  await changes.next('A-1', AbortSignal.abort())
  changes[Symbol.dispose]()
  await both
  assert.deepEqual(order, ['left', 'poll'])
})

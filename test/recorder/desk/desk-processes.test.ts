import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openFolderDesk } from '../../../recorder/desk/desk-folder.ts'
import { ask } from './contract.ts'

const CHILD = fileURLToPath(new URL('desk-child.ts', import.meta.url))
const CHILDREN = 6

test('of six real processes that take an approval at once exactly one may', { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-desk-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  using desk = openFolderDesk(folder)
  const { id } = await desk.submit(ask())
  await desk.decide(id, { act: 'approve' }, { subject: 'ana@example.org', kind: 'human', groups: ['dba'] })
  const children = Array.from({ length: CHILDREN }, () =>
    spawn(process.execPath, [CHILD, folder, id], { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  t.after(() => {
    for (const child of children) child.kill()
  })
  const lines = children.map((child) => createInterface({ input: child.stdout })[Symbol.asyncIterator]())
  for (const each of lines) assert.equal((await each.next()).value, 'ready')
  for (const child of children) child.stdin.write('now\n')
  const answers = await Promise.all(lines.map(async (each) => (await each.next()).value))
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')))
  assert.deepEqual([...answers].sort(), [...Array.from({ length: CHILDREN - 1 }, () => 'false'), 'true'])
  assert.equal((await desk.get(id)).state, 'consumed')
})

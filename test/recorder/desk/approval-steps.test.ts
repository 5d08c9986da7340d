import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ApprovalSteps, requestIn } from '../../../recorder/desk/approval-steps.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'
import { ask } from './contract.ts'

const ID = 'A-0123456Z'

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-files-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

function requestText(): string {
  const { ttlMs: _, ...rest } = ask()
  return JSON.stringify({ ...rest, id: ID, createdAt: '2026-11-20T10:00:00.000Z', expiresAt: '2026-11-20T11:00:00.000Z' })
}

test('a slot is filled once; events are read in order up to the first empty one', async () => {
  await using made = await temporary()
  const files = new ApprovalSteps(new FolderRecords(made.path))
  const event = (at: string): string => JSON.stringify({ kind: 'withdrawn', at })
  assert.equal(await files.put(ID, 0, requestText()), true)
  assert.equal(await files.put(ID, 1, event('2026-11-20T10:01:00Z')), true)
  assert.equal(await files.put(ID, 1, event('2026-11-20T10:02:00Z')), false)
  assert.equal(await files.put(ID, 3, event('2026-11-20T10:03:00Z')), true)
  const { request, events } = await files.read(ID)
  assert.equal(request.id, ID)
  assert.deepEqual(events, [{ kind: 'withdrawn', at: '2026-11-20T10:01:00Z' }])
  assert.deepEqual(await files.ids(), [ID])
})

test('an id that is none never becomes a path', async () => {
  await using made = await temporary()
  const files = new ApprovalSteps(new FolderRecords(made.path))
  for (const id of ['../x', 'A-0123456Z/../y', 'A-lowercase', ''])
    await assert.rejects(files.read(id), { code: 'APPROVAL_UNKNOWN' })
})

test('a damaged file is named', async () => {
  await using made = await temporary()
  const files = new ApprovalSteps(new FolderRecords(made.path))
  await writeFile(join(made.path, `${ID}.0000.json`), '{}')
  await assert.rejects(files.read(ID), { code: 'STORE_FAILED', message: /A-0123456Z.0000.json/ })
  assert.throws(() => requestIn('{', 'some.json'), { code: 'STORE_FAILED', message: /some.json/ })
})

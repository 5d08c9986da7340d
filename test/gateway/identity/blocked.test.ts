import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { BlockedSubjects } from '../../../gateway/identity/blocked.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'

test('who is kept out is so for every process that shares the folder, until let in again; the last word counts', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-blocked-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  const [one, other] = [new BlockedSubjects(new FolderRecords(path)), new BlockedSubjects(new FolderRecords(path))]
  assert.equal(await one.why('eve'), undefined)
  assert.equal(await other.change('block', 'eve', 'stolen laptop'), true)
  assert.equal(await one.why('eve'), 'stolen laptop')
  assert.equal(await one.change('block', 'eve', 'again'), false)
  // Several at once come out as one after the other.
  await Promise.all([one.change('unblock', 'eve', 'found'), other.change('block', 'mallory', 'left')])
  assert.equal(await other.why('eve'), undefined)
  assert.deepEqual(
    (await one.list()).map(({ subject, reason }) => [subject, reason]),
    [['mallory', 'left']],
  )
  await one.change('block', 'eve', 'lost again')
  assert.equal(await other.why('eve'), 'lost again')
})

test('a name counts however it is written, also where it was written down by its letters', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-blocked-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  const at = new Date().toISOString()
  for (const [row, subject] of [
    ['aa', 'Eve'],
    ['bb', 'EVE'],
  ])
    await writeFile(join(path, `${row}-000001.json`), JSON.stringify({ subject, act: 'block', reason: 'left', at }))
  const blocked = new BlockedSubjects(new FolderRecords(path))
  assert.equal(await blocked.why('\uff45ve'), 'left')
  assert.equal(await blocked.change('unblock', 'eve', 'back'), true)
  assert.equal(await blocked.why('Eve'), undefined)
  assert.equal(await blocked.change('unblock', 'eve', 'back'), false)
  await blocked.change('block', 'Eve', 'again')
  assert.equal(await blocked.change('block', 'eve', 'again'), false)
  assert.deepEqual([await blocked.why('EVE'), (await blocked.list()).length], ['again', 1])
})

test('what could not be read again is not written down: it would keep out everybody', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-blocked-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  const blocked = new BlockedSubjects(new FolderRecords(path))
  await assert.rejects(blocked.change('block', 'eve', ''), { code: 'CONFIG_INVALID', message: /reason/ })
  await assert.rejects(blocked.change('block', '', 'left'), { code: 'CONFIG_INVALID', message: /subject/ })
  assert.deepEqual(await blocked.list(), [])
})

test('a damaged file lets nobody in by being skipped', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-blocked-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  await writeFile(join(path, 'x-000001.json'), '{"subject":"eve"}')
  await assert.rejects(new BlockedSubjects(new FolderRecords(path)).why('ana'), { code: 'CONFIG_INVALID' })
})

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'
import { recordsContract } from './contract-records.ts'

recordsContract('records in a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-records-'))
  const opened: FolderRecords[] = []
  return {
    async open() {
      const records = new FolderRecords(folder)
      opened.push(records)
      return records
    },
    async [Symbol.asyncDispose]() {
      for (const each of opened) each[Symbol.dispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
})

test('what another process has changed is seen in the next turn of the loop, what this one has at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-records-'))
  try {
    using records = new FolderRecords(folder)
    const names = async (): Promise<readonly string[]> => [...(await records.all('')).keys()].sort()
    await records.create('a', '1')
    // As if it had been so for a while: what has just changed is always read anew.
    await utimes(folder, new Date(0), new Date(0))
    assert.deepEqual(await names(), ['a'])
    assert.deepEqual(await names(), ['a'])
    writeFileSync(join(folder, 'b'), '2')
    await nextTurn()
    assert.deepEqual(await names(), ['a', 'b'])
    await utimes(folder, new Date(0), new Date(0))
    assert.deepEqual(await names(), ['a', 'b'])
    assert.deepEqual(await names(), ['a', 'b'])
    await records.create('c', '3')
    assert.deepEqual(await names(), ['a', 'b', 'c'])
    await records.remove('a')
    assert.deepEqual(await names(), ['b', 'c'])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

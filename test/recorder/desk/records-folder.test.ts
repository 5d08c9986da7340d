import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

import { join } from 'node:path'
import type { DeskLedger } from './approval-book.ts'
import { FolderAskers } from './askers-folder.ts'
import { RecordsDesk } from './desk-records.ts'
import { FolderRecords } from './records-folder.ts'

/** The desk of processes of one machine, in a folder that belongs to the gateway's user alone (0700). */
export function openFolderDesk(folder: string, now: () => number = Date.now, ledger?: DeskLedger): RecordsDesk {
  return new RecordsDesk({
    records: new FolderRecords(folder),
    askers: new FolderAskers(join(folder, 'askers')),
    now,
    ledger,
  })
}

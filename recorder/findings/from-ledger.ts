import { DISPOSITIONS } from '../../schemas/findings.ts'
import type { Database } from '../catalog/database.ts'
import { readLines } from '../ledger/ledger-reader.ts'
import type { Store } from '../store/store.ts'
import { markTold, putDisposition } from './finding-rows.ts'

/** What the ledger has of findings, into a database that is new: once. */
export async function readLedger(database: Database, store: Store): Promise<void> {
  const { rows } = await database.query('select done from desk.ledger_read')
  if (rows.length > 0) return
  await database.transaction(async (each) => {
    for await (const { entry } of readLines(store)) {
      const said = entry?.statement
      if (said === undefined) continue
      const { finding, actor, reason, at } = said
      if (typeof finding !== 'string') continue
      if (said.type === 'finding') await markTold(each, finding)
      const state = DISPOSITIONS.find((one) => one === said['state'])
      if (said.type !== 'finding.dispose' || state === undefined) continue
      await putDisposition(each, { finding, state, by: String(actor), reason: String(reason), at: String(at) })
    }
    await each.query('insert into desk.ledger_read values (true)')
  })
}

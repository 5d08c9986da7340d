import { DISPOSITIONS } from '../../schemas/findings.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Database } from '../catalog/database.ts'
import { isSignedBy } from '../ledger/entry-signer.ts'
import { readLines } from '../ledger/ledger-reader.ts'
import type { Store } from '../store/store.ts'
import { markTold, putDisposition } from './finding-rows.ts'

/** What the ledger has of findings, as writers whose key is trusted told it, into a database that is new: once. */
export async function readLedger(database: Database, store: Store, trusted: readonly GatewayKey[]): Promise<void> {
  const { rows } = await database.query('select done from desk.ledger_read')
  if (rows.length > 0) return
  await database.transaction(async (each) => {
    for await (const { entry } of readLines(store)) {
      const said = entry?.statement
      if (entry === undefined || said === undefined) continue
      const { finding, actor, reason, at } = said
      if (typeof finding !== 'string' || !isSignedBy(entry, trusted)) continue
      if (said.type === 'finding') await markTold(each, finding)
      const state = DISPOSITIONS.find((one) => one === said['state'])
      if (said.type !== 'finding.dispose' || state === undefined) continue
      await putDisposition(each, { finding, state, by: String(actor), reason: String(reason), at: String(at) })
    }
    await each.query('insert into desk.ledger_read values (true)')
  })
}

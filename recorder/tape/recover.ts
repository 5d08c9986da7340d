import type { Codec } from '../../schemas/tape.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Store } from '../store/store.ts'
import type { GatewaySigner } from './signer.ts'
import { claimDead } from './spool-folder.ts'

export interface RecoveryReport {
  readonly sessions: readonly { readonly id: string }[]
}

export async function recoverSpools(parts: {
  readonly root: string
  readonly gateway: string
  readonly store: Store
  readonly signer: GatewaySigner
  readonly ledger: Ledger
  readonly codec: Codec
  readonly patienceMs: number
}): Promise<RecoveryReport> {
  await claimDead(parts.root, parts.gateway)
  return { sessions: [] }
}

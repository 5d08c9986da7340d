import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Store } from '../store/store.ts'
import type { GatewaySigner } from '../tape/signer.ts'
import type { OldJournal } from './journal.ts'
import type { LedgerLimits } from './limits.ts'

export interface StoreLedgerOptions {
  readonly store: Store
  /** Name of the writer, this process's own: `gw1`, `gw1-3`, `gw1-console`. */
  readonly gateway: string
  readonly signer: GatewaySigner
  /** Whose entries are this gateway's own. The signer's key need not be among them. */
  readonly trusted?: readonly GatewayKey[]
  /** The log's name for good; without it whoever comes first makes one. */
  readonly origin?: string
  /** Makes tiles and checkpoints; false for a process that only says a word. */
  readonly publish?: boolean
  /** Told what could not be published; it is tried again. */
  readonly onProblem?: (error: unknown) => void
  readonly oldJournal?: OldJournal
  readonly limits?: Partial<LedgerLimits>
}

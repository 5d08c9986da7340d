import type { LedgerEntry } from '../../schemas/ledger.ts'

export type { LedgerEntry } from '../../schemas/ledger.ts'

/** Where the recorder tells what must be known about sessions beside their tapes. */
export interface Ledger {
  /**
   * Resolves when the entry is durable; entries stand in the order of the calls.
   * Rejects RECORDER_FAILED, and the entry is then not in the ledger and never will be; or STORE_FAILED, and it may yet be written, once.
   */
  append(entry: LedgerEntry): Promise<void>
  /** The number of this gateway's newest `session.open` (its member `number`); 0 before the first. */
  lastSession(): number
  /**
   * Sessions of the gateways meant that were opened by entries a trusted key has signed, and of whose end there is no word as far as the ledger has been read.
   */
  unended?(gateway: (name: string) => boolean): readonly string[]
  /** The newest checkpoint known, a signed note; undefined before the first. */
  checkpoint?(): Uint8Array | undefined
  close(): Promise<void>
}

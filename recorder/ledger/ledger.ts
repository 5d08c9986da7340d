export type LedgerValue = null | boolean | number | string | readonly LedgerValue[] | { readonly [key: string]: LedgerValue }

/** Something that matters about sessions: `session.open`, `session.close`, `session.recover`, `recording.failed` ... */
export interface LedgerEntry {
  readonly type: string
  readonly [member: string]: LedgerValue
}

/** Where the recorder tells what must be known about sessions beside their tapes. */
export interface Ledger {
  /**
   * Resolves when the entry is durable; entries stand in the order of the calls.
   * Rejects RECORDER_FAILED, and the entry is then not in the ledger.
   */
  append(entry: LedgerEntry): Promise<void>
  /** The number of this gateway's newest `session.open` (its member `number`); 0 before the first. */
  lastSession(): number
  close(): Promise<void>
}

import { ApplianceError } from '../../schemas/errors.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'

/** An entry that is not in the ledger yet, and whoever waits for it. */
export interface Waiting {
  readonly entry: LedgerEntry
  readonly deadlineMs: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
  /** As it was last tried, and with which number. */
  line?: Buffer
  n?: number
  /** Where it is being tried, or was with an outcome that is not known: it may still appear there, and nowhere else. */
  open?: Place
  told: boolean
}

interface Place {
  readonly object: number
  readonly offset: number
}

/** Ends an entry in the sequence. */
export const NEWLINE = Buffer.from('\n')
/** Of a line not made yet. */
const EXPECTED_LINE = 600

export function sizeOf({ line }: Waiting): number {
  return line?.length ?? EXPECTED_LINE
}

/** Says that these are tried there; what it returns takes that back, for a try that surely wrote nothing. */
export function tried(batch: readonly Waiting[], place: Place): () => void {
  const before = batch.map(({ open }) => open)
  for (const item of batch) item.open = place
  return () => {
    for (const [index, item] of batch.entries()) {
      const open = before[index]
      if (open === undefined) delete item.open
      else item.open = open
    }
  }
}

/** Tells whoever waits, once, that it will not be written, or that nobody knows whether it was. */
export function reject(item: Waiting, cause: unknown): void {
  if (item.told) return
  item.told = true
  const words = cause instanceof Error ? cause.message : String(cause)
  item.reject(
    item.open === undefined
      ? new ApplianceError('RECORDER_FAILED', `the ledger cannot be written: ${words}`, { cause })
      : new ApplianceError('STORE_FAILED', `whether the ledger has the entry is not known: ${words}`, { cause }),
  )
}

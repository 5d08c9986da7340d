import { MAX_SEQUENCE_LINES, MAX_SEQUENCE_SIZE } from '../../schemas/verify/ledger-line.ts'

/** Every limit of the ledger, with its reason; tests make them smaller. */
export interface LedgerLimits {
  /** How long an entry waits for a store that fails: as long as a session does. */
  readonly patienceMs: number
  /** Of one append: what an append block may hold (4 MiB) is far more, but everybody who waits is in it. */
  readonly batchSize: number
  readonly batchEntries: number
  /** Entries that wait; beyond, `append` rejects at once. */
  readonly waiting: number
  /** Between checkpoints. */
  readonly checkpointMs: number
  /** Between partial entry bundles, the one large object of a checkpoint; the last checkpoint of a process has one too. */
  readonly bundleMs: number
  /** Where others append too, a process pauses this long between its own appends, so that theirs get in. */
  readonly courtesyMs: number
  readonly sequenceLines: number
  readonly sequenceSize: number
}

export const LEDGER_LIMITS: LedgerLimits = {
  patienceMs: 30_000,
  batchSize: 1 << 20,
  batchEntries: 1_000,
  waiting: 20_000,
  checkpointMs: 10_000,
  bundleMs: 3_600_000,
  courtesyMs: 4,
  sequenceLines: MAX_SEQUENCE_LINES,
  sequenceSize: MAX_SEQUENCE_SIZE,
}

/** Every limit of the recorder, with its reason; tests make them smaller. */
export interface RecorderLimits {
  /** A chunk is closed when its first frame is this old, ms. With the store's write after it, a frame is in the store within a second. */
  readonly chunkAgeMs: number
  /** A session's frames not yet in the store: beyond either, `append` waits. What the loss of the machine costs. */
  readonly budgetSize: number
  readonly budgetMs: number
  /** While all sessions of the process have less than this there, `budgetSize` holds none of them: one that is alone need not wait for each sync. */
  readonly sharedSize: number
  /** How long the store may fail, or the spool be full, before a session is ended: a restart of the store, not an outage. */
  readonly patienceMs: number
  /** How often the end of a tape is tried that the store did not take: often enough for a restart, seldom enough for hours. */
  readonly retrySealMs: number
  /** One spool file. Zeroed before use, so that its bytes are there when the disk is full. */
  readonly walSize: number
  /** At the end of each spool file, for last words: about 2 KiB for each of 500 sessions. */
  readonly walReserveSize: number
  /** Spool files of one process: 1 GiB, 250 sessions at their full budget. */
  readonly walCount: number
  /** A segment is one append blob: 50,000 blocks at most, of which some are left for retries. */
  readonly segmentBlocks: number
  readonly segmentSize: number
  /** No segment is open for longer, so that no more than this waits for its index. */
  readonly segmentAgeMs: number
  /** Between two gateway.interim: what is cut off a tape, or a recording that stops silently, shows up to this long ago. */
  readonly interimMs: number
  /** Bytes kept as a file in the spool, given up for footers and signatures when the disk is full. */
  readonly diskReserveSize: number
}

export const RECORDER_LIMITS: RecorderLimits = {
  chunkAgeMs: 750,
  budgetSize: 4 << 20,
  budgetMs: 1000,
  sharedSize: 16 << 20,
  patienceMs: 30_000,
  retrySealMs: 5_000,
  walSize: 64 << 20,
  walReserveSize: 1 << 20,
  walCount: 16,
  segmentBlocks: 40_000,
  segmentSize: 256 << 20,
  segmentAgeMs: 3_600_000,
  interimMs: 10_000,
  diskReserveSize: 8 << 20,
}

const MIB = 1 << 20
/** So few files at least that one can be written while others wait for the store. */
const LEAST_WAL_COUNT = 4

/** The limits of a spool of `size` MiB of which one session may use `session`, which is then all it may. */
export function spoolLimits({ size, session }: { readonly size?: number; readonly session?: number }): Partial<RecorderLimits> {
  const { walSize: largest, walReserveSize, sharedSize } = RECORDER_LIMITS
  const walSize = size === undefined ? largest : Math.min(largest, Math.floor((size * MIB) / LEAST_WAL_COUNT))
  return {
    ...(size === undefined
      ? {}
      : {
          walSize,
          walCount: Math.floor((size * MIB) / walSize),
          walReserveSize: Math.min(walReserveSize, walSize / 8),
          sharedSize: Math.min(sharedSize, walSize),
        }),
    ...(session === undefined ? {} : { budgetSize: session * MIB, sharedSize: 0 }),
  }
}

/** Whoever only recovers writes nothing into a spool of its own. */
export const RECOVERY_LIMITS: Partial<RecorderLimits> = { walSize: MIB, walReserveSize: MIB / 8, diskReserveSize: 0 }

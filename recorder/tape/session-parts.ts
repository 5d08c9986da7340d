import type { ApplianceError } from '../../schemas/errors.ts'
import type { SessionInfo } from '../../schemas/session.ts'
import type { Codec, Summary } from '../../schemas/tape.ts'
import type { Seal } from '../recorder.ts'
import type { Store } from '../store/store.ts'
import type { SharedBacklog } from './backlog.ts'
import type { Chain } from './chunk.ts'
import type { StoredPoint } from './interims.ts'
import type { Moment } from './lease.ts'
import type { RecorderLimits } from './limits.ts'
import type { Segment } from './segment.ts'
import type { SessionRecorder } from './session-recorder.ts'
import type { Spool } from './spool.ts'
import type { SpoolSlot } from './spool-slot.ts'

/** What a session's recorder works with. */
export interface SessionParts {
  readonly info: SessionInfo
  readonly spool: Spool
  readonly slot: SpoolSlot
  readonly store: Store
  readonly limits: RecorderLimits
  readonly backlog: SharedBacklog
  readonly codec: Codec
  readonly saltKey: Uint8Array
  readonly chain: Chain
  /** The first segment, its header already in the store. */
  readonly segment: Segment
  /** performance.now() at atUs 0. */
  readonly bornMs: number
  /** When others last heard of this process. */
  readonly heard: () => Moment
  /** Told when a chunk has got its first frame: somebody must call `close` on it in time. */
  readonly onBusy: (recorder: SessionRecorder) => void
  /** Frees reserved bytes on the disk, before the last try to seal. */
  readonly onLastTry: () => Promise<void>
  /** Nothing more can be recorded. Called once. */
  readonly onFailed: (recorder: SessionRecorder, error: ApplianceError) => void
  /** The end could not be stored; `again` tries once more. */
  readonly onUnsealed: (again: () => Promise<void>) => void
  /** A chunk is in the store, and how far the tape is with it. */
  readonly onStored: (point: StoredPoint) => void
  /** The tape is sealed and in the store. */
  readonly onSealed: (recorder: SessionRecorder, seal: Seal, summary: Summary) => Promise<void>
}

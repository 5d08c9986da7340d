import type { BundleManifest } from '../bundle.ts'
import type { Problem, TapeVerification, VerifyVerdict } from '../verification.ts'

/** What verification says of an audit bundle. */
export interface BundleVerification {
  readonly verdict: VerifyVerdict
  readonly exit: number
  /** Null where it cannot be read. */
  readonly manifest: Pick<BundleManifest, 'period' | 'framework' | 'scope' | 'watermark' | 'sample' | 'verified'> | null
  /** When and by whom it was made, as its signer says. */
  readonly made: string | null
  readonly signed: boolean
  readonly files: number
  /** Lines of the log that lead to the watermark. */
  readonly lines: number
  readonly sessions: number
  /** Of the population, by what became of the tape. */
  readonly tapes: Readonly<Record<string, number>>
  readonly figures: number
  /** Verified whole. */
  readonly sampled: readonly TapeVerification[]
  readonly problems: readonly Problem[]
  readonly problemCount: number
}

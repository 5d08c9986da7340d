import type { ErrorCode } from './errors.ts'

/** What policy says of a message. Precedence: block, hold, mask, allow. `rules` names every rule that matched, not only the winner. */
export type Verdict =
  | { readonly act: 'allow'; readonly rules: readonly string[] }
  | { readonly act: 'mask'; readonly rules: readonly string[] }
  | {
      readonly act: 'block'
      readonly rules: readonly string[]
      /** One sentence for the client, from the rule; never from the traffic. */
      readonly reason: string
      readonly hint?: string
      /** A threshold was met inside this message: the first `keep` units (rows) still pass, the rest are cut. */
      readonly keep?: number
    }
  | {
      readonly act: 'hold'
      readonly rules: readonly string[]
      readonly reason: string
      /** How long the wire waits before the hold becomes a refusal with a request id. */
      readonly timeoutMs: number
      /** Who may decide, and how many distinct people must. */
      readonly approvers: { readonly groups: readonly string[]; readonly count: number }
      /** A threshold was met inside this message: the first `keep` units pass before the hold begins. */
      readonly keep?: number
    }

export type Act = Verdict['act']

/** What stands of a verdict on the tape. */
export interface VerdictNote {
  readonly act: Act
  readonly rules: readonly string[]
  /** First 12 hex digits of the SHA-256 of the policy in force. */
  readonly policy: string
  /** The approval request this frame waits for, or was released by. */
  readonly approval?: string
}

/** Why a message does not go on, for the protocol to put in its own words. */
export interface Refusal {
  readonly why: 'blocked' | 'rejected' | 'expired' | 'withdrawn' | 'failed' | 'shutdown'
  readonly message: string
  readonly hint?: string
  readonly rules: readonly string[]
  readonly approval?: string
  /** What of the message is evidence in itself, and no data that was found: who ended the session. The tape has it as it was said. */
  readonly evidence?: string
  /** Where one of our errors ended the session: which. */
  readonly code?: ErrorCode
}

/** What the client is told while its message is held. */
export interface Notice {
  readonly message: string
  readonly hint?: string
  readonly approval: string
}

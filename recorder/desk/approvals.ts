import type { Approval, Decision } from '../../schemas/approval.ts'

export type ApprovalAsk = Omit<Approval, 'id' | 'createdAt' | 'expiresAt' | 'state' | 'decisions'> & { readonly ttlMs: number }

export type Outcome =
  | { readonly act: 'approved'; readonly decisions: readonly Decision[] }
  | { readonly act: 'rejected'; readonly decisions: readonly Decision[] }
  | { readonly act: 'expired' }

/** Where held messages wait for people. The gate uses exactly this. */
export interface Approvals {
  /** Stores the request; durable when it resolves. An open request with the same binding is joined, not repeated. */
  request(ask: ApprovalAsk): Promise<Approval>
  /** Resolves with the end of the waiting. Rejects only when the signal aborts. */
  outcome(id: string, signal: AbortSignal): Promise<Outcome>
  /** Takes an approved request for use: atomic and durable, true at most once per request, also across processes. */
  consume(id: string): Promise<boolean>
  /** An approved, unexpired, unconsumed request with this binding, if there is one. */
  granted(binding: string): Promise<Approval | undefined>
  /** The asker left or cancelled. No effect on a request already decided. */
  withdraw(id: string): Promise<void>
}

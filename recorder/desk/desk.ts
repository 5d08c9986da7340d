import type { Approval, ApprovalState, Decision } from '../../schemas/approval.ts'
import type { Identity } from '../../schemas/session.ts'
import type { ApprovalAsk, Approvals } from './approvals.ts'

/** Who decides: proved by their own access key or token, never by a name they type. */
export interface Approver {
  readonly subject: string
  /** How they proved who they are, for the ledger. */
  readonly proof?: string
  /** Only people decide. */
  readonly kind: Identity['kind']
  readonly groups: readonly string[]
  /** The human behind, where the approver is an agent. */
  readonly principal?: string
  /** Whether they may approve alone, past the approvers. */
  readonly mayBreakGlass?: boolean
}

export interface Ruling {
  readonly act: Decision['act']
  /** Shown to the requester; required for a rejection and for breaking the glass. */
  readonly reason?: string
}

/** Of a command, in a list: more than a row shows. A statement may have 64 MiB, and two hundred of them may wait. */
export const LISTED_COMMAND_CHARS = 4_000

/** As lists tell it: `command` has its first LISTED_COMMAND_CHARS, and `commandChars` says how long the whole is, which `get` gives. */
export interface ListedApproval extends Approval {
  readonly commandChars: number
}

/** The whole desk: what the gate uses, the side of those who ask for something that no gate holds, and of the people who decide. */
export interface Desk extends Approvals, Disposable {
  /**
   * As `request`, for what nobody waits for on a wire (`access`, `policy`, `retention`): it stays until it is decided, runs out or is
   * retracted, whatever becomes of this process. Once approved, `granted` finds it by its binding and `consume` takes it, once.
   */
  submit(ask: ApprovalAsk): Promise<Approval>
  /** Its requester, or the human behind them, takes a pending request back; they or an approver end access early. Rejects as `decide`. */
  retract(id: string, by: Approver, reason?: string): Promise<Approval>
  /** Somebody else of the approvers writes down what they think of broken glass, once. Rejects as `decide`. */
  review(id: string, note: string, reviewer: Approver): Promise<Approval>
  /**
   * Writes down what has run out, tells the ledger what a process that died did not, and removes requests that ended more than
   * `keepMs` ago; the ledger keeps their steps. Resolves with the ids of those it removed. For one process, now and then.
   */
  sweep(keepMs?: number): Promise<readonly string[]>
  /** Oldest first. */
  list(filter?: { readonly state?: ApprovalState }): Promise<readonly ListedApproval[]>
  /** Rejects APPROVAL_UNKNOWN. */
  get(id: string): Promise<Approval>
  /**
   * Adds one person's decision; the request ends with the first rejection, the last approval it needs or broken glass. Atomic and
   * durable when it resolves. Rejects APPROVAL_UNKNOWN, APPROVAL_FORBIDDEN (no person, the requester, the human behind them, nobody
   * of the approver groups) or APPROVAL_CONFLICT (no longer pending, decided by this person already, reason missing).
   */
  decide(id: string, ruling: Ruling, approver: Approver): Promise<Approval>
  /** Every open request, then each request again whenever its state or decisions change, until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<ListedApproval>
}

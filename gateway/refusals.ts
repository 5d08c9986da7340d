import { safeText } from '../schemas/safe-text.ts'
import type { Notice, Refusal, Verdict } from '../schemas/verdict.ts'

type HoldVerdict = Extract<Verdict, { act: 'hold' }>
type BlockVerdict = Extract<Verdict, { act: 'block' }>

export function blocked(verdict: BlockVerdict): Refusal {
  return {
    why: 'blocked',
    message: verdict.reason,
    rules: verdict.rules,
    ...(verdict.hint === undefined ? {} : { hint: verdict.hint }),
  }
}

export function noticeOf(verdict: HoldVerdict, approval: string, waitedMs: number, timeoutMs: number): Notice {
  const left = Math.max(0, Math.ceil((timeoutMs - waitedMs) / 1000))
  return {
    approval,
    message: `held for approval: request ${approval}${waitedMs === 0 ? ` (${verdict.reason})` : `, still waiting (${left} s left)`}`,
    hint: `an approver can run: sallyport approvals approve ${approval}`,
  }
}

/** Why a hold ended without its message. */
export const refusals = {
  rejected: (verdict: HoldVerdict, approval: string, reason?: string): Refusal => ({
    why: 'rejected',
    message: `request ${approval} was rejected${reason === undefined ? '' : `: ${safeText(reason)}`}`,
    hint: 'do not repeat it as it is; ask the approver or choose another way',
    rules: verdict.rules,
    approval,
  }),
  expired: (verdict: HoldVerdict, approval: string): Refusal => ({
    why: 'expired',
    message: `request ${approval} was not approved in time (${verdict.reason})`,
    hint: `once ${approval} is approved, run exactly the same thing again: it will then run at once, one time`,
    rules: verdict.rules,
    approval,
  }),
  withdrawn: (verdict: HoldVerdict, approval: string): Refusal => ({
    why: 'withdrawn',
    message: `request ${approval} was withdrawn because the asker cancelled or left`,
    rules: verdict.rules,
    approval,
  }),
  undecidable: (verdict: HoldVerdict): Refusal => ({
    why: 'failed',
    message: 'approval is needed, and the approvals desk cannot be reached',
    hint: 'try again later or tell the operator',
    rules: verdict.rules,
  }),
  spent: (verdict: HoldVerdict, approval: string): Refusal => ({
    why: 'failed',
    message: `request ${approval} has been used already; an approval serves one execution`,
    hint: 'run it again to ask anew',
    rules: verdict.rules,
    approval,
  }),
}

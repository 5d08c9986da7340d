import { type Static, Type } from 'typebox'
import { type Approval, Approval as ApprovalSchema, Decision } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Approver, Ruling } from './desk.ts'

/** What is written once when a request is made; everything later is an event. */
export const ApprovalRequest = Type.Omit(ApprovalSchema, ['state', 'decisions'])
export type ApprovalRequest = Static<typeof ApprovalRequest>

/** One step of a request's life. Steps are numbered without gaps, so writing step n is a compare-and-swap on the state after n-1. */
export const ApprovalEvent = Type.Union([
  Type.Object({ kind: Type.Literal('decision'), decision: Decision }),
  Type.Object({ kind: Type.Literal('withdrawn'), at: Type.String({ format: 'date-time' }) }),
  Type.Object({ kind: Type.Literal('consumed'), at: Type.String({ format: 'date-time' }) }),
])
export type ApprovalEvent = Static<typeof ApprovalEvent>

/**
 *   pending --decision (approve, not yet enough)--> pending
 *   pending --decision (approve, enough)--> approved --consumed--> consumed
 *   pending --decision (reject)--> rejected
 *   pending --withdrawn--> withdrawn
 *   pending, approved --time--> expired
 * An event that does not fit the state is never written; one found all the same changes nothing.
 */
export function approvalAfter(request: ApprovalRequest, events: readonly ApprovalEvent[], nowMs: number): Approval {
  let state: Approval['state'] = 'pending'
  const decisions: Decision[] = []
  for (const event of events) {
    if (event.kind === 'consumed') {
      if (state === 'approved') state = 'consumed'
    } else if (state === 'pending') {
      if (event.kind === 'withdrawn') {
        state = 'withdrawn'
      } else {
        decisions.push(event.decision)
        if (event.decision.act === 'reject') state = 'rejected'
        else if (new Set(decisions.map(({ by }) => samePerson(by))).size >= request.approvers.count) state = 'approved'
      }
    }
  }
  if (isOpen({ state }) && nowMs >= Date.parse(request.expiresAt)) state = 'expired'
  return { ...request, state, decisions }
}

/** Whether anything can still happen to it. */
export function isOpen({ state }: Pick<Approval, 'state'>): boolean {
  return state === 'pending' || state === 'approved'
}

/** Whether somebody may take the request back; throws APPROVAL_FORBIDDEN or APPROVAL_CONFLICT with the reason. */
export function checkRetraction({ id, state, requester, principal }: Approval, { subject }: Approver): void {
  if (![requester, principal].some((name) => name !== undefined && samePerson(name) === samePerson(subject)))
    throw new ApplianceError('APPROVAL_FORBIDDEN', `request ${id} is not ${subject}'s: whoever asked may take it back`)
  if (state !== 'pending')
    throw new ApplianceError('APPROVAL_CONFLICT', `request ${id} is ${state}; only a pending one can be taken back`)
}

/** Whether this person may rule now; throws APPROVAL_FORBIDDEN or APPROVAL_CONFLICT with the reason. */
export function checkRuling(approval: Approval, ruling: Ruling, approver: Approver): void {
  const { id, state } = approval
  const askers = [approval.requester, approval.principal].filter((name) => name !== undefined).map(samePerson)
  const people = [approver.subject, approver.principal].filter((name) => name !== undefined).map(samePerson)
  if (people.some((person) => askers.includes(person))) {
    throw new ApplianceError(
      'APPROVAL_FORBIDDEN',
      `request ${id} was made by or for ${approver.subject}: somebody else must decide it`,
    )
  }
  if (!approver.groups.some((group) => approval.approvers.groups.includes(group))) {
    const groups = approval.approvers.groups.join(', ')
    throw new ApplianceError(
      'APPROVAL_FORBIDDEN',
      `${approver.subject} is in none of the groups that decide request ${id} (${groups})`,
    )
  }
  if (state !== 'pending')
    throw new ApplianceError('APPROVAL_CONFLICT', `request ${id} is ${state}; only a pending one can be decided`)
  if (ruling.act === 'approve' && approval.decisions.some(({ by }) => samePerson(by) === samePerson(approver.subject))) {
    throw new ApplianceError(
      'APPROVAL_CONFLICT',
      `${approver.subject} has approved request ${id} already; it needs ${approval.approvers.count} different people`,
    )
  }
  if (ruling.act === 'reject' && (ruling.reason ?? '').trim() === '') {
    throw new ApplianceError('APPROVAL_CONFLICT', `rejecting request ${id} needs a reason: the requester is shown it`)
  }
}

/** Directories treat `Ana@example.org` and `ana@example.org` as one person, so the four-eyes rule must too. */
function samePerson(subject: string): string {
  return subject.normalize('NFKC').toLowerCase()
}

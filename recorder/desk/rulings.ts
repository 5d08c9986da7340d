import type { Approval } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { samePerson } from '../../schemas/session.ts'
import { brokeGlass } from './approval-log.ts'
import type { Approver, Ruling } from './desk.ts'

/** Whether this person may rule now; throws APPROVAL_FORBIDDEN or APPROVAL_CONFLICT with the reason. */
export function checkRuling(approval: Approval, ruling: Ruling, approver: Approver): void {
  const { id, state } = approval
  checkPerson(approval, approver)
  if (ruling.act === 'break-glass') checkGlass(approval, approver)
  else {
    checkStranger(approval, approver)
    checkGroups(approval, approver)
  }
  if (state !== 'pending')
    throw new ApplianceError('APPROVAL_CONFLICT', `request ${id} is ${state}; only a pending one can be decided`)
  if (ruling.act === 'approve' && approval.decisions.some(({ by }) => samePerson(by) === samePerson(approver.subject))) {
    throw new ApplianceError(
      'APPROVAL_CONFLICT',
      `${approver.subject} has approved request ${id} already; it needs ${approval.approvers.count} different people`,
    )
  }
  const told = (ruling.reason ?? '').trim() !== ''
  if (ruling.act === 'reject' && !told)
    throw new ApplianceError('APPROVAL_CONFLICT', `rejecting request ${id} needs a reason: the requester is shown it`)
  if (ruling.act === 'break-glass' && !told)
    throw new ApplianceError('APPROVAL_CONFLICT', `breaking the glass for request ${id} needs a reason: it is reviewed later`)
}

/** Whether somebody may take the request back, or end the access it gave; throws as checkRuling. */
export function checkRetraction(approval: Approval, by: Approver): void {
  const { id, state, requester, principal, access } = approval
  const own = [requester, principal].some((name) => name !== undefined && samePerson(name) === samePerson(by.subject))
  const ends = state === 'approved' && access !== undefined
  if (!own && !(ends && by.kind === 'human' && mayApprove(approval, by)))
    throw new ApplianceError('APPROVAL_FORBIDDEN', `request ${id} is not ${by.subject}'s: whoever asked may take it back`)
  if (state !== 'pending' && !ends)
    throw new ApplianceError('APPROVAL_CONFLICT', `request ${id} is ${state}; only a pending one can be taken back`)
}

/** Whether this person may write the review of broken glass; throws as checkRuling. */
export function checkReview(approval: Approval, note: string, reviewer: Approver): void {
  const { id, decisions, review } = approval
  checkPerson(approval, reviewer)
  checkStranger(approval, reviewer)
  checkGroups(approval, reviewer)
  if (!brokeGlass(approval))
    throw new ApplianceError('APPROVAL_CONFLICT', `nobody broke the glass for request ${id}: there is nothing to review`)
  if (decisions.some(({ by }) => samePerson(by) === samePerson(reviewer.subject)))
    throw new ApplianceError('APPROVAL_FORBIDDEN', `${reviewer.subject} decided request ${id}: somebody else must review it`)
  if (review !== undefined) throw new ApplianceError('APPROVAL_CONFLICT', `request ${id} was reviewed by ${review.by} already`)
  if (note.trim() === '') throw new ApplianceError('APPROVAL_CONFLICT', `the review of request ${id} needs a note`)
}

/** What runs by itself decides nothing, whatever its groups: an approval is a person's. */
function checkPerson({ id }: Approval, { subject, kind }: Approver): void {
  if (kind !== 'human')
    throw new ApplianceError('APPROVAL_FORBIDDEN', `${subject} is no person (${kind}): people decide request ${id}`)
}

/** Neither who asked nor the human behind them. */
function checkStranger({ id, requester, principal }: Approval, approver: Approver): void {
  const askers = [requester, principal].filter((name) => name !== undefined).map(samePerson)
  const people = [approver.subject, approver.principal].filter((name) => name !== undefined).map(samePerson)
  if (people.some((person) => askers.includes(person))) {
    throw new ApplianceError(
      'APPROVAL_FORBIDDEN',
      `request ${id} was made by or for ${approver.subject}: somebody else must decide it`,
    )
  }
}

function checkGroups(approval: Approval, approver: Approver): void {
  if (mayApprove(approval, approver)) return
  throw new ApplianceError(
    'APPROVAL_FORBIDDEN',
    `${approver.subject} is in none of the groups that decide request ${approval.id} (${approval.approvers.groups.join(', ')})`,
  )
}

/**
 * For themselves a person may, alone and answerable; for an agent only somebody it cannot have talked into it. For what deletes evidence nobody
 * may: it does not come back, and waits for nothing that burns.
 */
function checkGlass(approval: Approval, approver: Approver): void {
  if (approver.mayBreakGlass !== true)
    throw new ApplianceError('APPROVAL_FORBIDDEN', `${approver.subject} may not break the glass`)
  if (approval.about === 'retention')
    throw new ApplianceError('APPROVAL_FORBIDDEN', `request ${approval.id} deletes recordings: nobody breaks the glass for that`)
  if (approval.requesterKind !== 'human') checkStranger(approval, approver)
}

function mayApprove({ approvers }: Approval, { groups }: Approver): boolean {
  return groups.some((group) => approvers.groups.includes(group))
}

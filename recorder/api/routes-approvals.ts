import { ApprovalQuery, type ApprovalView, DecisionAsk } from '../../schemas/api.ts'
import type { Approval } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { cursorOf, placeOf } from '../catalog/cursor.ts'
import { checkRuling } from '../desk/approval-log.ts'
import { bodyOf, queryOf } from './check.ts'
import type { Handlers } from './context.ts'
import { note } from './notes.ts'
import { hasRole, maySee, type Viewer } from './viewer.ts'

const APPROVALS_PER_PAGE = 50
const PLACE = /^([0-9T:.Z-]{20,30}) (A-[0-9A-Z]{8})$/

export const approvalRoutes: Handlers<'approvals' | 'approval' | 'decide'> = {
  async approvals({ request, viewer }, { parts }) {
    const { state, session, limit = APPROVALS_PER_PAGE, cursor } = queryOf(request, ApprovalQuery)
    const before = cursor === undefined ? undefined : placeOf(cursor, PLACE)[0]
    const found = (await parts.desk.list(state === undefined ? {} : { state }))
      .filter((each) => mayKnow(viewer, each) && (session === undefined || each.session === session))
      .map((each) => ({ place: `${each.createdAt} ${each.id}`, each }))
      .filter(({ place }) => before === undefined || place < before)
      .sort((a, b) => (a.place < b.place ? 1 : -1))
    const page = found.slice(0, limit)
    const last = page.at(-1)
    return {
      approvals: page.map(({ each }) => approvalView(viewer, each)),
      next: found.length > limit && last !== undefined ? cursorOf(last.place) : null,
    }
  },

  approval: async ({ request, viewer }, { parts }) =>
    approvalView(viewer, await known(String(request.params['id']), viewer, parts.desk)),

  async decide({ request, viewer }, { parts }) {
    const { id } = await known(String(request.params['id']), viewer, parts.desk)
    const { act, reason } = bodyOf(request, DecisionAsk)
    const approval = await parts.desk.decide(
      id,
      { act, ...(reason === undefined ? {} : { reason: reason.toWellFormed() }) },
      viewer.identity,
    )
    await note(parts, 'approval.decision', viewer.identity, {
      approval: id,
      session: approval.session,
      act,
      state: approval.state,
    })
    return approvalView(viewer, approval)
  },
}

/** Who sees its target's sessions, and who may be asked to decide it. */
export function mayKnow(viewer: Viewer, { target, approvers }: Approval): boolean {
  return (
    maySee(viewer, target) ||
    (hasRole(viewer, 'approver') && approvers.groups.some((group) => viewer.identity.groups.includes(group)))
  )
}

export function approvalView(viewer: Viewer, approval: Approval): ApprovalView {
  const { binding: _, ...shown } = approval
  return { ...shown, may: mayDecide(viewer, approval) }
}

function mayDecide(viewer: Viewer, approval: Approval): ApprovalView['may'] {
  if (!hasRole(viewer, 'approver')) return { decide: false, why: 'deciding needs the role approver' }
  try {
    checkRuling(approval, { act: 'approve' }, viewer.identity)
    return { decide: true }
  } catch (error) {
    if (error instanceof ApplianceError) return { decide: false, why: error.message }
    throw error
  }
}

/** One answer for requests that are not there and those of others. */
async function known(id: string, viewer: Viewer, desk: { get(id: string): Promise<Approval> }): Promise<Approval> {
  try {
    const approval = await desk.get(id)
    if (mayKnow(viewer, approval)) return approval
  } catch (error) {
    if (!(error instanceof ApplianceError) || error.code !== 'APPROVAL_UNKNOWN') throw error
  }
  throw new ApplianceError('APPROVAL_UNKNOWN', 'there is no such request that you may see')
}

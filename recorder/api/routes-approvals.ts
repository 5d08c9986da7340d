import { ApprovalQuery, type ApprovalView, DecisionAsk } from '../../schemas/api.ts'
import type { Approval } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { cursorOf, placeOf } from '../catalog/cursor.ts'
import type { ListedApproval } from '../desk/desk.ts'
import { checkRuling } from '../desk/rulings.ts'
import { bodyOf, queryOf } from './check.ts'
import type { Handlers } from './context.ts'
import { note, purposeOf } from './notes.ts'
import { hasRole, maySee, type Viewer } from './viewer.ts'

const APPROVALS_PER_PAGE = 50
const PLACE = /^([0-9T:.Z-]{20,30}) (A-[0-9A-Z]{8})$/

export const approvalRoutes: Handlers<'approvals' | 'approval' | 'decide'> = {
  async approvals({ request, viewer }, { parts }) {
    const query = queryOf(request, ApprovalQuery)
    const purpose = purposeOf(request)
    const { state, session, limit = APPROVALS_PER_PAGE, cursor } = query
    const before = cursor === undefined ? undefined : placeOf(cursor, PLACE)[0]
    const found = (await parts.desk.list(state === undefined ? {} : { state }))
      .filter((each) => mayKnow(viewer, each) && (session === undefined || each.session === session))
      .map((each) => ({ place: `${each.createdAt} ${each.id}`, each }))
      .filter(({ place }) => before === undefined || place < before)
      .sort((a, b) => (a.place < b.place ? 1 : -1))
    const page = found.slice(0, limit)
    const last = page.at(-1)
    await note(parts, viewer.identity, {
      type: 'evidence.search',
      what: 'approvals',
      query: { ...query },
      found: page.length,
      ...purpose,
    })
    return {
      approvals: page.map(({ each }) => approvalView(viewer, each)),
      next: found.length > limit && last !== undefined ? cursorOf(last.place) : null,
    }
  },

  async approval({ request, viewer }, { parts }) {
    const approval = await known(String(request.params['id']), viewer, parts.desk)
    await note(parts, viewer.identity, {
      type: 'evidence.view',
      what: 'approval',
      ...named(approval),
      ...purposeOf(request),
    })
    return approvalView(viewer, whole(approval))
  },

  /** Noted before it is done: what cannot be noted is not decided. A decision that came too late is noted as one that was not taken. */
  async decide({ request, viewer }, { parts }) {
    const before = await known(String(request.params['id']), viewer, parts.desk)
    const { act, reason } = bodyOf(request, DecisionAsk)
    const ruling = { act, ...(reason === undefined ? {} : { reason: reason.toWellFormed() }) }
    checkRuling(before, ruling, viewer.identity)
    const { id } = before
    await note(parts, viewer.identity, { type: 'approval.decision', ...named(before), ...ruling })
    try {
      return approvalView(viewer, whole(await parts.desk.decide(id, ruling, viewer.identity)))
    } catch (error) {
      const code = error instanceof ApplianceError ? error.code : 'API_FAILED'
      await note(parts, viewer.identity, { type: 'approval.decision-failed', ...named(before), act, code })
      throw error
    }
  },
}

/** As entries of the ledger name it. */
function named({ id, session }: Approval): { readonly approval: string; readonly session?: string } {
  return { approval: id, ...(session === undefined ? {} : { session }) }
}

function whole(approval: Approval): ListedApproval {
  return { ...approval, commandChars: approval.command.length }
}

/** Who sees its target's sessions (without a target: whoever sees all), and who may be asked to decide it. */
export function mayKnow(viewer: Viewer, { target, approvers }: Approval): boolean {
  return (
    (target === undefined ? viewer.scope === null : maySee(viewer, target)) ||
    (hasRole(viewer, 'approver') && approvers.groups.some((group) => viewer.identity.groups.includes(group)))
  )
}

export function approvalView(viewer: Viewer, approval: ListedApproval): ApprovalView {
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

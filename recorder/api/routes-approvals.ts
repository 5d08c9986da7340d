import { AccessAsk, ApprovalQuery, type ApprovalView, DecisionAsk, EndAsk, ReviewAsk } from '../../schemas/api.ts'
import type { Approval } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { cursorOf, placeOf } from '../catalog/cursor.ts'
import { brokeGlass } from '../desk/approval-log.ts'
import type { Approver, ListedApproval } from '../desk/desk.ts'
import { checkRetraction, checkReview, checkRuling } from '../desk/rulings.ts'
import { similarTo } from '../desk/similar.ts'
import { bodyOf, queryOf } from './check.ts'
import type { Handlers } from './context.ts'
import { note, purposeOf } from './notes.ts'
import { hasRole, maySee, type Viewer } from './viewer.ts'

const APPROVALS_PER_PAGE = 50
const PLACE = /^([0-9T:.Z-]{20,30}) (A-[0-9A-Z]{8})$/

const MINUTE_MS = 60_000

type Names = 'approvals' | 'approval' | 'decide' | 'similar' | 'review' | 'endApproval' | 'accessTargets' | 'askAccess'

export const approvalRoutes: Handlers<Names> = {
  async approvals({ request, viewer }, { parts }) {
    const query = queryOf(request, ApprovalQuery)
    const purpose = purposeOf(request)
    const { state, session, review, limit = APPROVALS_PER_PAGE, cursor } = query
    const before = cursor === undefined ? undefined : placeOf(cursor, PLACE)[0]
    const found = (await parts.desk.list(state === undefined ? {} : { state }))
      .filter((each) => mayKnow(viewer, each) && (session === undefined || each.session === session))
      .filter((each) => review === undefined || (brokeGlass(each) && each.review === undefined))
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
    if (act !== 'break-glass' && !hasRole(viewer, 'approver'))
      throw new ApplianceError('API_FORBIDDEN', `${viewer.identity.subject} needs the role approver for this`)
    checkRuling(before, ruling, approverOf(viewer))
    const { id } = before
    await note(parts, viewer.identity, { type: 'approval.decision', ...named(before), ...ruling })
    try {
      return approvalView(viewer, whole(await parts.desk.decide(id, ruling, approverOf(viewer))))
    } catch (error) {
      const code = error instanceof ApplianceError ? error.code : 'API_FAILED'
      await note(parts, viewer.identity, { type: 'approval.decision-failed', ...named(before), act, code })
      throw error
    }
  },

  async similar({ request, viewer }, { parts }) {
    const approval = await known(String(request.params['id']), viewer, parts.desk)
    const visible = (await parts.desk.list()).filter((each) => mayKnow(viewer, each))
    await note(parts, viewer.identity, {
      type: 'evidence.view',
      what: 'similar approvals',
      ...named(approval),
      ...purposeOf(request),
    })
    return { similar: similarTo(approval, visible) }
  },

  async review({ request, viewer }, { parts }) {
    const before = await known(String(request.params['id']), viewer, parts.desk)
    const text = bodyOf(request, ReviewAsk).note.toWellFormed()
    checkReview(before, text, approverOf(viewer))
    await note(parts, viewer.identity, { type: 'approval.decision', ...named(before), act: 'review', reason: text })
    return approvalView(viewer, whole(await parts.desk.review(before.id, text, approverOf(viewer))))
  },

  async endApproval({ request, viewer }, { parts }) {
    const before = await known(String(request.params['id']), viewer, parts.desk)
    const reason = bodyOf(request, EndAsk).reason?.toWellFormed()
    checkRetraction(before, approverOf(viewer))
    await note(parts, viewer.identity, {
      type: 'approval.decision',
      ...named(before),
      act: 'end',
      ...(reason === undefined ? {} : { reason }),
    })
    return approvalView(viewer, whole(await parts.desk.retract(before.id, approverOf(viewer), reason)))
  },

  async accessTargets({ viewer }, { parts }) {
    return { targets: parts.access.targets(viewer.identity) }
  },

  async askAccess({ request, viewer }, { parts }) {
    const { target, minutes, reason } = bodyOf(request, AccessAsk)
    await note(parts, viewer.identity, { type: 'access.ask', target, minutes })
    const wish = { target, forMs: minutes * MINUTE_MS, reason: reason.toWellFormed() }
    return approvalView(viewer, whole(await parts.access.ask(viewer.identity, wish)))
  },
}

/** The viewer as the desk knows people. */
function approverOf({ identity, mayBreakGlass }: Viewer): Approver {
  return { ...identity, mayBreakGlass }
}

/** As entries of the ledger name it. */
function named({ id, session }: Approval): { readonly approval: string; readonly session?: string } {
  return { approval: id, ...(session === undefined ? {} : { session }) }
}

function whole(approval: Approval): ListedApproval {
  return { ...approval, commandChars: approval.command.length }
}

/** Who sees its target's sessions (without a target: whoever sees all), who may be asked to decide it, and who made it. */
export function mayKnow(viewer: Viewer, { target, approvers, requester }: Approval): boolean {
  return (
    viewer.mayBreakGlass ||
    requester === viewer.identity.subject ||
    (target === undefined ? viewer.scope === null : maySee(viewer, target)) ||
    (hasRole(viewer, 'approver') && approvers.groups.some((group) => viewer.identity.groups.includes(group)))
  )
}

export function approvalView(viewer: Viewer, approval: ListedApproval): ApprovalView {
  const { binding: _, ...shown } = approval
  return { ...shown, may: mayDecide(viewer, approval) }
}

function mayDecide(viewer: Viewer, approval: Approval): ApprovalView['may'] {
  const approver = approverOf(viewer)
  const decides = hasRole(viewer, 'approver')
  const why = decides ? refusalOf(() => checkRuling(approval, { act: 'approve' }, approver)) : 'deciding needs the role approver'
  const may = (check: () => void): boolean => refusalOf(check) === undefined
  return {
    decide: why === undefined,
    ...(why === undefined ? {} : { why }),
    breakGlass: may(() => checkRuling(approval, { act: 'break-glass', reason: 'asked' }, approver)),
    review: decides && may(() => checkReview(approval, 'asked', approver)),
    end: may(() => checkRetraction(approval, approver)),
  }
}

function refusalOf(check: () => void): string | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof ApplianceError) return error.message
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

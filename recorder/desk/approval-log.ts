import { type Static, Type } from 'typebox'
import { type Approval, Approval as ApprovalSchema, Decision, MAX_REASON_CHARS } from '../../schemas/approval.ts'
import { samePerson } from '../../schemas/session.ts'

/** What is written once when a request is made; everything later is an event. */
export const ApprovalRequest = Type.Omit(ApprovalSchema, ['state', 'decisions', 'withdrawn', 'review'])
export type ApprovalRequest = Static<typeof ApprovalRequest>

const At = Type.String({ format: 'date-time' })
const Optional = { by: Type.Optional(Type.String()), reason: Type.Optional(Type.String({ maxLength: MAX_REASON_CHARS })) }

/** One step of a request's life. Steps are numbered without gaps, so writing step n is a compare-and-swap on the state after n-1. */
export const ApprovalEvent = Type.Union([
  Type.Object({ kind: Type.Literal('decision'), decision: Decision }),
  Type.Object({ kind: Type.Literal('withdrawn'), at: At, ...Optional }),
  Type.Object({ kind: Type.Literal('consumed'), at: At }),
  Type.Object({ kind: Type.Literal('expired'), at: At }),
  Type.Object({
    kind: Type.Literal('reviewed'),
    at: At,
    by: Type.String(),
    proof: Type.Optional(Type.String()),
    note: Type.String({ maxLength: MAX_REASON_CHARS }),
  }),
])
export type ApprovalEvent = Static<typeof ApprovalEvent>

/**
 * A clock that was set back further than this behind what is written ends what is open, so that nothing lives longer for it.
 * Less is the jitter of a clock that is kept in step.
 */
const MAX_SET_BACK_MS = 60_000

/**
 *   pending --decision (approve, not yet enough)--> pending
 *   pending --decision (approve, enough; break-glass)--> approved --consumed--> consumed
 *   pending --decision (reject)--> rejected
 *   pending --withdrawn--> withdrawn             approved access --withdrawn--> withdrawn: it ends early
 *   pending, approved --time, expired--> expired
 *   broken glass is reviewed once, in whatever state
 * An event that does not fit the state is never written; one found all the same changes nothing. What has run out is expired
 * for good once the event is written, which whoever acts on it does first: no clock brings it to life again.
 */
export function approvalAfter(request: ApprovalRequest, events: readonly ApprovalEvent[], nowMs: number): Approval {
  const approval = approvalOf(request, events)
  return isOpen(approval) && isOver(approval, nowMs) ? { ...approval, state: 'expired' } : approval
}

/** As approvalAfter, but for time that has passed without being written down. */
export function approvalOf(request: ApprovalRequest, events: readonly ApprovalEvent[]): Approval {
  let state: Approval['state'] = 'pending'
  const decisions: Decision[] = []
  let rest: Pick<Approval, 'withdrawn' | 'review'> = {}
  for (const event of events) {
    switch (event.kind) {
      case 'decision':
        if (state !== 'pending') break
        decisions.push(event.decision)
        state = ruled(request, decisions)
        break
      case 'withdrawn':
        if (state !== 'pending' && !(state === 'approved' && request.access !== undefined)) break
        state = 'withdrawn'
        rest = { ...rest, withdrawn: { at: event.at, ...given(event) } }
        break
      case 'consumed':
        if (state === 'approved' && request.access === undefined) state = 'consumed'
        break
      case 'expired':
        if (isOpen({ state })) state = 'expired'
        break
      case 'reviewed':
        if (brokeGlass({ decisions }) && rest.review === undefined)
          rest = { ...rest, review: { by: event.by, at: event.at, note: event.note } }
        break
      default:
        event satisfies never
    }
  }
  return { ...request, state, decisions, ...rest }
}

/** What the decisions so far make of a pending request. */
function ruled({ approvers }: ApprovalRequest, decisions: readonly Decision[]): Approval['state'] {
  const last = decisions.at(-1)
  if (last?.act === 'reject') return 'rejected'
  if (last?.act === 'break-glass') return 'approved'
  return new Set(decisions.map(({ by }) => samePerson(by))).size >= approvers.count ? 'approved' : 'pending'
}

function given({ by, reason }: { readonly by?: string; readonly reason?: string }): {
  readonly by?: string
  readonly reason?: string
} {
  return { ...(by === undefined ? {} : { by }), ...(reason === undefined ? {} : { reason }) }
}

/** Whether anything can still happen to it. */
export function isOpen({ state }: Pick<Approval, 'state'>): boolean {
  return state === 'pending' || state === 'approved'
}

/** Whether somebody decided it alone, past its approvers. */
export function brokeGlass({ decisions }: Pick<Approval, 'decisions'>): boolean {
  return decisions.at(-1)?.act === 'break-glass'
}

/** When what is open ends by itself, ms: approved access with its window, everything else when it may no longer be decided or used. */
export function endOf({
  state,
  decisions,
  access,
  expiresAt,
}: Pick<Approval, 'state' | 'decisions' | 'access' | 'expiresAt'>): number {
  const granted = decisions.at(-1)
  if (state !== 'approved' || access === undefined || granted === undefined) return Date.parse(expiresAt)
  return Date.parse(granted.at) + access.forMs
}

function isOver(approval: Approval, nowMs: number): boolean {
  const newest = Math.max(Date.parse(approval.createdAt), ...approval.decisions.map(({ at }) => Date.parse(at)))
  return nowMs >= endOf(approval) || nowMs < newest - MAX_SET_BACK_MS
}

import { type Static, Type } from 'typebox'
import { Count, Cursor, closed, DateTime, Limit, oneOf, orNull } from './api-parts.ts'
import { Approval, ApprovalState } from './approval.ts'

/**
 * Approval without its binding, which is the gateway's own business, and what this reader may do about it. Lists and events
 * have the first 4 000 characters of `command`; `GET /approvals/{id}` has all of it.
 */
export const ApprovalView = Type.Object({
  ...Type.Omit(Approval, ['binding']).properties,
  /** Of the whole command, in UTF-16 units as JSON counts them; more than `command` has where that was cut. */
  commandChars: Count,
  /** `end`: take it back, or end the access it gave. */
  may: Type.Object({
    decide: Type.Boolean(),
    /** Why not, one sentence. */
    why: Type.Optional(Type.String()),
    breakGlass: Type.Boolean(),
    review: Type.Boolean(),
    end: Type.Boolean(),
  }),
})
export type ApprovalView = Static<typeof ApprovalView>
export const ApprovalQuery = Type.Object(
  {
    state: Type.Optional(ApprovalState),
    session: Type.Optional(Type.String({ maxLength: 128 })),
    /** `due`: only broken glass that nobody has reviewed. */
    review: Type.Optional(Type.Literal('due')),
    limit: Type.Optional(Limit(200, 50)),
    cursor: Type.Optional(Cursor),
  },
  closed,
)
export type ApprovalQuery = Static<typeof ApprovalQuery>
/** Newest first. */
export const ApprovalPage = Type.Object({ approvals: Type.Array(ApprovalView), next: orNull(Cursor) })
export type ApprovalPage = Static<typeof ApprovalPage>

/** What was decided before about requests like this one, newest first: `same` where the command was the same to the letter. */
export const SimilarApprovals = Type.Object({
  similar: Type.Array(
    Type.Object({
      id: Type.String(),
      state: ApprovalState,
      requester: Type.String(),
      createdAt: DateTime,
      decisions: Approval.properties.decisions,
      same: Type.Boolean(),
    }),
  ),
})
export type SimilarApprovals = Static<typeof SimilarApprovals>

/** A rejection needs its reason: the requester is shown it; breaking the glass needs one for its review. */
export const DecisionAsk = Type.Object(
  { act: oneOf(['approve', 'reject', 'break-glass']), reason: Type.Optional(Type.String({ maxLength: 2000 })) },
  closed,
)
export type DecisionAsk = Static<typeof DecisionAsk>

export const ReviewAsk = Type.Object({ note: Type.String({ minLength: 1, maxLength: 2000 }) }, closed)
export const EndAsk = Type.Object({ reason: Type.Optional(Type.String({ maxLength: 2000 })) }, closed)
/** Targets one may ask for, for a while. */
export const AccessTargets = Type.Object({
  targets: Type.Array(Type.Object({ target: Type.String(), maxMinutes: Type.Integer({ minimum: 1 }) })),
})
export type AccessTargets = Static<typeof AccessTargets>
export const AccessAsk = Type.Object(
  {
    target: Type.String({ minLength: 1, maxLength: 128 }),
    minutes: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    reason: Type.String({ minLength: 1, maxLength: 2000 }),
  },
  closed,
)
export type AccessAsk = Static<typeof AccessAsk>

/** Endpoints of the desk, for ENDPOINTS. */
export const APPROVAL_ENDPOINTS = {
  approvals: {
    method: 'get',
    path: '/approvals',
    summary: 'Requests for approval, newest first',
    access: 'viewer',
    query: ApprovalQuery,
    answer: ApprovalPage,
  },
  approval: { method: 'get', path: '/approvals/{id}', summary: 'One request', access: 'viewer', answer: ApprovalView },
  decide: {
    method: 'post',
    path: '/approvals/{id}/decision',
    summary: 'Approve or reject it (role approver), or break the glass (a permission of its own)',
    access: 'viewer',
    body: DecisionAsk,
    answer: ApprovalView,
  },
  similar: {
    method: 'get',
    path: '/approvals/{id}/similar',
    summary: 'What was decided before about requests like it',
    access: 'viewer',
    answer: SimilarApprovals,
  },
  review: {
    method: 'post',
    path: '/approvals/{id}/review',
    summary: 'Review broken glass',
    access: 'approver',
    body: ReviewAsk,
    answer: ApprovalView,
  },
  endApproval: {
    method: 'post',
    path: '/approvals/{id}/end',
    summary: 'Take a request of your own back, or end access for a while early',
    access: 'viewer',
    body: EndAsk,
    answer: ApprovalView,
  },
  accessTargets: {
    method: 'get',
    path: '/access',
    summary: 'Targets one may ask for, for a while',
    access: 'signed-in',
    answer: AccessTargets,
  },
  askAccess: {
    method: 'post',
    path: '/access',
    summary: 'Ask for access to a target for a while',
    access: 'signed-in',
    body: AccessAsk,
    answer: ApprovalView,
    status: 202,
  },
} as const

import { type Static, Type } from 'typebox'

/** `pending -> approved | rejected | expired | withdrawn`, and `approved -> consumed` (at most once). */
export const ApprovalState = Type.Union([
  Type.Literal('pending'),
  Type.Literal('approved'),
  Type.Literal('rejected'),
  Type.Literal('expired'),
  Type.Literal('withdrawn'),
  Type.Literal('consumed'),
])
export type ApprovalState = Static<typeof ApprovalState>

export const Decision = Type.Object({
  act: Type.Union([Type.Literal('approve'), Type.Literal('reject')]),
  by: Type.String({ minLength: 1 }),
  /** Shown to the requester; required for a rejection. */
  reason: Type.Optional(Type.String({ maxLength: 2000 })),
  at: Type.String({ format: 'date-time' }),
})
export type Decision = Static<typeof Decision>

/** A request for approval as people see it. `command` is the redacted text, whole; never the original. */
export const Approval = Type.Object({
  id: Type.String({ pattern: '^A-[0-9A-HJKMNP-TV-Z]{8}$' }),
  session: Type.String(),
  requester: Type.String(),
  requesterKind: Type.String(),
  /** The human behind the requester, if any. */
  principal: Type.Optional(Type.String()),
  target: Type.String(),
  protocol: Type.String(),
  kind: Type.String(),
  command: Type.String(),
  facts: Type.Record(Type.String(), Type.Unknown()),
  rules: Type.Array(Type.String()),
  reason: Type.String(),
  approvers: Type.Object({ groups: Type.Array(Type.String()), count: Type.Integer({ minimum: 1 }) }),
  /** HMAC-SHA-256 (hex) over identity, target, database, role, policy and the exact bytes and parameters: what was approved is what runs. */
  binding: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  createdAt: Type.String({ format: 'date-time' }),
  /** Until when it may be decided, and an approval be used. */
  expiresAt: Type.String({ format: 'date-time' }),
  state: ApprovalState,
  decisions: Type.Array(Decision),
})
export type Approval = Static<typeof Approval>

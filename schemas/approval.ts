import { type Static, Type } from 'typebox'

/** Of a reason or note: people read it, and the ledger has it in one entry. */
export const MAX_REASON_CHARS = 2_000

/** `pending -> approved | rejected | expired | withdrawn`, and `approved -> consumed` (at most once); approved access ends `expired` or `withdrawn`. */
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
  /** `break-glass`: approved by one person alone, past the approvers, with a permission of its own; to be reviewed. */
  act: Type.Union([Type.Literal('approve'), Type.Literal('reject'), Type.Literal('break-glass')]),
  by: Type.String({ minLength: 1 }),
  /** How they proved who they are. */
  proof: Type.Optional(Type.String()),
  /** Shown to the requester; required for a rejection and for breaking the glass. */
  reason: Type.Optional(Type.String({ maxLength: MAX_REASON_CHARS })),
  at: Type.String({ format: 'date-time' }),
})
export type Decision = Static<typeof Decision>

/**
 * What a request is about: a `message` that a gate holds, `access` to a target for a while, a `policy` to be put in force,
 * or tapes to be deleted (`retention`).
 * All of them wait at the same desk, under the same rules.
 */
export const ApprovalMatter = Type.Union([
  Type.Literal('message'),
  Type.Literal('access'),
  Type.Literal('policy'),
  Type.Literal('retention'),
])
export type ApprovalMatter = Static<typeof ApprovalMatter>

/** A request for approval as people see it. `command` is the redacted text, whole; never the original. */
export const Approval = Type.Object({
  id: Type.String({ pattern: '^A-[0-9A-HJKMNP-TV-Z]{8}$' }),
  about: Type.Optional(ApprovalMatter),
  /** The session whose message is held; absent where nothing is. */
  session: Type.Optional(Type.String()),
  requester: Type.String(),
  requesterKind: Type.String(),
  /** The human behind the requester, if any. */
  principal: Type.Optional(Type.String()),
  /** Absent where it is about all of them. */
  target: Type.Optional(Type.String()),
  protocol: Type.Optional(Type.String()),
  /** Of the message; otherwise what is to be done: `access`, `policy.activate`. */
  kind: Type.String(),
  /** What is approved, as people read it: the redacted statement, the reason for access, the difference between two policies. */
  command: Type.String(),
  facts: Type.Record(Type.String(), Type.Unknown()),
  rules: Type.Array(Type.String()),
  reason: Type.String(),
  approvers: Type.Object({ groups: Type.Array(Type.String()), count: Type.Integer({ minimum: 1 }) }),
  /**
   * SHA-256 or its HMAC (hex) over everything an approval is good for: of a message identity, target, database, role, settings, policy
   * and the exact bytes and parameters. What was approved is what is done.
   */
  binding: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  createdAt: Type.String({ format: 'date-time' }),
  /** Until when it may be decided, and an approval be used. */
  expiresAt: Type.String({ format: 'date-time' }),
  /** Of a request for access: it begins with the last decision, lasts so long, and is used by as many sessions as come. */
  access: Type.Optional(Type.Object({ forMs: Type.Integer({ minimum: 1 }) })),
  state: ApprovalState,
  decisions: Type.Array(Decision),
  /** Who took it back, or ended the access early, where somebody did by name. */
  withdrawn: Type.Optional(
    Type.Object({
      at: Type.String({ format: 'date-time' }),
      by: Type.Optional(Type.String()),
      reason: Type.Optional(Type.String()),
    }),
  ),
  /** Of broken glass: who looked into it afterwards. */
  review: Type.Optional(Type.Object({ by: Type.String(), at: Type.String({ format: 'date-time' }), note: Type.String() })),
})
export type Approval = Static<typeof Approval>

import { type Static, Type } from 'typebox'
import { Count, closed, DateTime, orNull } from './api-parts.ts'

/** Of a command that is tried out. */
const MAX_COMMAND_CHARS = 10_000

/** A policy (SHA-256 of its text, hex) that came into force, as the ledger has it; only lines that a trusted key has signed. */
export const PolicyActivation = Type.Object({
  policy: Type.String(),
  previous: orNull(Type.String()),
  at: DateTime,
  gateway: Type.String(),
  /** Who changed the file; null where a gateway started with it. */
  by: orNull(Type.String()),
  /** The approval it took. */
  request: orNull(Type.String()),
})
export type PolicyActivation = Static<typeof PolicyActivation>

/** Statements a rule had a part in, shadow rules under `shadow:<id>`. */
export const RuleHits = Type.Object({ rule: Type.String(), statements: Count, sessions: Count })
export type RuleHits = Static<typeof RuleHits>

export const PolicyState = Type.Object({
  /** Of the newest start, activation or session in the ledger; null where none is found. */
  inForce: orNull(Type.String()),
  /** Newest first. */
  activations: Type.Array(PolicyActivation),
  /** Nothing older was looked at; null where all was. */
  lookedTo: orNull(DateTime),
  /** Of sessions that began in the last so many days; most statements first. */
  days: Count,
  hits: Type.Array(RuleHits),
})
export type PolicyState = Static<typeof PolicyState>

/** What was hashed: JSON, its keys in order, the rules of its packs written out. */
export const PolicyText = Type.Object({ policy: Type.String(), text: Type.String() })
export type PolicyText = Static<typeof PolicyText>

/** A command somebody might give. Nothing is sent anywhere. */
export const PolicyTrial = Type.Object(
  {
    target: Type.String({ minLength: 1, maxLength: 200 }),
    /** A configured identity; the caller, where it is not given. */
    subject: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    command: Type.String({ minLength: 1, maxLength: MAX_COMMAND_CHARS }),
  },
  closed,
)
export type PolicyTrial = Static<typeof PolicyTrial>

/** As the first command of a session, by the policy file as it stands. */
export const PolicyTried = Type.Object({
  policy: Type.String(),
  subject: Type.String(),
  target: Type.String(),
  act: Type.String(),
  rules: Type.Array(Type.String()),
  reason: orNull(Type.String()),
  hint: orNull(Type.String()),
  /** What was seen in it: names and values. */
  facts: Type.Array(Type.Tuple([Type.String(), Type.String()])),
})
export type PolicyTried = Static<typeof PolicyTried>

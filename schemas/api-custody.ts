import { type Static, Type } from 'typebox'
import { CUSTODY_NAMES, type CustodyAct } from './api-names.ts'
import { Count, Cursor, closed, DateTime, Limit, oneOf, orNull } from './api-parts.ts'

const CUSTODY_ACTS = Object.keys(CUSTODY_NAMES) as CustodyAct[]

export const CustodyQuery = Type.Object(
  {
    /** Without one: of everything, which takes the role auditor or admin. */
    session: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    /** `*` stands for any characters. */
    actor: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    act: Type.Optional(oneOf(CUSTODY_ACTS)),
    limit: Type.Optional(Limit(200, 50)),
    cursor: Type.Optional(Cursor),
  },
  closed,
)
export type CustodyQuery = Static<typeof CustodyQuery>

/** One entry of the ledger. Texts are untrusted. */
export const CustodyEntry = Type.Object({
  at: DateTime,
  /** The writer and its count of entries: with them `sallyport ledger` finds it. */
  gateway: Type.String(),
  n: Count,
  type: Type.String(),
  act: oneOf(CUSTODY_ACTS),
  actor: Type.String(),
  session: orNull(Type.String()),
  /** Its other members, as `name value`, in order. */
  told: Type.Array(Type.Tuple([Type.String(), Type.String()])),
  /** By a key of this installation. */
  signed: Type.Boolean(),
})
export type CustodyEntry = Static<typeof CustodyEntry>

/** Newest first. `next` asks on; it may be there where a page is empty, as a question reads only so much of the ledger. */
export const CustodyPage = Type.Object({
  entries: Type.Array(CustodyEntry),
  next: orNull(Cursor),
  /** How far back this page looked; null at the beginning of the ledger. */
  lookedTo: orNull(DateTime),
})
export type CustodyPage = Static<typeof CustodyPage>

/** What stands of the ledger, and what it holds. */
export const LedgerState = Type.Object({
  /** The newest signed size and root; null before the first. */
  checkpoint: orNull(Type.Object({ size: Count, root: Type.String() })),
  /** Legal holds in force. */
  holds: Type.Array(
    Type.Object({ session: Type.String(), matter: Type.String(), actor: Type.String(), reason: Type.String(), at: DateTime }),
  ),
})
export type LedgerState = Static<typeof LedgerState>

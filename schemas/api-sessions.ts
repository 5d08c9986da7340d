import { type Static, Type } from 'typebox'
import { ACTS, SESSION_STATES, STATEMENT_OUTCOMES } from './api-names.ts'
import { CatalogLag, Count, Cursor, closed, DateTime, Limit, oneOf, orNull } from './api-parts.ts'
import { PROTOCOL_NAMES } from './session.ts'
import { VERIFY_EXITS, type VerifyVerdict } from './verification.ts'

const VERIFY_VERDICTS = Object.keys(VERIFY_EXITS) as VerifyVerdict[]

export const SessionRow = Type.Object({
  id: Type.String(),
  state: oneOf(SESSION_STATES),
  gateway: Type.String(),
  identity: Type.Object({
    subject: Type.String(),
    kind: oneOf(['human', 'agent', 'service']),
    principal: Type.Optional(Type.String()),
    groups: Type.Array(Type.String()),
  }),
  target: Type.Object({
    name: Type.String(),
    protocol: oneOf(PROTOCOL_NAMES),
    database: Type.Optional(Type.String()),
    labels: Type.Record(Type.String(), Type.String()),
  }),
  client: Type.String(),
  startedAt: DateTime,
  /** null while live, and where no end was written. */
  endedAt: orNull(DateTime),
  /** Why it ended, as the seal says. */
  endReason: orNull(Type.String()),
  /** Up to the last durable frame. */
  durationUs: Count,
  /** Sums over the durable frames that are in the catalog. */
  frames: Count,
  statements: Count,
  rows: Count,
  bytesIn: Count,
  bytesOut: Count,
  /** Spans the masker replaced. */
  masked: Count,
  verdicts: Type.Object({ allow: Count, mask: Count, block: Count, hold: Count }),
  /** Of the newest statement, at most 200 characters. */
  lastStatement: orNull(Type.String()),
})
export type SessionRow = Static<typeof SessionRow>

/** Filters are joined by `and`. `identity` and `target` take `*` for any characters; `text` is found anywhere in a statement, and has three letters or digits in a row at least, or two beside a space or a sign. All whatever their case. */
export const SessionQuery = Type.Object(
  {
    identity: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    target: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    protocol: Type.Optional(oneOf(PROTOCOL_NAMES)),
    state: Type.Optional(oneOf(SESSION_STATES)),
    /** Sessions with at least one message of this verdict. */
    verdict: Type.Optional(oneOf(ACTS)),
    /** Of the session's start; `since` is included, `until` is not. */
    since: Type.Optional(DateTime),
    until: Type.Optional(DateTime),
    text: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    /** At least so many rows left. */
    minRows: Type.Optional(Count),
    limit: Type.Optional(Limit(200, 50)),
    cursor: Type.Optional(Cursor),
  },
  closed,
)
export type SessionQuery = Static<typeof SessionQuery>

/** Newest start first. `next` asks for the following page; null at the end. */
export const SessionPage = Type.Object({
  sessions: Type.Array(SessionRow),
  next: orNull(Cursor),
  lag: CatalogLag,
})
export type SessionPage = Static<typeof SessionPage>

/** What a list does not show of a session. */
export const SessionDetail = Type.Object({
  ...SessionRow.properties,
  /** The header as it was signed: policy hash, durability, what the client said of itself, unproved. */
  policy: Type.String(),
  durability: Type.String(),
  lossWindow: Type.String(),
  claims: Type.Record(Type.String(), Type.String()),
  proof: Type.String(),
  /** Set where frames are attested only by the gateway that recovered them. */
  recovered: orNull(Type.Object({ frames: Count, discardedBytes: Count, by: Type.String(), at: DateTime })),
  /** Requests that held messages of this session, oldest first. */
  approvals: Type.Array(Type.String()),
  /** Characters of results and terminals that a search does not find: the catalog keeps so much of one session and no more. */
  unsearchedChars: Count,
  /** What happened, in a few sentences made of the catalog's numbers: the same for the same tape. Statements in it are untrusted text. */
  narrative: Type.Optional(Type.Array(Type.String())),
  /** The host of the model that this reader may have write a summary of it; without one there is none, or they may not. */
  summaryBy: Type.Optional(Type.String()),
  /** What this reader may do with it. */
  may: Type.Object({ read: Type.Boolean(), kill: Type.Boolean() }),
})
export type SessionDetail = Static<typeof SessionDetail>

/** One command the client gave. Text is untrusted and masked. */
export const StatementRow = Type.Object({
  session: Type.String(),
  /** Number of the frame that carries it; with `part` it names the statement. */
  frame: Count,
  /** A frame may carry several messages: which of its statements, from 0. */
  part: Count,
  channel: Count,
  /** `query`, `parse`, `execute` ... */
  kind: Type.String(),
  text: Type.String(),
  /** The catalog keeps at most 16 KiB of a statement; the tape has it whole. */
  textCut: Type.Boolean(),
  atUs: Count,
  /** To the last frame that answered it; null while there is none. */
  durationUs: orNull(Count),
  /** Last frame that answered it; null while there is none. */
  lastFrame: orNull(Count),
  rows: Count,
  bytesOut: Count,
  masked: Count,
  /** The gravest over the statement and its answers; null where no rule matched. */
  verdict: orNull(oneOf(ACTS)),
  rules: Type.Array(Type.String()),
  approval: orNull(Type.String()),
  /** `refused`: blocked or rejected. `cut`: ended before it was answered. */
  outcome: oneOf(STATEMENT_OUTCOMES),
  /** Tables, routes or paths it touches, as the catalog spells them. */
  objects: Type.Array(Type.String()),
  verbs: Type.Array(Type.String()),
  /** The same for statements that differ in their values only; null where the protocol knows none. */
  fingerprint: orNull(Type.String()),
})
export type StatementRow = Static<typeof StatementRow>

export const StatementQuery = Type.Object(
  {
    text: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    verdict: Type.Optional(oneOf(ACTS)),
    /** Statements of this frame and later. */
    fromFrame: Type.Optional(Count),
    limit: Type.Optional(Limit(1000, 200)),
    cursor: Type.Optional(Cursor),
  },
  closed,
)
export type StatementQuery = Static<typeof StatementQuery>

/** In tape order. */
export const StatementPage = Type.Object({ statements: Type.Array(StatementRow), next: orNull(Cursor), lag: CatalogLag })
export type StatementPage = Static<typeof StatementPage>

export const Kill = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, closed)
export type Kill = Static<typeof Kill>
/** The farewell is on its way; the session's `closed` event tells when it has ended. */
export const KillAnswer = Type.Object({ session: Type.String(), killed: Type.Literal(true) })
export type KillAnswer = Static<typeof KillAnswer>

/** What a model wrote, from masked text alone: no evidence, and untrusted like everything from outside. It is kept nowhere. */
export const SummaryText = Type.Object({
  session: Type.String(),
  text: Type.String(),
  /** Who wrote it, and from how much: as the ledger has it. */
  host: Type.String(),
  model: orNull(Type.String()),
  bytes: Count,
  sha256: Type.String(),
  /** Statements that were sent, of all there are. */
  statements: Count,
  of: Count,
})
export type SummaryText = Static<typeof SummaryText>

/** What a browser's verification of a tape that has ended came to, for the ledger. */
export const VerificationNote = Type.Object({ verdict: oneOf(VERIFY_VERDICTS), problems: Count }, closed)
export type VerificationNote = Static<typeof VerificationNote>
export const VerificationNoted = Type.Object({ session: Type.String(), noted: Type.Literal(true) })
export type VerificationNoted = Static<typeof VerificationNoted>

import { type Static, type TSchema, Type } from 'typebox'
import { ACTS, SESSION_STATES, type ServerEventName, STATEMENT_OUTCOMES } from './api-names.ts'
import { Approval, ApprovalState } from './approval.ts'
import { FRAMEWORKS } from './bundle.ts'
import { ERROR_CODES } from './errors.ts'
import { DispositionAsk, Finding, FindingQuery, FindingRow } from './findings.ts'
import { PullQuery, PullTotal, SearchFacets, SearchHit, SearchQuery } from './search.ts'
import { PROTOCOL_NAMES } from './session.ts'

// What the console and machines ask, and what they are answered; told in prose in docs/api.md. The OpenAPI document is made of this file.

/** Of the purpose before it is percent-encoded. */
export const MAX_PURPOSE_LENGTH = 200

export {
  API_BASE,
  CSRF_HEADER,
  PURPOSE_HEADER,
  type ServerEventName,
  type SessionState,
  SIGN_IN_FRAGMENT,
} from './api-names.ts'

const closed = { additionalProperties: false } as const
const oneOf = <T extends string>(names: readonly T[]) => Type.Unsafe<T>({ type: 'string', enum: [...names] })
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Count = Type.Integer({ minimum: 0 })
const DateTime = Type.String({ format: 'date-time' })
const Cursor = Type.String({ minLength: 1, maxLength: 200, pattern: '^[A-Za-z0-9_-]+$' })
const Limit = (most: number, usual: number) => Type.Integer({ minimum: 1, maximum: most, default: usual })

/** RFC 9457. `code` is one of ours, `detail` one sentence for people. */
export const ProblemDetails = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: oneOf(ERROR_CODES),
})
export type ProblemDetails = Static<typeof ProblemDetails>

/**
 * `viewer` sees sessions, their statements and approvals, of targets whose groups they share. `investigator` reads evidence
 * too: tapes and live tails. `approver` decides what a request's own groups let them decide. `auditor` is an investigator of every target.
 * `admin` may do all of it, and end sessions; an investigator may end sessions of their targets.
 */
export const ROLES = ['viewer', 'investigator', 'approver', 'auditor', 'admin'] as const
export type Role = (typeof ROLES)[number]

export const SignIn = Type.Union([
  Type.Object({ key: Type.String({ minLength: 1, maxLength: 4096 }) }, closed),
  Type.Object({ link: Type.String({ minLength: 1, maxLength: 200 }) }, closed),
])
export type SignIn = Static<typeof SignIn>

/** What a command line needs to sign in where people do. */
export const SignInLogin = Type.Object({ issuer: Type.String(), clientId: Type.String(), scope: Type.String() })
export type SignInLogin = Static<typeof SignInLogin>

/** Beside keys and links; `href` is where a browser begins. */
export const SignInWays = Type.Object({
  ways: Type.Array(
    Type.Object({
      id: oneOf(['oidc', 'saml']),
      name: Type.String(),
      href: Type.String(),
      login: Type.Optional(SignInLogin),
    }),
  ),
})
export type SignInWays = Static<typeof SignInWays>

export const Me = Type.Object({
  subject: Type.String(),
  kind: oneOf(['human', 'agent', 'service']),
  groups: Type.Array(Type.String()),
  roles: Type.Array(oneOf(ROLES)),
  /** For CSRF_HEADER; null where a bearer key was shown. Changes at each sign-in. */
  csrf: orNull(Type.String()),
  /** When this sign-in ends whatever is done; null for bearer keys. */
  expiresAt: orNull(DateTime),
  /** How long it may be left alone, ms; null for bearer keys. */
  idleTimeoutMs: orNull(Count),
  gateway: Type.String(),
})
export type Me = Static<typeof Me>

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

/** Filters are joined by `and`. `identity` and `target` take `*` for any characters; `text` is found anywhere in a statement, whatever its case. */
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

/** How far the catalog is behind the store. `backfill` while tapes from before the start are still being read. */
export const CatalogLag = Type.Object({
  state: oneOf(['backfill', 'following', 'failed']),
  /** Sessions whose tape was not read to its present end. */
  sessions: Count,
  /** Since the catalog last caught up with the store; 0 when it is. */
  behindMs: Count,
})
export type CatalogLag = Static<typeof CatalogLag>

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
  /** To the last frame that answered it; null while it runs. */
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

export const OBJECT_KINDS = ['segment', 'index', 'recovered', 'salt'] as const

/** `next` asks for the following page; null at the end. */
export const SearchPage = Type.Object({
  hits: Type.Array(SearchHit),
  next: orNull(Cursor),
  facets: orNull(SearchFacets),
  lag: CatalogLag,
})
export type SearchPage = Static<typeof SearchPage>

/** Most rows first. */
export const PullTotals = Type.Object({ pulls: Type.Array(PullTotal), lag: CatalogLag })
export type PullTotals = Static<typeof PullTotals>

/** The latest evidence first. `next` asks for the following page; null at the end. */
export const FindingPage = Type.Object({ findings: Type.Array(FindingRow), next: orNull(Cursor), lag: CatalogLag })
export type FindingPage = Static<typeof FindingPage>
export const FindingView = Type.Object({
  ...Finding.properties,
  may: Type.Object({ dispose: Type.Boolean() }),
})
export type FindingView = Static<typeof FindingView>
/** `reproduced`: the detector, run over the same week again, gives the same evidence to the last number. */
export const FindingExplained = Type.Object({
  finding: Finding,
  reproduced: Type.Boolean(),
  hashNow: orNull(Type.String()),
})
export type FindingExplained = Static<typeof FindingExplained>

/** One stored object of a tape, as docs/tape-format.md names it: `0000.tape`, `0000.idx`, `recovered-0000.tape`, `salt`. */
export const TapeObject = Type.Object({
  name: Type.String(),
  kind: oneOf(OBJECT_KINDS),
  /** Of segments and their indexes. */
  segment: Type.Optional(Count),
  /** Bytes that are durable now; only a last segment grows. */
  size: Count,
  /** Whether it can still grow; only what cannot is cached for good. */
  final: Type.Boolean(),
})
export type TapeObject = Static<typeof TapeObject>

/** Segments in order, then the others. */
export const TapeObjects = Type.Object({
  session: Type.String(),
  state: oneOf(SESSION_STATES),
  objects: Type.Array(TapeObject),
})
export type TapeObjects = Static<typeof TapeObjects>

/** Public keys of this installation's gateways, for verification in the browser. Whoever doubts this server takes them from elsewhere. */
export const Trust = Type.Object({
  keys: Type.Array(
    Type.Object({
      gateway: Type.String(),
      /** `Ed25519` or `ES256`. */
      algorithm: Type.String(),
      keyId: Type.String(),
      /** SubjectPublicKeyInfo, DER, base64. */
      spki: Type.String(),
    }),
  ),
})
export type Trust = Static<typeof Trust>

/** How far a running session is in the store. */
export const SessionProgress = Type.Object({
  session: Type.String(),
  state: oneOf(SESSION_STATES),
  frames: Count,
  durationUs: Count,
  statements: Count,
  rows: Count,
  bytesOut: Count,
  masked: Count,
  verdicts: Type.Object({ allow: Count, mask: Count, block: Count, hold: Count }),
  /** Segment objects with their durable sizes: fetch what lies behind the size you had. Empty in `/events` while nobody follows the session. */
  objects: Type.Array(TapeObject),
})
export type SessionProgress = Static<typeof SessionProgress>

export const Kill = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, closed)
export type Kill = Static<typeof Kill>
/** The farewell is on its way; the session's `closed` event tells when it has ended. */
export const KillAnswer = Type.Object({ session: Type.String(), killed: Type.Literal(true) })
export type KillAnswer = Static<typeof KillAnswer>

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

/**
 * Server-sent events of `GET /events`, by their `event:` name; `data:` is the JSON below. Each has an id; `Last-Event-ID` gets what was
 * missed, or one `reset` when that is no longer kept: then ask again for what is on the page. A comment comes every 15 s.
 * `GET /sessions/:id/live` sends `progress` (the state now first, then at each change) and `closed` last.
 */
export const SERVER_EVENTS = {
  opened: SessionRow,
  progress: SessionProgress,
  closed: SessionRow,
  approval: ApprovalView,
  finding: FindingRow,
  reset: Type.Object({}),
} as const satisfies Readonly<Record<ServerEventName, TSchema>>
export type ServerEvent = {
  readonly [N in ServerEventName]: { readonly event: N; readonly data: Static<(typeof SERVER_EVENTS)[N]> }
}[ServerEventName]

export const Health = Type.Object({ ok: Type.Boolean(), catalog: CatalogLag })
export type Health = Static<typeof Health>

/** One endpoint: what the server checks requests by, and the OpenAPI document is made of. `bytes` and `events` are not JSON. */
export interface Endpoint {
  readonly method: 'get' | 'post'
  /** Below API_BASE, parameters in braces. */
  readonly path: string
  readonly summary: string
  readonly access: 'anyone' | 'signed-in' | Role
  readonly query?: TSchema
  readonly body?: TSchema
  readonly answer: TSchema | 'bytes' | 'events' | 'document' | 'nothing'
  readonly status?: number
}

/** What an audit bundle is to be of: sessions opened in [from, to). */
export const BundleAsk = Type.Object(
  {
    from: DateTime,
    to: DateTime,
    framework: oneOf(FRAMEWORKS),
    /** Sessions drawn, with their recordings. */
    sample: Type.Integer({ minimum: 0, maximum: 10_000 }),
    /** What the sample is drawn by; made up and told where it is left out. */
    seed: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  },
  closed,
)
export type BundleAsk = Static<typeof BundleAsk>

/** A bundle that is being made, or was. */
export const BundleJob = Type.Object({
  id: Type.String(),
  state: oneOf(['running', 'done', 'failed']),
  by: Type.String(),
  startedAt: DateTime,
  from: DateTime,
  to: DateTime,
  framework: oneOf(FRAMEWORKS),
  seed: Type.String(),
  /** What is being read, and how far. */
  phase: orNull(oneOf(['log', 'tapes', 'sample'])),
  done: Count,
  of: Count,
  /** Of a bundle that is there. */
  size: orNull(Count),
  /** Of its manifest, as the ledger has it. */
  sha256: orNull(Type.String()),
  sessions: Count,
  /** Recordings that are missing, damaged or not ended. */
  gaps: Count,
  problem: orNull(Type.String()),
})
export type BundleJob = Static<typeof BundleJob>

export const BundleJobs = Type.Object({ bundles: Type.Array(BundleJob) })
export type BundleJobs = Static<typeof BundleJobs>

export const ENDPOINTS = {
  startBundle: {
    method: 'post',
    path: '/bundles',
    summary: 'Begin an audit bundle, in the background; one at a time',
    access: 'auditor',
    body: BundleAsk,
    answer: BundleJob,
    status: 202,
  },
  bundles: { method: 'get', path: '/bundles', summary: 'Bundles, newest first', access: 'auditor', answer: BundleJobs },
  bundle: { method: 'get', path: '/bundles/{id}/file', summary: 'A bundle’s file', access: 'auditor', answer: 'document' },
  signIn: {
    method: 'post',
    path: '/sign-in',
    summary: 'Sign in with an access key or a one-time link; sets the cookie',
    access: 'anyone',
    body: SignIn,
    answer: Me,
  },
  signInWays: {
    method: 'get',
    path: '/sign-in',
    summary: 'Through whom people sign in beside keys and links',
    access: 'anyone',
    answer: SignInWays,
  },
  signOut: {
    method: 'post',
    path: '/sign-out',
    summary: 'End this sign-in',
    access: 'signed-in',
    answer: 'nothing',
    status: 204,
  },
  me: { method: 'get', path: '/me', summary: 'Who is signed in', access: 'signed-in', answer: Me },
  sessions: {
    method: 'get',
    path: '/sessions',
    summary: 'Sessions, newest first',
    access: 'viewer',
    query: SessionQuery,
    answer: SessionPage,
  },
  session: { method: 'get', path: '/sessions/{id}', summary: 'One session', access: 'viewer', answer: SessionDetail },
  statements: {
    method: 'get',
    path: '/sessions/{id}/statements',
    summary: 'Its statements, in order',
    access: 'viewer',
    query: StatementQuery,
    answer: StatementPage,
  },
  pulls: {
    method: 'get',
    path: '/pulls',
    summary: 'Who took the most of what',
    access: 'viewer',
    query: PullQuery,
    answer: PullTotals,
  },
  findings: {
    method: 'get',
    path: '/findings',
    summary: 'What detectors found, the latest evidence first',
    access: 'investigator',
    query: FindingQuery,
    answer: FindingPage,
  },
  finding: {
    method: 'get',
    path: '/findings/{id}',
    summary: 'One finding with its evidence',
    access: 'investigator',
    answer: FindingView,
  },
  explainFinding: {
    method: 'get',
    path: '/findings/{id}/explain',
    summary: 'Its detector runs again over the same time; whether it finds the same',
    access: 'investigator',
    answer: FindingExplained,
  },
  disposeFinding: {
    method: 'post',
    path: '/findings/{id}/disposition',
    summary: 'Judge it',
    access: 'investigator',
    body: DispositionAsk,
    answer: FindingView,
  },
  search: {
    method: 'get',
    path: '/search',
    summary: 'Statements, and for investigators results, terminals, output and bodies too, newest first',
    access: 'viewer',
    query: SearchQuery,
    answer: SearchPage,
  },
  objects: {
    method: 'get',
    path: '/sessions/{id}/objects',
    summary: 'The stored objects of its tape',
    access: 'investigator',
    answer: TapeObjects,
  },
  object: {
    method: 'get',
    path: '/sessions/{id}/objects/{name}',
    summary: 'One object, whole or one range of it',
    access: 'investigator',
    answer: 'bytes',
  },
  live: {
    method: 'get',
    path: '/sessions/{id}/live',
    summary: 'How far it is in the store, as it goes on',
    access: 'investigator',
    answer: 'events',
  },
  kill: {
    method: 'post',
    path: '/sessions/{id}/kill',
    summary: 'End it now',
    access: 'investigator',
    body: Kill,
    answer: KillAnswer,
    status: 202,
  },
  trust: { method: 'get', path: '/trust', summary: 'Public keys of the gateways', access: 'signed-in', answer: Trust },
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
  events: { method: 'get', path: '/events', summary: 'What changes, as it changes', access: 'viewer', answer: 'events' },
  health: { method: 'get', path: '/healthz', summary: 'Whether it serves', access: 'anyone', answer: Health },
  openapi: { method: 'get', path: '/openapi.json', summary: 'This document', access: 'anyone', answer: 'document' },
} as const satisfies Readonly<Record<string, Endpoint>>
export type EndpointName = keyof typeof ENDPOINTS

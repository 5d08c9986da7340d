import { type Static, type TSchema, Type } from 'typebox'
import { APPROVAL_ENDPOINTS } from './api-approvals.ts'
import { BundleAsk, BundleJob, BundleJobs } from './api-bundles.ts'
import { CaseAsk, CaseChange, CaseList, CaseView, SavedSearchAsk, SavedSearches, SessionBookmarks } from './api-cases.ts'
import { CatalogSessions, CatalogSessionsQuery, CatalogStatus } from './api-catalog.ts'
import { CustodyPage, CustodyQuery, LedgerState } from './api-custody.ts'
import { CatalogLag } from './api-parts.ts'
import { PolicyState, PolicyText, PolicyTrial, PolicyTried } from './api-policies.ts'
import { FindingExplained, FindingPage, FindingView, PullTotals, SearchPage } from './api-search.ts'
import {
  Kill,
  KillAnswer,
  SessionDetail,
  SessionPage,
  SessionQuery,
  StatementPage,
  StatementQuery,
  SummaryText,
  VerificationNote,
  VerificationNoted,
} from './api-sessions.ts'
import { Me, type Role, SignIn, SignInWays } from './api-sign-in.ts'
import { ScreenAnswer, ScreenQuery, TapeObjects, Trust } from './api-tapes.ts'
import { DispositionAsk, FindingQuery } from './findings.ts'
import { PullQuery, SearchQuery } from './search.ts'

// What the console and machines ask, and what they are answered; told in prose in docs/api.md. The OpenAPI document is made of ENDPOINTS;
// what each page's questions and answers are made of stands in a file per page.

/** Of the purpose before it is percent-encoded. */
export const MAX_PURPOSE_LENGTH = 200

export * from './api-approvals.ts'
export * from './api-bundles.ts'
export * from './api-cases.ts'
export * from './api-catalog.ts'
export * from './api-custody.ts'
export * from './api-events.ts'
export {
  API_BASE,
  CSRF_HEADER,
  PURPOSE_HEADER,
  type SessionState,
  SIGN_IN_FRAGMENT,
} from './api-names.ts'
export { CatalogLag, ProblemDetails } from './api-parts.ts'
export * from './api-policies.ts'
export * from './api-search.ts'
export * from './api-sessions.ts'
export * from './api-sign-in.ts'
export * from './api-tapes.ts'

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
  custody: {
    method: 'get',
    path: '/custody',
    summary: 'Who did what with evidence, newest first; of one session, or (auditor, admin) of everything',
    access: 'investigator',
    query: CustodyQuery,
    answer: CustodyPage,
  },
  ledgerState: {
    method: 'get',
    path: '/ledger',
    summary: 'How far the ledger is signed, and the legal holds it has',
    access: 'auditor',
    answer: LedgerState,
  },
  policy: {
    method: 'get',
    path: '/policy',
    summary: 'The policy in force, those before it, and what its rules hit in the last 7 days',
    access: 'auditor',
    answer: PolicyState,
  },
  policyText: {
    method: 'get',
    path: '/policies/{hash}',
    summary: 'The text of a policy that was in force',
    access: 'auditor',
    answer: PolicyText,
  },
  tryPolicy: {
    method: 'post',
    path: '/policy/try',
    summary: 'What the policy says of a command; nothing is sent anywhere',
    access: 'auditor',
    body: PolicyTrial,
    answer: PolicyTried,
  },
  cases: { method: 'get', path: '/cases', summary: 'Cases, changed last first', access: 'investigator', answer: CaseList },
  createCase: {
    method: 'post',
    path: '/cases',
    summary: 'Begin a case',
    access: 'investigator',
    body: CaseAsk,
    answer: CaseView,
    status: 201,
  },
  caseView: {
    method: 'get',
    path: '/cases/{id}',
    summary: 'One case; `mine` is one’s own bookmarks',
    access: 'investigator',
    answer: CaseView,
  },
  changeCase: {
    method: 'post',
    path: '/cases/{id}/changes',
    summary: 'Add to it, take out of it, note, rename, close, open again',
    access: 'investigator',
    body: CaseChange,
    answer: CaseView,
  },
  bookmarks: {
    method: 'get',
    path: '/sessions/{id}/bookmarks',
    summary: 'What of this session is in cases',
    access: 'investigator',
    answer: SessionBookmarks,
  },
  savedSearches: {
    method: 'get',
    path: '/saved-searches',
    summary: 'One’s own saved searches, and those that others share',
    access: 'viewer',
    answer: SavedSearches,
  },
  saveSearch: {
    method: 'post',
    path: '/saved-searches',
    summary: 'Save a search',
    access: 'viewer',
    body: SavedSearchAsk,
    answer: SavedSearches,
    status: 201,
  },
  removeSearch: {
    method: 'post',
    path: '/saved-searches/{id}/removal',
    summary: 'Remove one’s own',
    access: 'viewer',
    answer: SavedSearches,
  },
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
    summary: 'What detectors found: open and severe first',
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
  catalog: {
    method: 'get',
    path: '/catalog',
    summary: 'How much the catalog has, and how far behind the tapes it is',
    access: 'auditor',
    answer: CatalogStatus,
  },
  catalogSessions: {
    method: 'get',
    path: '/catalog/sessions',
    summary: 'The sessions the catalog has, to be compared with ledger and store',
    access: 'auditor',
    query: CatalogSessionsQuery,
    answer: CatalogSessions,
  },
  rebuildCatalog: {
    method: 'post',
    path: '/catalog/rebuild',
    summary: 'Drop the catalog and read it from the tapes again, in the background',
    access: 'admin',
    answer: CatalogStatus,
    status: 202,
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
  screen: {
    method: 'get',
    path: '/sessions/{id}/screen',
    summary: 'A kept screen of one of its terminals, to go on from',
    access: 'investigator',
    query: ScreenQuery,
    answer: ScreenAnswer,
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
  summarise: {
    method: 'post',
    path: '/sessions/{id}/summary',
    summary: 'Have the configured model write a summary; masked text of it leaves for that',
    access: 'investigator',
    answer: SummaryText,
  },
  noteVerification: {
    method: 'post',
    path: '/sessions/{id}/verification',
    summary: 'Note in the ledger what one’s own verification of its tape came to',
    access: 'investigator',
    body: VerificationNote,
    answer: VerificationNoted,
  },
  trust: { method: 'get', path: '/trust', summary: 'Public keys of the gateways', access: 'signed-in', answer: Trust },
  ...APPROVAL_ENDPOINTS,
  events: { method: 'get', path: '/events', summary: 'What changes, as it changes', access: 'viewer', answer: 'events' },
  health: { method: 'get', path: '/healthz', summary: 'Whether it serves', access: 'anyone', answer: Health },
  openapi: { method: 'get', path: '/openapi.json', summary: 'This document', access: 'anyone', answer: 'document' },
} as const satisfies Readonly<Record<string, Endpoint>>
export type EndpointName = keyof typeof ENDPOINTS

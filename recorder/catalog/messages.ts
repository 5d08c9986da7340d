import type {
  CatalogLag,
  CatalogSessions,
  CatalogSessionsQuery,
  RuleHits,
  SessionProgress,
  SessionQuery,
  SessionRow,
  StatementPage,
  StatementQuery,
} from '../../schemas/api.ts'
import type { Finding, FindingQuery, FindingRow, FindingsConfig } from '../../schemas/findings.ts'
import type { PullQuery, PullTotal, SearchQuery } from '../../schemas/search.ts'
import type { Keyframe } from '../../schemas/views/keyframes.ts'
import type { Disposition } from '../findings/finding-rows.ts'
import type { Explained, FindingNews } from '../findings/watch.ts'
import type { StorePlace } from '../store/places.ts'
import type { DatabasePlace } from './database.ts'
import type { SessionExtra } from './digest.ts'
import type { Found, Seeker } from './search.ts'

// What the catalog's thread and the others say to each other.

export type CatalogSession = SessionRow & SessionExtra

/** Names of the targets whose sessions are looked for; null for all. */
export type Scope = readonly string[] | null

export interface Calls {
  sessions(query: SessionQuery, scope: Scope): { readonly sessions: readonly SessionRow[]; readonly next: string | null }
  session(id: string): CatalogSession | null
  /** How many of these the catalog has. */
  countSessions(ids: readonly string[]): number
  statements(session: string, query: StatementQuery): Omit<StatementPage, 'lag'>
  keyframe(session: string, channel: number, seq: number): Keyframe | null
  narrate(session: CatalogSession): readonly string[]
  topPulls(query: PullQuery, scope: Scope): readonly PullTotal[]
  search(query: SearchQuery, seeker: Seeker): Found
  ruleHits(from: string): readonly RuleHits[]
  findings(query: FindingQuery, scope: Scope): { readonly findings: readonly FindingRow[]; readonly next: string | null }
  finding(id: string): Finding | null
  explain(id: string): Explained | null
  putDisposition(disposition: Disposition): void
  findingTold(id: string): void
  /** Resolves once everything that is in the catalog has been looked through. */
  scan(): void
  /** There is more of these in the store. */
  grew(ids: readonly string[]): void
  /** Resolves once every tape has been read to where it ended at the call. */
  settle(): void
  /** Drops the schema `catalog` and reads every tape again. */
  rebuild(): void
  /** The same, but resolves once the reading has begun. */
  beginRebuild(): void
  count(): number
  entries(query: CatalogSessionsQuery): CatalogSessions['sessions']
  close(): void
}
export type CallName = keyof Calls

export type Change =
  | { readonly change: 'opened'; readonly row: SessionRow }
  | { readonly change: 'progress'; readonly target: string; readonly progress: Omit<SessionProgress, 'objects'> }
  | { readonly change: 'closed'; readonly row: SessionRow }
  /** Told again until it is marked as told. */
  | ({ readonly change: 'finding' } & FindingNews)

export interface Question {
  readonly id: number
  readonly call: CallName
  readonly args: readonly unknown[]
}

/** Nobody waits for the answer to that question any more. */
export interface Left {
  readonly left: number
}

export type FromThread =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly code: string | undefined; readonly message: string }
  | { readonly kind: 'lag'; readonly lag: CatalogLag }
  | { readonly kind: 'change'; readonly change: Change }
  /** Something that is ours to mend; no text of traffic. */
  | { readonly kind: 'problem'; readonly message: string }

export interface ThreadData {
  readonly store: StorePlace
  /** Folder of the gateways' public keys: entries of the ledger that none of them has signed do not count. */
  readonly keys: string
  readonly database: DatabasePlace
  /** The installation's own: keys what stands for masked rows in the catalog. */
  readonly secret: string
  /** What is a finding. */
  readonly findings: FindingsConfig
  /** Whole months that ended longer ago are not kept; everything, where it is not given. */
  readonly keepDays?: number
  /** Module that exports `describers`. */
  readonly describers: string
}

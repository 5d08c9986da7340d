import { type Static, Type } from 'typebox'
import { Count, closed, DateTime, oneOf } from './api-parts.ts'

/** What is gathered: a frame (a bookmark), a session, a finding. */
export const CASE_ITEM_KINDS = ['frame', 'session', 'finding'] as const
export const CASE_STATES = ['open', 'closed'] as const
/** Of a note, a title, a reason. */
const Words = (most: number) => Type.String({ minLength: 1, maxLength: most })

const place = {
  session: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  frame: Type.Optional(Count),
  /** Of the frame's result. */
  row: Type.Optional(Count),
  finding: Type.Optional(Type.String({ pattern: '^F-[0-9A-Z]{10}$' })),
}

export const CaseItem = Type.Object({
  /** Names it within its case. */
  n: Count,
  kind: oneOf(CASE_ITEM_KINDS),
  ...place,
  note: Type.String(),
  by: Type.String(),
  at: DateTime,
  /** false: it is of a target that this reader may not see, and says nothing here. */
  shown: Type.Boolean(),
})
export type CaseItem = Static<typeof CaseItem>

export const CaseRow = Type.Object({
  id: Type.String(),
  title: Type.String(),
  state: oneOf(CASE_STATES),
  by: Type.String(),
  createdAt: DateTime,
  changedAt: DateTime,
  items: Count,
  /** Somebody's own bookmarks, which nobody else sees. */
  own: Type.Boolean(),
})
export type CaseRow = Static<typeof CaseRow>
/** Changed last first; one's own bookmarks before them. */
export const CaseList = Type.Object({ cases: Type.Array(CaseRow) })
export type CaseList = Static<typeof CaseList>

export const CaseView = Type.Object({
  ...CaseRow.properties,
  items: Type.Array(CaseItem),
  /** Oldest first. */
  notes: Type.Array(Type.Object({ by: Type.String(), at: DateTime, text: Type.String() })),
  may: Type.Object({ change: Type.Boolean() }),
})
export type CaseView = Static<typeof CaseView>

export const CaseAsk = Type.Object({ title: Words(200) }, closed)
export type CaseAsk = Static<typeof CaseAsk>

export const CaseChange = Type.Union([
  Type.Object(
    { act: Type.Literal('add'), kind: oneOf(CASE_ITEM_KINDS), ...place, note: Type.Optional(Type.String({ maxLength: 2_000 })) },
    closed,
  ),
  Type.Object({ act: Type.Literal('remove'), n: Count }, closed),
  Type.Object({ act: Type.Literal('note'), text: Words(5_000) }, closed),
  Type.Object({ act: Type.Literal('rename'), title: Words(200) }, closed),
  Type.Object({ act: Type.Literal('close'), reason: Words(2_000) }, closed),
  Type.Object({ act: Type.Literal('reopen'), reason: Words(2_000) }, closed),
])
export type CaseChange = Static<typeof CaseChange>

/** Bookmarks of one session, of all cases one may see, by frame. */
export const SessionBookmarks = Type.Object({
  bookmarks: Type.Array(Type.Object({ case: Type.String(), title: Type.String(), item: CaseItem })),
})
export type SessionBookmarks = Static<typeof SessionBookmarks>

export const SAVED_PAGES = ['sessions', 'search'] as const
export const SavedSearch = Type.Object({
  id: Type.String(),
  name: Type.String(),
  page: oneOf(SAVED_PAGES),
  filter: Type.String(),
  by: Type.String(),
  shared: Type.Boolean(),
  at: DateTime,
  may: Type.Object({ remove: Type.Boolean() }),
})
export type SavedSearch = Static<typeof SavedSearch>
export const SavedSearches = Type.Object({ searches: Type.Array(SavedSearch) })
export type SavedSearches = Static<typeof SavedSearches>
export const SavedSearchAsk = Type.Object(
  { name: Words(100), page: oneOf(SAVED_PAGES), filter: Words(2_000), shared: Type.Boolean() },
  closed,
)
export type SavedSearchAsk = Static<typeof SavedSearchAsk>

import { type Static, Type } from 'typebox'
import { CatalogLag, Cursor, orNull } from './api-parts.ts'
import { Finding, FindingRow } from './findings.ts'
import { PullTotal, SearchFacets, SearchHit } from './search.ts'

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

/** Open and severe first. `next` asks for the following page; null at the end. */
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

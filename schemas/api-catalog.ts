import { type Static, Type } from 'typebox'
import { SESSION_STATES } from './api-names.ts'
import { CatalogLag, Count, closed, oneOf, orNull } from './api-parts.ts'

/** How much the catalog has, and how far behind it is. `keptFrom`: the first month it keeps sessions of, `202611`; null where it keeps all. */
export const CatalogStatus = Type.Object({ lag: CatalogLag, sessions: Count, keptFrom: orNull(Type.String()) })
export type CatalogStatus = Static<typeof CatalogStatus>

export const CatalogSessionsQuery = Type.Object(
  {
    after: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9-]{1,100}$', description: 'The last id of the page before' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 10_000 })),
  },
  closed,
)
export type CatalogSessionsQuery = Static<typeof CatalogSessionsQuery>
/** By their ids; as many as were asked for, or the last ones. */
export const CatalogSessions = Type.Object({
  sessions: Type.Array(Type.Object({ id: Type.String(), state: oneOf(SESSION_STATES), frames: Count })),
})
export type CatalogSessions = Static<typeof CatalogSessions>

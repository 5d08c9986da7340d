import { CatalogSessionsQuery, type CatalogStatus } from '../../schemas/api.ts'
import { queryOf } from './check.ts'
import type { Handlers } from './context.ts'
import { note, purposeOf } from './notes.ts'
import type { ApiParts } from './parts.ts'

export const catalogRoutes: Handlers<'catalog' | 'catalogSessions' | 'rebuildCatalog'> = {
  catalog: (_asked, { parts }) => statusOf(parts),

  async catalogSessions({ request, viewer }, { parts }) {
    const query = queryOf(request, CatalogSessionsQuery)
    const sessions = await parts.catalog.entries(query)
    const seen = { type: 'evidence.search', what: 'catalog', query: { ...query }, found: sessions.length } as const
    await note(parts, viewer.identity, { ...seen, ...purposeOf(request) })
    return { sessions }
  },

  async rebuildCatalog({ request, viewer }, { parts }) {
    await note(parts, viewer.identity, { type: 'catalog.rebuild', ...purposeOf(request) })
    await parts.catalog.beginRebuild()
    return statusOf(parts)
  },
}

async function statusOf({ catalog }: ApiParts): Promise<CatalogStatus> {
  return { lag: catalog.lag, sessions: await catalog.count(), keptFrom: catalog.keptFrom }
}

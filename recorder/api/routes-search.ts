import { PullQuery, SearchQuery } from '../../schemas/search.ts'
import { queryOf } from './check.ts'
import { askerOf, type Handlers } from './context.ts'
import { note, purposeOf } from './notes.ts'
import { hasRole } from './viewer.ts'

export const searchRoutes: Handlers<'search' | 'pulls'> = {
  async search({ request, response, viewer }, { parts }) {
    const query = queryOf(request, SearchQuery)
    const purpose = purposeOf(request)
    // What was answered is evidence; a viewer sees what was asked.
    const seeker = { scope: viewer.scope, results: hasRole(viewer, 'investigator') }
    const { hits, next, facets } = await parts.catalog.search(query, seeker, askerOf(response, viewer))
    const seen = { type: 'evidence.search', what: 'search', query: { ...query }, found: hits.length, ...purpose } as const
    await note(parts, viewer.identity, seen)
    return { hits, next, facets, lag: parts.catalog.lag }
  },

  async pulls({ request, viewer }, { parts }) {
    const query = queryOf(request, PullQuery)
    const purpose = purposeOf(request)
    const pulls = await parts.catalog.topPulls(query, viewer.scope)
    const seen = { type: 'evidence.search', what: 'pulls', query: { ...query }, found: pulls.length, ...purpose } as const
    await note(parts, viewer.identity, seen)
    return { pulls, lag: parts.catalog.lag }
  },
}

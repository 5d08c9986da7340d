import { Kill, type SessionDetail, SessionQuery, StatementQuery } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { bodyOf, queryOf } from './check.ts'
import { askerOf, type Handlers, sessionOf, unknownSession } from './context.ts'
import { note, purposeOf } from './notes.ts'
import { hasRole, mayAct } from './viewer.ts'

export const sessionRoutes: Handlers<'sessions' | 'session' | 'statements' | 'kill'> = {
  async sessions({ request, response, viewer }, { parts }) {
    const query = queryOf(request, SessionQuery)
    const purpose = purposeOf(request)
    const { sessions, next } = await parts.catalog.sessions(query, viewer.scope, askerOf(response, viewer))
    await note(parts, viewer.identity, { type: 'evidence.search', query: { ...query }, found: sessions.length, ...purpose })
    return { sessions, next, lag: parts.catalog.lag }
  },

  async session(asked, context) {
    const { id } = await sessionOf(asked, context)
    const row = await context.parts.catalog.session(id)
    if (row === null) throw unknownSession()
    await note(context.parts, asked.viewer.identity, {
      type: 'evidence.view',
      session: id,
      what: 'session',
      ...purposeOf(asked.request),
    })
    const acts = mayAct(asked.viewer, row.target.name)
    const may = { read: hasRole(asked.viewer, 'investigator'), kill: row.state === 'live' && acts }
    const narrative = [...(await context.parts.catalog.narrate(row))]
    const host = acts ? context.parts.summaries?.host : undefined
    return { ...row, may, narrative, ...(host === undefined ? {} : { summaryBy: host }) } satisfies SessionDetail
  },

  async statements(asked, context) {
    const { parts } = context
    const { id } = await sessionOf(asked, context)
    const query = queryOf(asked.request, StatementQuery)
    const { statements, next } = await parts.catalog.statements(id, query)
    const [first, last] = [statements[0]?.frame, statements.at(-1)?.frame]
    await note(parts, asked.viewer.identity, {
      type: 'evidence.view',
      session: id,
      what: 'statements',
      ...(first === undefined || last === undefined ? {} : { first, last }),
      ...purposeOf(asked.request),
    })
    return { statements, next, lag: parts.catalog.lag }
  },

  async kill(asked, context) {
    const { parts } = context
    const { id, target } = await sessionOf(asked, context)
    const { reason } = bodyOf(asked.request, Kill)
    if (!mayAct(asked.viewer, target))
      throw new ApplianceError('API_FORBIDDEN', 'ending sessions needs the role admin, or investigator and a group of the target')
    const { identity } = asked.viewer
    await note(parts, identity, { type: 'session.kill', session: id, reason: reason.toWellFormed() })
    if (!(await parts.kill(id, identity.subject, reason)))
      throw new ApplianceError('API_CONFLICT', `session ${id} does not run any more`)
    return { session: id, killed: true }
  },
}

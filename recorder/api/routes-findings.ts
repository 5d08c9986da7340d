import type { FindingView } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { DispositionAsk, type Finding, FindingQuery } from '../../schemas/findings.ts'
import { findingInScope, isWhole } from '../findings/in-scope.ts'
import { bodyOf, queryOf } from './check.ts'
import type { Asked, Context, Handlers } from './context.ts'
import { note, purposeOf } from './notes.ts'
import { Rate } from './rate.ts'
import type { Viewer } from './viewer.ts'

/** A detector looks through a week: a person reads what it says. */
const PER_IDENTITY = { perSecond: 0.5, burst: 10 }
const explains = new Rate(PER_IDENTITY)
/** Who waits for one. */
const explaining = new Set<string>()

export const findingRoutes: Handlers<'findings' | 'finding' | 'explainFinding' | 'disposeFinding'> = {
  async findings({ request, viewer }, { parts }) {
    const query = queryOf(request, FindingQuery)
    const purpose = purposeOf(request)
    const { findings, next } = await parts.catalog.findings(query, viewer.scope)
    const seen = { type: 'evidence.search', what: 'findings', query: { ...query }, found: findings.length, ...purpose } as const
    await note(parts, viewer.identity, seen)
    return { findings, next, lag: parts.catalog.lag }
  },

  async finding(asked, context) {
    const finding = await found(asked, context)
    await look(asked, context, 'finding')
    return viewOf(finding, asked.viewer)
  },

  async explainFinding(asked, context) {
    const { id } = await found(asked, context)
    const { subject } = asked.viewer.identity
    const retryAfterS = explaining.has(subject) ? 1 : explains.take(subject)
    if (retryAfterS > 0)
      throw new ApplianceError('API_LIMITED', `detectors run again one at a time; try again in ${retryAfterS} s`)
    explaining.add(subject)
    try {
      await look(asked, context, 'finding, explained')
      const explained = await context.parts.catalog.explain(id)
      const finding = explained === null ? undefined : findingInScope(explained.finding, asked.viewer.scope)
      if (explained === null || finding === undefined) throw unknown()
      return { ...explained, finding }
    } finally {
      explaining.delete(subject)
    }
  },

  async disposeFinding(asked, context) {
    const { parts } = context
    const finding = await found(asked, context)
    const { id } = finding
    const { state, reason } = bodyOf(asked.request, DispositionAsk)
    const { acts } = asked.viewer
    if (acts?.length === 0) throw new ApplianceError('API_FORBIDDEN', 'judging findings needs the role investigator or admin')
    if (!mayJudge(finding, asked.viewer))
      throw new ApplianceError(
        'API_FORBIDDEN',
        'this finding rests on other targets too; it is judged by an admin, or an investigator of all of them',
      )
    const { identity } = asked.viewer
    await note(parts, identity, { type: 'finding.dispose', finding: id, state, reason: reason.toWellFormed() })
    await parts.catalog.putDisposition({ finding: id, state, by: identity.subject, reason, at: new Date().toISOString() })
    return viewOf(await found(asked, context), asked.viewer)
  },
}

/** All of it. One answer for what is not there and what is of other targets. */
async function found({ request, viewer }: Asked, { parts }: Context): Promise<Finding> {
  const id = String(request.params['id'])
  const finding = /^F-[0-9A-Z]{10}$/.test(id) ? await parts.catalog.finding(id) : null
  if (finding === null || findingInScope(finding, viewer.scope) === undefined) throw unknown()
  return finding
}

async function look({ request, viewer }: Asked, { parts }: Context, what: string): Promise<void> {
  const object = String(request.params['id'])
  await note(parts, viewer.identity, { type: 'evidence.view', what, object, ...purposeOf(request) })
}

/** Whoever judges answers for all of it. */
function mayJudge(finding: Finding, { acts }: Pick<Viewer, 'acts'>): boolean {
  return acts?.length !== 0 && isWhole(finding, acts)
}

function viewOf(finding: Finding, viewer: Viewer): FindingView {
  const shown = findingInScope(finding, viewer.scope)
  if (shown === undefined) throw unknown()
  return { ...shown, may: { dispose: mayJudge(finding, viewer) } }
}

function unknown(): ApplianceError {
  return new ApplianceError('API_UNKNOWN', 'there is no such finding that you may see')
}

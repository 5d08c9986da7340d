import { setTimeout as wait } from 'node:timers/promises'
import type { ServerEvent, SessionProgress, SessionRow, SessionState } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Change } from '../catalog/catalog.ts'
import type { ListedApproval } from '../desk/desk.ts'
import { rowInScope } from '../findings/in-scope.ts'
import { type Context, type Handlers, sessionOf } from './context.ts'
import type { Now } from './event-hub.ts'
import { note, purposeOf } from './notes.ts'
import type { ApiParts } from './parts.ts'
import { approvalView, mayKnow } from './routes-approvals.ts'
import { tapeObjects } from './tape-objects.ts'
import { hasRole, maySee, type Viewer, viewerNow } from './viewer.ts'

/** How soon a desk that could not be read is read again. */
const LOOK_AGAIN_MS = 5_000

export const eventRoutes: Handlers<'events' | 'live'> = {
  async events({ request, response, viewer }, context) {
    await note(context.parts, viewer.identity, { type: 'evidence.follow', what: 'events', ...purposeOf(request) })
    context.hub.open(response, viewer, { lastId: request.get('last-event-id'), now: following(viewer, context) })
    return undefined
  },

  async live(asked, context) {
    const { request, response, viewer } = asked
    const { parts, hub } = context
    const { id, target } = await sessionOf(asked, context)
    await note(parts, viewer.identity, { type: 'evidence.follow', what: 'session', session: id, ...purposeOf(request) })
    const row = await parts.catalog.session(id)
    const first: ServerEvent[] = row === null ? [] : [{ event: 'progress', data: await progressOf(parts, row) }]
    if (row !== null && row.state !== 'live') first.push({ event: 'closed', data: row })
    hub.open(response, viewer, {
      session: id,
      first,
      now: following(viewer, context, (now) => hasRole(now, 'investigator') && maySee(now, target)),
      accepts: (event) =>
        (event.event === 'progress' && event.data.session === id) || (event.event === 'closed' && event.data.id === id),
      ends: (event) => event.event === 'closed',
    })
    return undefined
  },
}

/** Tells the hub of what the catalog and the desk notice, until the signal aborts. */
export async function feedHub(
  { parts, hub }: Pick<Context, 'parts' | 'hub'>,
  signal: AbortSignal,
  lookAgainMs = LOOK_AGAIN_MS,
): Promise<void> {
  const unsubscribe = parts.catalog.onChange((change) => {
    publish(change, { parts, hub }).catch((error: unknown) => parts.onError(error))
  })
  try {
    for (let failed = false; !signal.aborted; ) {
      try {
        if (failed) {
          await parts.desk.list()
          // What changed meanwhile is told by nobody.
          hub.publish(() => ({ event: 'reset', data: {} }))
        }
        failed = false
        for await (const approval of parts.desk.watch(signal)) hub.publish((viewer) => approvalEvent(viewer, approval))
      } catch (error) {
        failed = true
        if (!signal.aborted) parts.onError(error)
        await wait(lookAgainMs, undefined, { signal }).catch(() => undefined)
      }
    }
  } finally {
    unsubscribe()
  }
}

async function publish(change: Change, { parts, hub }: Pick<Context, 'parts' | 'hub'>): Promise<void> {
  switch (change.change) {
    case 'opened':
    case 'closed': {
      const event: ServerEvent = { event: change.change, data: change.row }
      hub.publish((viewer) => (maySee(viewer, change.row.target.name) ? event : undefined))
      return
    }
    case 'progress': {
      const { target, progress } = change
      // Only who follows it fetches its tape; looking for objects is work, and with a store elsewhere a request that is paid for.
      const objects = hub.follows(progress.session) ? await segmentsOf(parts, progress.session, progress.state) : []
      const event: ServerEvent = { event: 'progress', data: { ...progress, objects } }
      hub.publish((viewer) => (maySee(viewer, target) ? event : undefined))
      return
    }
    case 'finding': {
      const { row, sessionIds } = change
      const { id: finding, detector, version, severity, summary } = row
      // Before anybody sees it; what the ledger has not is told again.
      await parts.ledger.append({
        type: 'finding',
        finding,
        detector,
        version: String(version),
        severity,
        sessionIds: [...sessionIds],
        summary,
      })
      await parts.catalog.findingTold(finding)
      hub.publish((viewer): ServerEvent | undefined => {
        const data = hasRole(viewer, 'investigator') ? rowInScope(row, viewer.scope) : undefined
        return data === undefined ? undefined : { event: 'finding', data }
      })
      return
    }
    default:
      change satisfies never
  }
}

async function progressOf(parts: ApiParts, row: SessionRow): Promise<SessionProgress> {
  const { id: session, state, frames, durationUs, statements, rows, bytesOut, masked, verdicts } = row
  return {
    session,
    state,
    frames,
    durationUs,
    statements,
    rows,
    bytesOut,
    masked,
    verdicts,
    objects: await segmentsOf(parts, session, state),
  }
}

async function segmentsOf({ store }: ApiParts, session: string, state: SessionState): Promise<SessionProgress['objects']> {
  try {
    return (await tapeObjects(store, session, state)).filter(({ kind }) => kind === 'segment')
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return []
    throw error
  }
}

function approvalEvent(viewer: Viewer, approval: ListedApproval): ServerEvent | undefined {
  return mayKnow(viewer, approval) ? { event: 'approval', data: approvalView(viewer, approval) } : undefined
}

/** Who follows is asked for again as long as the stream lasts: it ends with their sign-in, key or role, and shows what they may see by now. */
function following(viewer: Viewer, { parts, signIns }: Context, may: (now: Viewer) => boolean = () => true): Now {
  return async () => {
    try {
      const now = await viewerNow(viewer, parts, signIns)
      return now !== undefined && may(now) ? now : undefined
    } catch (error) {
      parts.onError(error)
      return undefined
    }
  }
}

import express, { type Express, type RequestHandler } from 'express'
import { API_BASE, ENDPOINTS, type Endpoint, type EndpointName, type Role } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { openApi } from '../../schemas/openapi.ts'
import type { Context, Handler, Handlers } from './context.ts'
import { pages } from './pages.ts'
import { problemHandler } from './problem.ts'
import { networkOf, Rate } from './rate.ts'
import { approvalRoutes } from './routes-approvals.ts'
import { bundleRoutes } from './routes-bundles.ts'
import { caseRoutes } from './routes-cases.ts'
import { catalogRoutes } from './routes-catalog.ts'
import { custodyRoutes } from './routes-custody.ts'
import { eventRoutes } from './routes-events.ts'
import { evidenceRoutes } from './routes-evidence.ts'
import { findingRoutes } from './routes-findings.ts'
import { policyRoutes } from './routes-policies.ts'
import { searchRoutes } from './routes-search.ts'
import { sessionRoutes } from './routes-sessions.ts'
import { signInRoutes } from './routes-sign-in.ts'
import { summaryRoutes } from './routes-summary.ts'
import { hostCheck, sameSite, securityHeaders } from './security.ts'
import { signInWayRoutes } from './sign-in-ways.ts'
import { slackHandlers } from './slack.ts'
import { hasRole, type Viewer, viewerOf } from './viewer.ts'

/** A reason and a key; nothing here takes more. */
const MAX_BODY_SIZE = 64 << 10
/** A page with its assets, then a replay that fetches ranges as fast as a person seeks. */
const PER_ADDRESS = { perSecond: 100, burst: 600 }
const PER_IDENTITY = { perSecond: 100, burst: 600 }
/** People mistype a few times; keys and links are beyond guessing anyway, this spares the log and the disk. */
const FAILURES_PER_ADDRESS = { perSecond: 0.2, burst: 15 }

let document: ReturnType<typeof openApi> | undefined

const HANDLERS: Handlers<EndpointName> = {
  ...signInRoutes,
  ...sessionRoutes,
  ...summaryRoutes,
  ...evidenceRoutes,
  ...bundleRoutes,
  ...custodyRoutes,
  ...policyRoutes,
  ...caseRoutes,
  ...searchRoutes,
  ...findingRoutes,
  ...catalogRoutes,
  ...approvalRoutes,
  ...eventRoutes,
  health: async (_asked, { parts }) => ({ ok: parts.catalog.lag.state !== 'failed', catalog: parts.catalog.lag }),
  openapi: async () => {
    // Made once: it is long, and anybody may ask for it.
    document ??= openApi()
    return document
  },
}

/** The API below API_BASE, and the console's pages everywhere else. `names`: hosts (with port) it goes by beside addresses. */
export function appOf(context: Context, names: ReadonlySet<string>): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  // Queries are read by their schemas.
  app.set('query parser', false)
  app.set('case sensitive routing', true)
  const perAddress = new Rate(PER_ADDRESS)
  app.use(securityHeaders(context.secure), hostCheck(names))
  app.use((request, response, next) =>
    limited(perAddress.take(networkOf(request.socket.remoteAddress ?? '')), response.set.bind(response), next),
  )
  app.use(API_BASE, api(context))
  app.use(pages(context.parts.pages))
  app.use(problemHandler((error) => context.parts.onError(error)))
  return app
}

function api(context: Context): RequestHandler {
  const router = express.Router({ caseSensitive: true, strict: true })
  const rates: Rates = { identity: new Rate(PER_IDENTITY), signIn: new Rate(FAILURES_PER_ADDRESS) }
  router.post('/slack', ...slackHandlers(context.parts.slack))
  // Before what refuses other sites' pages: browsers come back from issuers.
  router.use(signInWayRoutes(context, rates.signIn))
  router.use(sameSite, express.json({ limit: MAX_BODY_SIZE, type: 'application/json', inflate: false }))
  for (const [name, endpoint] of Object.entries(ENDPOINTS) as [EndpointName, Endpoint][])
    router[endpoint.method](
      endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      handled(name, endpoint, HANDLERS[name], context, rates),
    )
  router.use(() => {
    throw new ApplianceError('API_UNKNOWN', `the API has no such endpoint; ${API_BASE}/openapi.json lists them`)
  })
  return router
}

interface Rates {
  readonly identity: Rate
  readonly signIn: Rate
}

/** Everything but the open endpoints passes here: who asks, whether their role may, and how often. */
function handled(
  name: EndpointName,
  { access, status = 200 }: Endpoint,
  handler: Handler,
  context: Context,
  rates: Rates,
): RequestHandler {
  return async (request, response) => {
    const set = response.set.bind(response)
    if (name === 'signIn') limited(rates.signIn.take(networkOf(request.socket.remoteAddress ?? '')), set)
    const viewer = access === 'anyone' ? NOBODY : await viewerOf(request, context.parts, context.signIns, context.secure)
    if (access !== 'anyone') {
      limited(rates.identity.take(viewer.identity.subject), set)
      if (access !== 'signed-in' && !hasRole(viewer, access)) throw lacking(viewer, access)
    }
    const answer = await handler({ request, response, viewer }, context)
    // Only those that failed count: a whole team may sign in from one address.
    if (name === 'signIn') rates.signIn.giveBack(networkOf(request.socket.remoteAddress ?? ''))
    if (response.headersSent) return
    response.set('cache-control', 'no-store').status(status)
    if (answer === undefined) response.end()
    else response.json(answer)
  }
}

/** Stands for whoever asks an open endpoint, none of which looks at it. */
const NOBODY: Viewer = {
  identity: { subject: '', kind: 'human', groups: [], proof: '' },
  roles: new Set(),
  scope: [],
  acts: [],
  mayBreakGlass: false,
  me: { subject: '', kind: 'human', groups: [], roles: [], csrf: null, expiresAt: null, idleTimeoutMs: null, gateway: '' },
}

function limited(retryAfterS: number, set: (name: string, value: string) => unknown, next?: () => void): void {
  if (retryAfterS === 0) {
    next?.()
    return
  }
  set('retry-after', String(retryAfterS))
  throw new ApplianceError('API_LIMITED', `too many requests; try again in ${retryAfterS} s`)
}

function lacking(viewer: Viewer, role: Role): ApplianceError {
  return new ApplianceError('API_FORBIDDEN', `${viewer.identity.subject} needs the role ${role} for this`)
}

import express, { type Request, type RequestHandler, type Response, type Router } from 'express'
import { API_BASE, SIGN_IN_FAILED_FRAGMENT, type SignInProblem } from '../../schemas/api-names.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Context } from './context.ts'
import { note } from './notes.ts'
import type { Flow, SignInWay } from './parts.ts'
import { networkOf, type Rate } from './rate.ts'
import { seal, unseal } from './sealed.ts'
import { clientOf, cookieToken, flowCookie, setCookie, setFlowCookie, viewer } from './viewer.ts'

/** To type a password and find a telephone. */
const FLOW_MS = 10 * 60_000
/** A signed assertion with a hundred groups has some ten kilobytes. */
const MAX_FORM_SIZE = 256 << 10

/**
 * Signing in through an issuer: a browser is sent there from `/sign-in/<way>`, with a cookie of its own (SameSite=Lax, sealed) that has
 * to come back, and returns to `/sign-in/<way>/callback`. What SAML has it post from a foreign page (which takes no cookie along) is
 * checked, and the browser then asks `/callback` for itself. It is never shown a problem document: it ends at the console's first page.
 */
export function signInWayRoutes(context: Context, rate: Rate): Router {
  const router = express.Router({ caseSensitive: true, strict: true })
  for (const way of context.parts.ways) {
    router.get(
      `/sign-in/${way.id}`,
      led(context, rate, (request, response) => start(way, request, response, context)),
    )
    router.get(
      `/sign-in/${way.id}/callback`,
      led(context, rate, (request, response) => finish(way, request, response, context)),
    )
    const { accept, metadata } = way
    if (accept !== undefined) {
      const form = express.text({ limit: MAX_FORM_SIZE, type: 'application/x-www-form-urlencoded', inflate: false })
      router.post(
        `/sign-in/${way.id}/acs`,
        form,
        led(context, rate, async (request, response) => {
          const body: unknown = request.body
          const query = await accept.call(way, new URLSearchParams(typeof body === 'string' ? body : ''), context.base())
          response.redirect(303, `${context.base()}${API_BASE}/sign-in/${way.id}/callback?${query.toString()}`)
        }),
      )
    }
    if (metadata !== undefined)
      router.get(`/sign-in/${way.id}/metadata`, (_request, response) => {
        response.type('application/samlmetadata+xml').send(metadata.call(way, context.base()))
      })
  }
  return router
}

async function start(way: SignInWay, request: Request, response: Response, { parts, secure, base }: Context): Promise<void> {
  // The issuer sends people back to the one name it knows; a cookie of another would stay behind.
  if (request.headers.host?.toLowerCase() !== new URL(base()).host) {
    response.redirect(303, `${base()}${API_BASE}/sign-in/${way.id}`)
    return
  }
  const { location, flow } = await way.start(base())
  setFlowCookie(response, secure, seal(parts.flowKey, useOf(way), flow, Date.now() + FLOW_MS), FLOW_MS)
  response.redirect(303, location)
}

async function finish(way: SignInWay, request: Request, response: Response, context: Context): Promise<void> {
  const { parts, signIns, secure, base } = context
  const flow = flowOf(way, request, context)
  setFlowCookie(response, secure, '', 0)
  if (flow === undefined) throw new Late()
  const { identity, expiresMs } = await way.finish(new URL(request.originalUrl, `${base()}/`), flow, base())
  // Refuses whoever has no role, or is kept out, before there is a cookie.
  viewer(identity, parts)
  if ((await parts.people.current(identity)) === undefined)
    throw new ApplianceError('AUTH_DENIED', `${identity.subject} is kept out, whatever the issuer says`)
  await note(parts, identity, { type: 'console.sign-in', by: way.id, client: clientOf(request) })
  const { token, record } = await signIns.start(identity, expiresMs, cookieToken(request, secure))
  setCookie(response, secure, token, record.expiresMs - record.createdMs)
  response.redirect(303, `${base()}/`)
}

function flowOf(way: SignInWay, request: Request, { parts, secure }: Context): Flow | undefined {
  const sealed = flowCookie(request, secure)
  return sealed === undefined ? undefined : unseal(parts.flowKey, useOf(way), sealed, Date.now())
}

function useOf({ id }: SignInWay): string {
  return `sign-in ${id}`
}

/** Nothing was begun by this browser, or too long ago. */
class Late extends Error {}

/** Rate-limited by address like other sign-ins, and its failures told by where the browser ends. */
function led(context: Context, rate: Rate, lead: (request: Request, response: Response) => Promise<void>): RequestHandler {
  return async (request, response) => {
    const network = networkOf(request.socket.remoteAddress ?? '')
    response.set('cache-control', 'no-store')
    const retryAfterS = rate.take(network)
    if (retryAfterS > 0) {
      response.set('retry-after', String(retryAfterS))
      throw new ApplianceError('API_LIMITED', `too many sign-ins; try again in ${retryAfterS} s`)
    }
    try {
      await lead(request, response)
      rate.giveBack(network)
    } catch (error) {
      const problem = problemOf(error)
      if (problem === undefined) throw error
      if (error instanceof ApplianceError) context.parts.onDenied(clientOf(request), error.message)
      response.redirect(303, `${context.base()}/#${SIGN_IN_FAILED_FRAGMENT}=${problem}`)
    }
  }
}

function problemOf(error: unknown): SignInProblem | undefined {
  if (error instanceof Late) return 'late'
  if (!(error instanceof ApplianceError)) return undefined
  const problems: Partial<Record<typeof error.code, SignInProblem>> = {
    AUTH_DENIED: 'denied',
    AUTH_UNAVAILABLE: 'away',
    API_FORBIDDEN: 'no-role',
  }
  return problems[error.code]
}

import { isIP } from 'node:net'
import type { RequestHandler } from 'express'
import { ApplianceError } from '../../schemas/errors.ts'
import { sendProblem } from './problem.ts'

/**
 * Nothing but our own files, no inline script or style, no frames either way, no plug-ins, no forms that go anywhere. The
 * terminal of a replay is WebAssembly out of our own files, which is all that 'wasm-unsafe-eval' lets in: no text becomes script. The
 * page decompresses and verifies tapes in a worker of our own; `blob:` and `data:` images are none of script's business.
 */
const CSP = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Longer than any question this API has. */
const MAX_URL_SIZE = 8_192

export function securityHeaders(secure: boolean): RequestHandler {
  return (_request, response, next) => {
    response.set({
      'content-security-policy': CSP,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), usb=()',
      ...(secure ? { 'strict-transport-security': 'max-age=31536000' } : {}),
    })
    next()
  }
}

/**
 * Refuses requests under names that are not ours, so that no foreign page can make itself of our origin by pointing its own
 * name here (DNS rebinding). Addresses cannot be pointed elsewhere, so any will do.
 */
export function hostCheck(names: ReadonlySet<string>): RequestHandler {
  return (request, response, next) => {
    if (request.originalUrl.length > MAX_URL_SIZE) {
      sendProblem(response, 'API_INVALID', `the address is longer than ${MAX_URL_SIZE} characters`, 414)
      return
    }
    const host = request.headers.host?.toLowerCase() ?? ''
    const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
    if (name === 'localhost' || isIP(name) !== 0 || names.has(host)) next()
    else
      sendProblem(
        response,
        'API_FORBIDDEN',
        'this server is not known by the name it was asked under; set console.url to it',
        421,
      )
  }
}

/** Refuses what another site's page sends: by its Origin where there is one, else by Sec-Fetch-Site (Fetch standard; every current browser sends one). */
export const sameSite: RequestHandler = (request, _response, next) => {
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  const foreign = origin === undefined ? site === 'cross-site' || site === 'same-site' : hostOf(origin) !== host?.toLowerCase()
  if (foreign) throw new ApplianceError('API_FORBIDDEN', 'the request comes from another site’s page')
  next()
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

import type { Request, Response } from 'express'
import { CSRF_HEADER, type Me, type Role } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Identity } from '../../schemas/session.ts'
import type { Scope } from '../catalog/catalog.ts'
import type { ApiParts } from './parts.ts'
import { csrfOf, isCsrf, SIGN_IN_IDLE_MS, type SignIns } from './sign-ins.ts'

/** Who asks, and what they may see. */
export interface Viewer {
  readonly identity: Identity
  readonly roles: ReadonlySet<Role>
  /** Targets whose sessions they may see. */
  readonly scope: Scope
  /** Those of them whose sessions and findings they may do something about: an auditor's role shows more, and lets nobody touch it. */
  readonly acts: Scope
  readonly me: Me
  /** Whether they may approve alone, past the approvers. */
  readonly mayBreakGlass: boolean
  /** Of a browser; undefined for bearer keys. */
  readonly tokenHash?: string
  /** When the shown proof itself runs out, where it does. */
  readonly expiresMs?: number
}

/** `__Host-` binds a cookie to this host and path, where TLS lets it be used. */
function cookieName(secure: boolean): string {
  return secure ? '__Host-sallyport' : 'sallyport'
}

export function cookieToken(request: Request, secure: boolean): string | undefined {
  return cookieOf(request, cookieName(secure))
}

/** What a browser keeps for us while it is at an issuer: SameSite=Lax, so that it comes back with it. */
export function flowCookie(request: Request, secure: boolean): string | undefined {
  return cookieOf(request, `${cookieName(secure)}-flow`)
}

export function setFlowCookie(response: Response, secure: boolean, sealed: string, maxAgeMs: number): void {
  response.cookie(`${cookieName(secure)}-flow`, sealed, { httpOnly: true, sameSite: 'lax', secure, path: '/', maxAge: maxAgeMs })
}

function cookieOf(request: Request, name: string): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = pair.trim().split('=', 2)
    if (key === name) return value
  }
  return undefined
}

export function setCookie(response: Response, secure: boolean, token: string, maxAgeMs: number): void {
  response.cookie(cookieName(secure), token, { httpOnly: true, sameSite: 'strict', secure, path: '/', maxAge: maxAgeMs })
}

/**
 * By bearer key where one is shown, else by cookie; with a cookie everything but GET needs the CSRF token of its sign-in.
 * Groups and roles are those of now, not those of the sign-in. Rejects AUTH_REQUIRED, AUTH_DENIED, API_FORBIDDEN.
 */
export async function viewerOf(request: Request, parts: ApiParts, signIns: SignIns, secure: boolean): Promise<Viewer> {
  const bearer = /^Bearer ([^\s]{1,4096})$/i.exec(request.headers.authorization ?? '')?.[1]
  if (request.headers.authorization !== undefined) {
    if (bearer === undefined) throw new ApplianceError('AUTH_REQUIRED', 'authorization takes `Bearer <access key or token>`')
    const { identity, expiresMs } = await parts.people.prove(bearer, clientOf(request), new AbortController().signal)
    return { ...viewer(identity, parts), ...(expiresMs === undefined ? {} : { expiresMs }) }
  }
  const token = cookieToken(request, secure)
  const record = token === undefined ? undefined : await signIns.seen(token)
  if (token === undefined || record === undefined)
    throw new ApplianceError(
      'AUTH_REQUIRED',
      'nobody is signed in, or the sign-in has ended; sign in with an access key or a one-time link',
    )
  const identity = await parts.people.current(record.identity)
  if (identity === undefined) {
    await signIns.end(token)
    throw new ApplianceError('AUTH_REQUIRED', 'what this sign-in was proved with is no longer valid; sign in again')
  }
  if (request.method !== 'GET' && request.method !== 'HEAD' && !isCsrf(request.get(CSRF_HEADER), token))
    throw new ApplianceError('API_FORBIDDEN', `the header ${CSRF_HEADER} is missing or of another sign-in; ask /me for it`)
  return viewer(identity, parts, { tokenHash: record.tokenHash, csrf: csrfOf(token), expiresMs: record.expiresMs })
}

/** The same reader as they are now, for what outlives a request; undefined once they may see nothing any more. */
export async function viewerNow(
  { identity, tokenHash, expiresMs }: Viewer,
  parts: Pick<ApiParts, 'people' | 'gateway'>,
  signIns: SignIns,
): Promise<Viewer | undefined> {
  if (tokenHash !== undefined && !(await signIns.lasts(tokenHash))) return undefined
  if (expiresMs !== undefined && Date.now() >= expiresMs) return undefined
  const current = await parts.people.current(identity)
  if (current === undefined || parts.people.roles(current).length === 0) return undefined
  return {
    ...viewer(current, parts),
    ...(tokenHash === undefined ? {} : { tokenHash }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  }
}

export function viewer(
  identity: Identity,
  { people, gateway }: Pick<ApiParts, 'people' | 'gateway'>,
  browser?: { readonly tokenHash: string; readonly csrf: string; readonly expiresMs: number },
): Viewer {
  const roles = new Set(people.roles(identity))
  if (roles.size === 0)
    throw new ApplianceError(
      'API_FORBIDDEN',
      `${identity.subject} has no role at this console; console.roles says which groups have`,
    )
  const { subject, kind, groups } = identity
  return {
    identity,
    roles,
    mayBreakGlass: people.mayBreakGlass(identity),
    scope: roles.has('auditor') || roles.has('admin') ? null : people.targets(identity),
    acts: roles.has('admin') ? null : roles.has('investigator') ? people.targets(identity) : [],
    me: {
      subject,
      kind,
      groups: [...groups],
      roles: [...roles],
      csrf: browser?.csrf ?? null,
      expiresAt: browser === undefined ? null : new Date(browser.expiresMs).toISOString(),
      idleTimeoutMs: browser === undefined ? null : SIGN_IN_IDLE_MS,
      gateway,
    },
    ...(browser === undefined ? {} : { tokenHash: browser.tokenHash }),
  }
}

/** Whether somebody may do what the role may: an admin everything, an auditor what an investigator reads, everybody what a viewer sees. */
export function hasRole({ roles }: Pick<Viewer, 'roles'>, role: Role): boolean {
  if (roles.has('admin') || roles.has(role)) return true
  return role === 'viewer' ? roles.size > 0 : role === 'investigator' && roles.has('auditor')
}

/** Whether they may do what an investigator does with what is of this target; an auditor looks and touches nothing. */
export function mayAct({ acts }: Pick<Viewer, 'acts'>, target: string): boolean {
  return acts === null || acts.includes(target)
}

export function maySee({ scope }: Pick<Viewer, 'scope'>, target: string): boolean {
  return scope === null || scope.includes(target)
}

/** `address:port`. */
export function clientOf(request: Request): string {
  const { remoteAddress = '', remotePort = 0 } = request.socket
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`
}

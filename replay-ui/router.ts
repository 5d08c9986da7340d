import {
  CUSTODY_NAMES,
  type CustodyAct,
  SIGN_IN_FAILED_FRAGMENT,
  SIGN_IN_FRAGMENT,
  SIGN_IN_PROBLEMS,
  type SignInProblem,
} from '../schemas/api-names.ts'

/** A frame, and a row within it: both from 0. */
export interface FramePlace {
  readonly frame: number
  readonly row?: number
}

export type Route =
  | { readonly page: 'sessions'; readonly filter: string }
  | { readonly page: 'replay'; readonly id: string; readonly place?: FramePlace }
  | { readonly page: 'approvals'; readonly id?: string }
  | { readonly page: 'bundles' }
  | { readonly page: 'policy' }
  | { readonly page: 'search'; readonly filter: string }
  | { readonly page: 'findings'; readonly id?: string }
  | { readonly page: 'cases'; readonly id?: string }
  | { readonly page: 'compare'; readonly left: string; readonly right?: string }
  | { readonly page: 'evidence'; readonly ask: CustodyAsk }
  | { readonly page: 'unknown'; readonly path: string }

/** What an address asks for; a one-time link is not a place (`linkOf`). */
export function routeOf(url: URL): Route {
  const [first = '', second, ...more] = url.pathname.split('/').filter((part) => part !== '')
  if (first === 'compare' && second !== undefined && more.length <= 1) {
    const [left, right] = [decoded(second), more[0] === undefined ? undefined : decoded(more[0])]
    if (left !== undefined) return { page: 'compare', left, ...(right === undefined ? {} : { right }) }
  }
  if (more.length === 0) {
    if ((first === '' || first === 'sessions') && second === undefined)
      return { page: 'sessions', filter: url.searchParams.get('q') ?? '' }
    const id = second === undefined ? undefined : decoded(second)
    if (first === 'sessions' && id !== undefined) {
      const place = placeOf(url.hash)
      return { page: 'replay', id, ...(place === undefined ? {} : { place }) }
    }
    if (first === 'bundles' && second === undefined) return { page: 'bundles' }
    if (first === 'policy' && second === undefined) return { page: 'policy' }
    if (first === 'search' && second === undefined) return { page: 'search', filter: url.searchParams.get('q') ?? '' }
    if (first === 'cases') return { page: 'cases', ...(id === undefined ? {} : { id }) }
    if (first === 'evidence' && second === undefined) return { page: 'evidence', ask: custodyOf(url.searchParams) }
    if (first === 'findings') return { page: 'findings', ...(id === undefined ? {} : { id }) }
    if (first === 'approvals') return { page: 'approvals', ...(id === undefined ? {} : { id }) }
  }
  return { page: 'unknown', path: url.pathname }
}

/** `#frame=70123` or `#frame=70123.4`. */
export function placeOf(hash: string): FramePlace | undefined {
  const [, frame, row] = /^#frame=(\d{1,15})(?:\.(\d{1,15}))?$/.exec(hash) ?? []
  if (frame === undefined) return undefined
  return row === undefined ? { frame: Number(frame) } : { frame: Number(frame), row: Number(row) }
}

export function replayPath(id: string, place?: FramePlace): string {
  const at = place === undefined ? '' : `#frame=${place.frame}${place.row === undefined ? '' : `.${place.row}`}`
  return `/sessions/${encodeURIComponent(id)}${at}`
}

export function sessionsPath(filter: string): string {
  return filter === '' ? '/sessions' : `/sessions?${new URLSearchParams({ q: filter }).toString()}`
}

export function searchPath(filter: string): string {
  return filter === '' ? '/search' : `/search?${new URLSearchParams({ q: filter }).toString()}`
}

/** What the page of evidence looks at. */
export interface CustodyAsk {
  readonly session?: string
  readonly actor?: string
  readonly act?: CustodyAct
}

function custodyOf(params: URLSearchParams): CustodyAsk {
  const [session, actor, act] = [params.get('session'), params.get('actor'), params.get('act')]
  const known = (Object.keys(CUSTODY_NAMES) as CustodyAct[]).find((one) => one === act)
  return {
    ...(session === null || session === '' ? {} : { session }),
    ...(actor === null || actor === '' ? {} : { actor }),
    ...(known === undefined ? {} : { act: known }),
  }
}

export function evidencePath(ask: CustodyAsk): string {
  const query = new URLSearchParams({ ...ask }).toString()
  return query === '' ? '/evidence' : `/evidence?${query}`
}

/** The token of a one-time link. */
export function linkOf(hash: string): string | undefined {
  const [, token] = new RegExp(`^#${SIGN_IN_FRAGMENT}=([A-Za-z0-9_.~-]{1,200})$`).exec(hash) ?? []
  return token
}

/** Why somebody who came back from an issuer was not let in. */
export function failedSignIn(hash: string): SignInProblem | undefined {
  return SIGN_IN_PROBLEMS.find((problem) => hash === `#${SIGN_IN_FAILED_FRAGMENT}=${problem}`)
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

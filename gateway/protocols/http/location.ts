import type { Headers } from './head.ts'

/** How a target is reached through the gateway. */
export interface Place {
  /** In front of its paths: `/t/<target>`, or empty where it goes by a host of its own. */
  readonly prefix: string
  /** `host:port` as the target knows itself. */
  readonly authority: string
  /** In front of its paths where it knows them; empty where nothing is. */
  readonly path?: string
}

const NAMES = new Set(['location', 'content-location'])

/** Where the target points to places of its own, in the words the client can follow. Where it points elsewhere stays: that is not through us. */
export function relocated(headers: Headers, place: Place): Headers {
  return headers.map(([name, value]) => [name, NAMES.has(name.toLowerCase()) ? through(value, place) : value] as const)
}

function through(value: string, { prefix, authority, path = '' }: Place): string {
  if (value.startsWith('/') && !value.startsWith('//'))
    return isBelow(value, path) ? `${prefix}${value.slice(path.length) || '/'}` : value
  const own = [`http://${authority}`, `https://${authority}`].find((origin) => value === origin || value.startsWith(`${origin}/`))
  if (own === undefined) return value
  const place = value.slice(own.length) || '/'
  return isBelow(place, path) ? `${prefix}${place.slice(path.length) || '/'}` : value
}

function isBelow(value: string, path: string): boolean {
  return value.startsWith(path) && (path === '' || /^[/?#]?$/.test(value.slice(path.length, path.length + 1)))
}

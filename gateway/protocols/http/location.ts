import type { Headers } from './head.ts'

/** How a target is reached through the gateway. */
export interface Place {
  /** In front of its paths: `/t/<target>`, or empty where it goes by a host of its own. */
  readonly prefix: string
  /** `host:port` as the target knows itself. */
  readonly authority: string
}

const NAMES = new Set(['location', 'content-location'])

/** Where the target points to places of its own, in the words the client can follow. Where it points elsewhere stays: that is not through us. */
export function relocated(headers: Headers, place: Place): Headers {
  return headers.map(([name, value]) => [name, NAMES.has(name.toLowerCase()) ? through(value, place) : value] as const)
}

function through(value: string, { prefix, authority }: Place): string {
  if (value.startsWith('/') && !value.startsWith('//')) return `${prefix}${value}`
  const own = [`http://${authority}`, `https://${authority}`].find((origin) => value === origin || value.startsWith(`${origin}/`))
  return own === undefined ? value : `${prefix}${value.slice(own.length) || '/'}`
}

import type { Facts } from '../../../schemas/frame.ts'
import { routeOf } from './facts.ts'

/** Of a path at the most: nobody who means well has a path with more. */
const MAX_READINGS = 32
/** A path without any of these is read by all servers in one way. */
const ODD = /[%;\\#\0]|\/\/|\/\.\.?(?:\/|$)/
/** Bytes that are dots and slashes to decoders that take them in longer forms than UTF-8 has. */
const OVERLONG = /%c[01]|%e0%[89]|%f0%8/i

/** What servers make of a path, and the routers, frameworks and files behind them of what is left. */
const STEPS: readonly ((path: string) => string)[] = [
  // The whole of it, or what needs no encoding (RFC 3986, 6.2.2.2), so that `%2f` stays in a name.
  decoded,
  (path) => path.replace(/%(?:2[de]|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/gi, (code) => decoded(code)),
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replace(/\/{2,}/g, '/'),
  // As URLs are resolved, what two slashes begin with is a host.
  (path) => path.replace(/^\/{2,}[^/]*/, ''),
  (path) => path.replace(/;[^/]*/g, ''),
  withoutDots,
  (path) => path.replace(/\0.*/s, ''),
]

/**
 * Every path a server may read this one as, as it was sent first: percent-decoded, also twice, with slashes and dots taken out, backslashes as slashes,
 * parameters (`;a=1`) left out, in whatever order. Undefined for one that is not to be read, or in too many ways.
 */
export function readingsOf(path: string): readonly string[] | undefined {
  if (!ODD.test(path)) return [path]
  const found = new Set([path, path.replace(/#.*/s, '')])
  // What is added on the way is looked at as well.
  for (const each of found) {
    if (OVERLONG.test(each)) return undefined
    for (const step of STEPS) found.add(step(each) || '/')
    if (found.size > MAX_READINGS) return undefined
  }
  return [...found]
}

const NOT_READ = 'the path cannot be read for sure'
const viewed = new WeakMap<Facts, readonly Facts[] | string>()

/** The facts of a request for each way its path may be read; why not, where nobody can say. */
export function viewsOf(facts: Facts): readonly Facts[] | string {
  const { method, path, route } = facts
  if (typeof method !== 'string' || typeof path !== 'string') return [facts]
  const known = viewed.get(facts)
  if (known !== undefined) return known
  const readings = readingsOf(path)
  // Of egress a route begins with its host.
  const front = typeof route === 'string' ? route.slice(0, route.length - routeOf(path).length) : ''
  const views =
    readings?.map((each) =>
      each === path ? facts : { ...facts, path: each, ...(route === undefined ? {} : { route: `${front}${routeOf(each)}` }) },
    ) ?? NOT_READ
  viewed.set(facts, views)
  return views
}

/** `%u0061` is an `a` to some. What is no UTF-8 is Latin-1. */
function decoded(path: string): string {
  return path
    .replace(/%u([0-9a-f]{4})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/(?:%[0-9a-f]{2})+/gi, (codes) => {
      try {
        return decodeURIComponent(codes)
      } catch {
        return Buffer.from(codes.replaceAll('%', ''), 'hex').toString('latin1')
      }
    })
}

/** RFC 3986, 5.2.4. */
function withoutDots(path: string): string {
  const [first = '', ...parts] = path.split('/')
  const kept: string[] = []
  for (const [index, part] of parts.entries()) {
    const dots = part === '.' || part === '..'
    if (part === '..') kept.pop()
    if (!dots) kept.push(part)
    else if (index === parts.length - 1) kept.push('')
  }
  return [first, ...kept].join('/')
}

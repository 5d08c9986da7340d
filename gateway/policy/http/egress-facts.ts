import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import { type Asked, requestFacts, routeOf } from './facts.ts'

/** Where a request is to go. */
export interface Place {
  /** In lower case, punycode, without a dot at its end; addresses as the URL standard writes them, v6 without brackets. */
  readonly host: string
  readonly port: number
  /** Path and query, still encoded; undefined for CONNECT. */
  readonly path: string | undefined
  /** Named by an `https://` URL: only what is asked inside a tunnel that is opened here is. */
  readonly inside: boolean
}

const AUTHORITY = /^([^\s/?#@]+):(\d{1,5})$/
const ABSOLUTE = /^http(s?):\/\/([^\s/?#@]+?)(?::(\d{1,5}))?([/?][^#]*)?$/i
const HTTP_PORT = 80
const HTTPS_PORT = 443
const MAX_PORT = 65_535

/**
 * Of `host:port` for CONNECT (RFC 9112, 3.2.3), of `http://host/path` for everything else (3.2.2), of `https://` for what is asked inside a tunnel.
 * Throws PROTOCOL_MALFORMED, or PROTOCOL_UNSUPPORTED for what no forward proxy is asked.
 */
export function placeOf(method: string, target: string): Place {
  if (method === 'CONNECT') {
    const [, host, port] = AUTHORITY.exec(target) ?? malformed()
    return { host: hostOf(host), port: portOf(port), path: undefined, inside: false }
  }
  if (target.startsWith('/') || target === '*')
    throw new ApplianceError('PROTOCOL_UNSUPPORTED', 'this is a forward proxy: the request line has to name a whole http:// URL')
  const [, secure, host, port, path = '/'] = ABSOLUTE.exec(target) ?? malformed()
  const inside = secure !== ''
  return {
    host: hostOf(host),
    port: port === undefined ? (inside ? HTTPS_PORT : HTTP_PORT) : portOf(port),
    path: path.startsWith('?') ? `/${path}` : path,
    inside,
  }
}

/** `host:port`, v6 in brackets. */
export function authorityOf({ host, port }: Pick<Place, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Whether a host is on a list: by its name, below a `*.domain`, or as all are by `*`. */
export function isListed(host: string, list: readonly string[]): boolean {
  return list.some(
    (each) =>
      each === '*' || (each.startsWith('*.') ? host.endsWith(each.slice(1)) && host.length >= each.length : each === host),
  )
}

/**
 * What policy and search may look at in a request to a forward proxy. Whether a host is listed is asked of the CONNECT, once: what passes inside of its
 * tunnel is judged by what it is. Throws as `placeOf` does.
 */
export function egressFacts(asked: Asked, allow: readonly string[]): Facts {
  const { host, port, path, inside } = placeOf(asked.method, asked.target)
  const about = requestFacts({ ...asked, target: path ?? '' })
  const route = `${authorityOf({ host, port })}${path === undefined ? '' : routeOf(path.replace(/\?.*$/s, ''))}`
  return { ...about, route, host, port, ...(inside ? { intercepted: true } : { listed: isListed(host, allow) }) }
}

/** As URLs have it: an address is one in whatever way it is written (`0x7f.1`, `2130706433`). */
function hostOf(text = ''): string {
  const url = URL.parse(`http://${text}`)
  if (url === null || url.port !== '' || url.hostname === '') return malformed()
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  // `a.example..` is no other host to whoever resolves it, and would be to every rule.
  return host.split('.').includes('') && !host.includes(':') ? malformed() : host
}

function portOf(text = ''): number {
  const port = Number(text)
  return port >= 1 && port <= MAX_PORT ? port : malformed()
}

function malformed(): never {
  throw new ApplianceError('PROTOCOL_MALFORMED', 'the request line names no host and port')
}

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
}

const AUTHORITY = /^([^\s/?#@]+):(\d{1,5})$/
const ABSOLUTE = /^http:\/\/([^\s/?#@]+?)(?::(\d{1,5}))?([/?][^#]*)?$/i
const HTTP_PORT = 80
const MAX_PORT = 65_535

/**
 * Of `host:port` for CONNECT (RFC 9112, 3.2.3), of `http://host/path` for everything else (3.2.2). Throws PROTOCOL_MALFORMED, or
 * PROTOCOL_UNSUPPORTED for what no forward proxy is asked.
 */
export function placeOf(method: string, target: string): Place {
  if (method === 'CONNECT') {
    const [, host, port] = AUTHORITY.exec(target) ?? malformed()
    return { host: hostOf(host), port: portOf(port), path: undefined }
  }
  if (target.startsWith('/') || target === '*')
    throw new ApplianceError('PROTOCOL_UNSUPPORTED', 'this is a forward proxy: the request line has to name a whole http:// URL')
  if (/^https:/i.test(target))
    throw new ApplianceError('PROTOCOL_UNSUPPORTED', 'ask for https by CONNECT: nothing is encrypted in your name here')
  const [, host, port, path = '/'] = ABSOLUTE.exec(target) ?? malformed()
  return {
    host: hostOf(host),
    port: port === undefined ? HTTP_PORT : portOf(port),
    path: path.startsWith('?') ? `/${path}` : path,
  }
}

/** `host:port`, v6 in brackets. */
export function authorityOf({ host, port }: Pick<Place, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Whether a host is on the list: by its name, or below a `*.domain`. */
function isListed(host: string, allow: readonly string[]): boolean {
  return allow.some((each) =>
    each.startsWith('*.') ? host.endsWith(each.slice(1)) && host.length >= each.length : each === host,
  )
}

/** What policy and search may look at in a request to a forward proxy. Throws as `placeOf` does. */
export function egressFacts(asked: Asked, allow: readonly string[]): Facts {
  const { host, port, path } = placeOf(asked.method, asked.target)
  const about = requestFacts({ ...asked, target: path ?? '' })
  const route = `${authorityOf({ host, port })}${path === undefined ? '' : routeOf(path.replace(/\?.*$/s, ''))}`
  return { ...about, route, host, port, listed: isListed(host, allow) }
}

/** As URLs have it: an address is one in whatever way it is written (`0x7f.1`, `2130706433`). */
function hostOf(text = ''): string {
  const url = URL.parse(`http://${text}`)
  if (url === null || url.port !== '' || url.hostname === '') return malformed()
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  return host === '' ? malformed() : host
}

function portOf(text = ''): number {
  const port = Number(text)
  return port >= 1 && port <= MAX_PORT ? port : malformed()
}

function malformed(): never {
  throw new ApplianceError('PROTOCOL_MALFORMED', 'the request line names no host and port')
}

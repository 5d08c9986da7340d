import type { IncomingMessage } from 'node:http'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import { queryOf } from '../../policy/kubernetes/query.ts'
import { requestInfo } from '../../policy/kubernetes/request-info.ts'
import { shellFacts } from '../../policy/shell/facts.ts'
import type { Dialect } from '../http/dialect.ts'
import { type Headers, headerOf } from '../http/head.ts'
import type { TunnelCodec } from '../http/tunnel-message.ts'
import { ChannelSocket, EXEC_PROTOCOLS } from './channel-socket.ts'
import { SpdySocket, SpdyTunnel } from './spdy-tunnel.ts'

/** What is more than a request and its answer, by its subresource and never by its method: clients use several. */
const KINDS = new Map([
  ['pods/exec', 'exec'],
  ['pods/attach', 'attach'],
  ['pods/portforward', 'port-forward'],
])

const FORWARD_PROTOCOLS: ReadonlySet<string> = new Set(['SPDY/3.1+portforward.k8s.io'])

/** `request` where it is nothing more. */
export function kindOf({ resource }: Facts): string {
  return (typeof resource === 'string' ? KINDS.get(resource) : undefined) ?? 'request'
}

export function upgrades({ url = '', method = '', headers }: IncomingMessage): boolean {
  const to = headers.upgrade?.trim().toLowerCase()
  if (to !== 'websocket' && to !== 'spdy/3.1') return false
  const resource = requestInfo(method, url.replace(/^\/t\/[^/?]+/, ''))?.resource
  return resource !== undefined && KINDS.has(resource)
}

/** Of exec and attach: the command as a shell would be given it, what it is by that, and whether a terminal is asked for. */
export function execFacts(kind: string, target: string): Facts {
  if (kind !== 'exec' && kind !== 'attach') return {}
  const query = queryOf(target)
  // One that cannot be read is refused, whatever is in it.
  if (query === undefined) return {}
  const container = query.first('container')
  const around = {
    ...(container === undefined ? {} : { container }),
    ...(query.asks('stdin') ? { stdin: true } : {}),
    ...(query.asks('tty') ? { pty: true } : {}),
  }
  if (kind === 'attach') return around
  const command = query.all('command').map(quoted).join(' ')
  return { ...around, ...shellFacts(command), command }
}

/** A word of a command line as it stands, or in quotes where a shell would make something else of it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Without the protocols in which nothing could be looked into. */
export function understood(headers: Headers, kind: string): Headers {
  const known = kind === 'port-forward' ? FORWARD_PROTOCOLS : EXEC_PROTOCOLS
  return headers.flatMap(([name, value]): Headers => {
    if (name.toLowerCase() !== 'sec-websocket-protocol') return [[name, value]]
    const kept = value.split(',').filter((each) => known.has(each.trim()))
    return kept.length === 0 ? [] : [[name, kept.map((each) => each.trim()).join(', ')]]
  })
}

/** By what both ends agreed on. */
export function codecOf({ headers, facts, channel }: Parameters<Dialect['codec']>[0], kind: string): TunnelCodec {
  const parts = { channel, terminal: facts['pty'] === true }
  if (String(facts['upgrade']).toLowerCase() === 'spdy/3.1') return new SpdyTunnel(parts)
  const agreed = headerOf(headers, 'sec-websocket-protocol') ?? ''
  if (kind === 'port-forward' ? !FORWARD_PROTOCOLS.has(agreed) : !EXEC_PROTOCOLS.has(agreed))
    throw new ApplianceError('TARGET_REFUSED', 'the target speaks a protocol of streams that cannot be looked into')
  return kind === 'port-forward' ? new SpdySocket(parts) : new ChannelSocket(parts)
}

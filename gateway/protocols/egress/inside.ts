import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'
import { type Place, placeOf } from '../../policy/http/egress-facts.ts'
import type { Session } from '../../protocol.ts'
import { type Arrived, arrivedByHttp1 } from '../http/arrived.ts'
import { type Asked, exchange, type Way } from '../http/exchange.ts'
import { headerOf, type RequestHead } from '../http/head.ts'
import { noteRefused, onUnparsable } from '../http/refused.ts'
import { checkHead, IdleWatch, strictServer, turnOf } from '../http/strict-server.ts'
import { upgrading } from '../http/upgrade.ts'
import type { Upgraded } from '../http/upgrade-upstream.ts'
import type { Upstream } from '../http/upstream.ts'
import type { Visit } from '../http/visit.ts'
import { isWebSocket } from '../http/websocket-tunnel.ts'
import { forwarding, OURS } from './forward.ts'

/** One tunnel whose TLS is opened. */
export interface Inside {
  readonly place: Place
  readonly visit: Visit
  readonly session: Session
  readonly upstream: Upstream
  readonly upgrade: (head: RequestHead, signal: AbortSignal) => Promise<Upgraded>
  readonly onRequest: () => void
}

interface Served extends Inside {
  readonly client: TLSSocket
  /** Requests under way. */
  busy: number
  readonly idle: IdleWatch
  readonly fail: (error: unknown) => void
}

const tunnels = new WeakMap<Duplex, Served>()
let server: Server | undefined

/** Serves the requests inside of a tunnel until it is closed. Rejects with what is nobody's fault but ours. */
export async function serveInside(client: TLSSocket, inside: Inside): Promise<void> {
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  using idle = new IdleWatch(
    () => served.busy > 0,
    () => client.destroy(),
  )
  const served: Served = { ...inside, client, busy: 0, idle, fail: reject }
  client.once('close', () => resolve())
  const { signal } = inside.session
  const leave = (): void => void (served.busy === 0 && client.destroySoon())
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  tunnels.set(client, served)
  onUnparsable(client, (code, why) => noteRefused(inside.session, code, why))
  server ??= makeServer()
  server.emit('connection', client)
  client.resume()
  try {
    await closed
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** As strict as of HTTP. */
function makeServer(): Server {
  return strictServer((request, response, taken) => void answer(request, response, taken), { upgrades: isWebSocket })
}

async function answer(request: IncomingMessage, response: ServerResponse, taken?: Duplex): Promise<void> {
  const served = tunnels.get(request.socket)
  if (served === undefined) throw new Error('a request came by a connection that is none of ours')
  const { visit, session, client, upstream } = served
  served.busy++
  served.onRequest()
  try {
    const arrived = arrivedByHttp1(request)
    const target = `https://${upstream.authority}${request.url ?? '/'}`
    const wrong = refusedHead(arrived, served.busy) ?? misdirected(arrived, request.url ?? '', served)
    if (wrong === undefined && (await turnOf(response)) === false) return
    const how = wrong ?? (taken === undefined ? forwarding(through(upstream)) : upgradingTo(served, taken))
    if (wrong === undefined && arrived.expects) response.writeContinue()
    await exchange({ request: arrived, target, prefix: '' }, response, { session, visit }, how)
  } catch (error) {
    served.fail(error)
    client.destroy()
  } finally {
    served.busy--
    served.idle.touch()
    if (session.signal.aborted) client.destroySoon()
    taken?.end()
  }
}

/** By what the tunnel has already. */
function through(upstream: Upstream): Parameters<typeof forwarding>[0] {
  return () => ({ upstream, [Symbol.asyncDispose]: async () => undefined })
}

function upgradingTo({ upgrade }: Inside, socket: Duplex): How {
  return upgrading(socket, { ask: (head, { signal }) => upgrade(head, signal), ours: OURS })
}

type How = (asked: Asked, way: Way) => Promise<boolean>

function refusedHead(arrived: Arrived, busy: number): How | undefined {
  try {
    checkHead(arrived, busy)
    return undefined
  } catch (error) {
    return () => Promise.reject(error)
  }
}

/** What was let through is the host of the CONNECT: TLS and request have to name the same. Undefined where they do. */
function misdirected({ method, headers }: Arrived, url: string, { place, client, upstream }: Served): How | undefined {
  const refused = (message: string): How => {
    return async () => {
      throw new ApplianceError('TARGET_DENIED', message)
    }
  }
  const own = upstream.authority
  if (method === 'CONNECT' || !url.startsWith('/'))
    return refused(`inside a tunnel to ${own} the request line has to begin with a path`)
  const { servername } = client as { readonly servername?: string | false | null }
  if (typeof servername === 'string' && !isSame(`${servername}:${place.port}`, place))
    return refused(`the tunnel was let through to ${own}: TLS inside of it asked for another server`)
  const host = headerOf(headers, 'host')
  if (host !== undefined && !isSame(host, place))
    return refused(`the tunnel was let through to ${own}: the request inside of it names another host`)
  return undefined
}

function isSame(authority: string, { host, port }: Place): boolean {
  try {
    const named = placeOf('GET', `https://${authority}/`)
    return named.host === host && named.port === port
  } catch {
    return false
  }
}

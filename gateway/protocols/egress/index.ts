import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { EgressSettings, ListenerSettings } from '../../config.ts'
import { egressAuthority } from '../../credentials/egress-authority.ts'
import { placeOf } from '../../policy/http/egress-facts.ts'
import type { Protocol, Sessions } from '../../protocol.ts'
import { secured } from '../http/accept.ts'
import { arrivedByHttp1 } from '../http/arrived.ts'
import { exchange } from '../http/exchange.ts'
import { onUnparsable, type Refusing, tellRefused } from '../http/refused.ts'
import { Reply } from '../http/reply.ts'
import { checkHead, IdleWatch, strictServer, turnOf } from '../http/strict-server.ts'
import { Visit } from '../http/visit.ts'
import { connecting } from './connect.ts'
import { egressDialect, errorOf } from './dialect.ts'
import { forwarding, inClear } from './forward.ts'
import type { Intercepting } from './intercepted.ts'
import { Interceptor, rootsOf } from './interceptor.ts'
import { knockOf } from './knock.ts'

/** CONNECT over HTTP/2 is another thing (RFC 9113, 8.5). */
const ALPN = ['http/1.1']

interface Connection extends Refusing {
  readonly sessions: Sessions
  readonly signal: AbortSignal
  /** `address:port` of the client. */
  readonly client: string
  /** Requests under way, tunnels among them. */
  busy: number
  readonly idle: IdleWatch
  /** Told of what is nobody's fault but ours. */
  readonly fail: (error: unknown) => void
}

/** What one target lets clients reach, and how its TLS is opened; nothing is where that is undefined. */
interface Passage {
  readonly settings: EgressSettings
  readonly intercepting: Intercepting | undefined
}

/** By the names of the targets. */
type Door = ReadonlyMap<string, Passage>

/** Makes the authority where a target needs one and none is configured. Rejects CONFIG_INVALID. */
export async function doorOf(
  { egress: targets = new Map(), authority }: Pick<ListenerSettings, 'egress' | 'authority'>,
  own: { readonly keysDir: string; readonly gateway: string },
): Promise<Door> {
  const needed = [...targets.values()].some(({ intercept }) => intercept !== undefined)
  const interceptor = needed ? new Interceptor(await egressAuthority(authority, own)) : undefined
  const passages = [...targets].map(async ([name, settings]): Promise<[string, Passage]> => {
    if (settings.intercept === undefined || interceptor === undefined) return [name, { settings, intercepting: undefined }]
    return [name, { settings, intercepting: { interceptor, roots: await rootsOf(settings) } }]
  })
  return new Map(await Promise.all(passages))
}

/** A forward proxy: its clients say where they go. */
export function egress(door: Door): Protocol {
  const connections = new WeakMap<Duplex, Connection>()
  const server = makeServer(door, connections)
  return {
    name: 'egress',
    serve: async (client, sessions, signal) => {
      const socket = await secured(client, sessions.tls, signal, ALPN)
      if (socket === undefined) return
      const stop = (): void => void socket.destroy()
      signal.addEventListener('abort', stop, { once: true })
      const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
      socket.once('close', () => resolve())
      const address = socket instanceof Socket ? `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}` : ''
      using idle = new IdleWatch(
        () => connection.busy > 0,
        () => socket.destroy(),
      )
      const connection: Connection = { sessions, signal, client: address, busy: 0, idle, latest: undefined, fail: reject }
      connections.set(socket, connection)
      onUnparsable(socket, (code, why) => tellRefused(connection, code, why))
      server.emit('connection', socket)
      socket.resume()
      await closed
      signal.removeEventListener('abort', stop)
    },
  }
}

/** Upgrades in clear are declined by answering as if they had not been asked for. */
function makeServer(door: Door, connections: WeakMap<Duplex, Connection>): Server {
  const asked = (request: IncomingMessage, response: ServerResponse, tunnel?: Duplex): void => {
    const connection = connections.get(request.socket)
    if (connection === undefined) throw new Error('a request came by a connection that is none of ours')
    void answer(connection, door, { request, response, tunnel })
  }
  return strictServer(asked)
}

async function answer(
  connection: Connection,
  door: Door,
  {
    request,
    response,
    tunnel,
  }: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly tunnel: Duplex | undefined },
): Promise<void> {
  const { sessions, signal, client, fail } = connection
  const target = request.url ?? ''
  connection.busy++
  let inside = false
  try {
    const arrived = arrivedByHttp1(request)
    checkHead(arrived, connection.busy)
    if ((await turnOf(response)) === false) return
    // Before anything is opened for it.
    if (placeOf(arrived.method, target).inside)
      throw new ApplianceError('PROTOCOL_UNSUPPORTED', 'ask for https by CONNECT: nothing is encrypted in your name here')
    const { knock, run } = knockOf(arrived.headers, client)
    const { settings, intercepting } = door.get(knock.target) ?? NOWHERE
    using joined = await sessions.join(knock, run, (session) => new Visit(session, egressDialect(settings)), signal)
    const { session, state: visit } = joined
    inside = true
    connection.latest = session
    if (arrived.expects) response.writeContinue()
    const how = tunnel === undefined ? forwarding(inClear(settings)) : connecting(tunnel, { session, settings, intercepting })
    await exchange({ request: arrived, target, prefix: '' }, response, { session, visit }, how)
  } catch (error) {
    const refusal = error instanceof ApplianceError ? error : new ApplianceError('RECORDER_FAILED', 'the gateway failed')
    if (!inside) tellRefused(connection, refusal.code, refusal.message)
    await new Reply(response, signal).say(errorOf(refusal)).catch(() => response.destroy())
    if (!(error instanceof ApplianceError)) fail(error)
  } finally {
    connection.busy--
    connection.idle.touch()
    tunnel?.end()
  }
}

/** Of a target that is none: whoever asks is told so when they have proved who they are. */
const NOWHERE: Passage = { settings: { allow: [], ports: [], networks: [], ownPorts: [] }, intercepting: undefined }

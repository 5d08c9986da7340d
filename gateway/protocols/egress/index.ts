import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { EgressSettings } from '../../config.ts'
import { placeOf } from '../../policy/http/egress-facts.ts'
import type { Protocol, Sessions } from '../../protocol.ts'
import { secured } from '../http/accept.ts'
import { arrivedByHttp1 } from '../http/arrived.ts'
import { exchange } from '../http/exchange.ts'
import { headerOf } from '../http/head.ts'
import { Reply } from '../http/reply.ts'
import { Visit } from '../http/visit.ts'
import { connecting } from './connect.ts'
import { egressDialect, errorOf } from './dialect.ts'
import { forwarding } from './forward.ts'
import { knockOf } from './knock.ts'

const MAX_HEAD_BYTES = 64 * 1024
/** A connection on which nothing moves is given up. */
const SILENT_MS = 15 * 60_000
const KEEP_ALIVE_MS = 120_000
/** CONNECT over HTTP/2 is another thing (RFC 9113, 8.5). */
const ALPN = ['http/1.1']

interface Connection {
  readonly sessions: Sessions
  readonly signal: AbortSignal
  /** `address:port` of the client. */
  readonly client: string
  /** Told of what is nobody's fault but ours. */
  readonly fail: (error: unknown) => void
}

type Targets = ReadonlyMap<string, EgressSettings>

/** A forward proxy: its clients say where they go. `targets`: what each lets them reach, by its name. */
export function egress(targets: Targets): Protocol {
  const connections = new WeakMap<Duplex, Connection>()
  const server = makeServer(targets, connections)
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
      connections.set(socket, { sessions, signal, client: address, fail: reject })
      server.emit('connection', socket)
      socket.resume()
      await closed
      signal.removeEventListener('abort', stop)
    },
  }
}

function makeServer(targets: Targets, connections: WeakMap<Duplex, Connection>): Server {
  const made = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    // Upgrades in clear are declined by answering as if they had not been asked for.
    shouldUpgradeCallback: () => false,
  })
  const asked = (request: IncomingMessage, response: ServerResponse, tunnel?: Duplex): void => {
    const connection = connections.get(request.socket)
    if (connection === undefined) throw new Error('a request came by a connection that is none of ours')
    void answer(connection, targets, { request, response, tunnel })
  }
  made.on('request', (request, response) => asked(request, response))
  made.on('checkContinue', (request, response) => asked(request, response))
  made.on('connect', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
    if (first.length > 0) socket.unshift(first)
    const response = new ServerResponse(request)
    response.assignSocket(request.socket)
    asked(request, response, socket)
  })
  made.on('connection', (socket) => void socket.setTimeout(SILENT_MS, () => socket.destroy()))
  return made
}

async function answer(
  { sessions, signal, client, fail }: Connection,
  targets: Targets,
  {
    request,
    response,
    tunnel,
  }: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly tunnel: Duplex | undefined },
): Promise<void> {
  const target = request.url ?? ''
  try {
    const arrived = arrivedByHttp1(request)
    // Before anything is opened for it.
    placeOf(arrived.method, target)
    const { knock, run } = knockOf(arrived.headers, client)
    const settings = settingsOf(targets, knock.target)
    using joined = await sessions.join(knock, run, (session) => new Visit(session, egressDialect(settings)), signal)
    const { session, state: visit } = joined
    if (/^100-continue$/i.test(headerOf(arrived.headers, 'expect') ?? '')) response.writeContinue()
    const how = tunnel === undefined ? forwarding(settings) : connecting(tunnel, { session, settings })
    await exchange({ request: arrived, target, prefix: '' }, response, { session, visit }, how)
  } catch (error) {
    const refusal = error instanceof ApplianceError ? error : new ApplianceError('RECORDER_FAILED', 'the gateway failed')
    await new Reply(response, signal).say(errorOf(refusal)).catch(() => response.destroy())
    if (!(error instanceof ApplianceError)) fail(error)
  } finally {
    tunnel?.end()
  }
}

const NOTHING: EgressSettings = { allow: [], ports: [], networks: [], ownPorts: [] }

/** Of a target that is none, whoever asks is told so when they have proved who they are. */
function settingsOf(targets: Targets, name: string): EgressSettings {
  return targets.get(name) ?? NOTHING
}

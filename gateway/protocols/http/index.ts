import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Protocol, Sessions } from '../../protocol.ts'
import { secured } from './accept.ts'
import { type Arrived, arrivedByHttp1, arrivedByHttp2 } from './arrived.ts'
import { type Dialect, PLAIN } from './dialect.ts'
import { exchange } from './exchange.ts'
import { http2Session } from './http2.ts'
import { knockOf } from './knock.ts'
import { onUnparsable, type Refusing, refusedBy, tellRefused } from './refused.ts'
import { type ClientResponse, Reply } from './reply.ts'
import { checkHead, IdleWatch, MAX_HEAD_BYTES, SILENT_MS, strictServer, turnOf } from './strict-server.ts'
import { upgrading } from './upgrade.ts'
import { Visit } from './visit.ts'

interface Connection extends Refusing {
  readonly dialect: Dialect
  readonly sessions: Sessions
  readonly signal: AbortSignal
  /** `address:port` of the client. */
  readonly client: string
  /** Requests under way. */
  busy: number
  readonly idle: IdleWatch
  /** Of the sessions its requests have joined: their ends end it. */
  readonly watched: WeakSet<AbortSignal>
  /** Told of what is nobody's fault but ours. */
  readonly fail: (error: unknown) => void
  /** Ends it once what is under way is done. */
  readonly leave: () => void
  readonly closed: Promise<void>
}

/** Requests find their connection by its socket. */
const connections = new WeakMap<Duplex, Connection>()
let server: Server | undefined

/** A protocol that is spoken over HTTP. */
export function speaking(dialect: Dialect): Protocol {
  return { name: dialect.protocol, serve: (client, sessions, signal) => serve(client, { dialect, sessions }, signal) }
}

export const http: Protocol = speaking(PLAIN)

async function serve(
  client: Duplex,
  { dialect, sessions }: Pick<Connection, 'dialect' | 'sessions'>,
  signal: AbortSignal,
): Promise<void> {
  const socket = await secured(client, sessions.tls, signal)
  if (socket === undefined) return
  const stop = (): void => void socket.destroy()
  signal.addEventListener('abort', stop, { once: true })
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  socket.once('close', () => resolve())
  using idle = new IdleWatch(
    () => connection.busy > 0,
    () => connection.leave(),
  )
  const parts = {
    dialect,
    sessions,
    signal,
    client: addressOf(socket),
    busy: 0,
    idle,
    watched: new WeakSet<AbortSignal>(),
    latest: undefined,
    fail: reject,
    closed,
  }
  let connection: Connection
  if (socket instanceof TLSSocket && socket.alpnProtocol === 'h2') {
    connection = { ...parts, leave: () => session.close() }
    const limits = { maxHeadBytes: MAX_HEAD_BYTES, silentMs: SILENT_MS }
    const session = http2Session(socket, limits, {
      onRequest: (request, response) => {
        // CONNECT has none.
        void answer(connection, { request: arrivedByHttp2(request), url: request.url ?? '' }, response)
      },
      onUnread: (count) =>
        tellRefused(
          connection,
          'PROTOCOL_OVERSIZE',
          `${count} over the limits of a head or of streams at once, or against RFC 9113`,
        ),
      onError: (error) => {
        const refused = refusedBy(error)
        if (refused !== undefined) tellRefused(connection, ...refused)
      },
    })
  } else {
    server ??= makeServer()
    connection = { ...parts, leave: () => void (socket instanceof Socket ? socket.destroySoon() : socket.destroy()) }
    connections.set(socket, connection)
    onUnparsable(socket, (code, why) => tellRefused(connection, code, why))
    server.emit('connection', socket)
    socket.resume()
  }
  await closed
  signal.removeEventListener('abort', stop)
}

function makeServer(): Server {
  return strictServer((request, response, taken) => void answerHttp1(request, response, taken), {
    upgrades: (request) => connections.get(request.socket)?.dialect.upgrades(request) === true,
  })
}

async function answerHttp1(request: IncomingMessage, response: ServerResponse, taken?: Duplex): Promise<void> {
  const connection = connections.get(request.socket)
  if (connection === undefined) throw new Error('a request came by a connection that is none of ours')
  const asked = { request: arrivedByHttp1(request), url: request.url ?? '/' }
  await answer(connection, asked, response, taken === undefined ? undefined : upgrading(taken))
  taken?.end()
}

async function answer(
  connection: Connection,
  { request, url }: { readonly request: Arrived; readonly url: string },
  response: ClientResponse,
  how?: ReturnType<typeof upgrading>,
): Promise<void> {
  const { dialect, sessions, signal, client } = connection
  connection.busy++
  let inside = false
  try {
    checkHead(request, connection.busy)
    const turn = response instanceof ServerResponse ? turnOf(response) : undefined
    if (turn !== undefined && !(await turn)) return
    if (request.method === 'CONNECT')
      throw new ApplianceError('PROTOCOL_UNSUPPORTED', 'CONNECT asks for a tunnel: this is no forward proxy')
    const { knock, run, target, prefix } = knockOf({ headers: request.headers, target: url, client, protocol: dialect.protocol })
    using joined = await sessions.join(knock, run, (session) => new Visit(session, dialect), signal)
    const { session, state } = joined
    inside = true
    connection.latest = session
    endWith(session.signal, connection)
    if (request.expects) response.writeContinue()
    await exchange({ request, target, prefix }, response, { session, visit: state }, how)
    if (session.signal.aborted) connection.leave()
  } catch (error) {
    const refusal = error instanceof ApplianceError ? error : new ApplianceError('RECORDER_FAILED', 'the gateway failed')
    if (!inside) tellRefused(connection, refusal.code, refusal.message)
    const reply = new Reply(response, signal)
    await reply.say(dialect.error(refusal)).catch(() => reply.cut())
    if (!(error instanceof ApplianceError)) connection.fail(error)
  } finally {
    connection.busy--
    connection.idle.touch()
  }
}

/** Whoever comes next by this connection would only learn that its session is over. Once for each session, whatever the number of requests. */
function endWith(session: AbortSignal, connection: Connection): void {
  if (connection.watched.has(session)) return
  connection.watched.add(session)
  const close = (): void => void (connection.busy === 0 && connection.leave())
  session.addEventListener('abort', close, { once: true })
  void connection.closed.finally(() => session.removeEventListener('abort', close)).catch(() => undefined)
}

function addressOf(socket: Duplex): string {
  return socket instanceof Socket ? `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}` : ''
}

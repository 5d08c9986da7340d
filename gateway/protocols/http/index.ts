import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Protocol, Sessions } from '../../protocol.ts'
import { secured } from './accept.ts'
import { type Dialect, PLAIN } from './dialect.ts'
import { exchange } from './exchange.ts'
import { pairsOf } from './head.ts'
import { knockOf } from './knock.ts'
import { Reply } from './reply.ts'
import { upgrading } from './upgrade.ts'
import { Visit } from './visit.ts'

/** More than any client sends; what is larger is refused with 431. */
const MAX_HEAD_BYTES = 64 * 1024
/** A connection on which nothing moves is given up: no request, no body, nothing of an answer. */
const SILENT_MS = 15 * 60_000
/** Between two requests of one connection. */
const KEEP_ALIVE_MS = 120_000

interface Connection {
  readonly dialect: Dialect
  readonly sessions: Sessions
  readonly signal: AbortSignal
  /** Requests under way. */
  busy: number
  /** Of the sessions its requests have joined: their ends end it. */
  readonly watched: WeakSet<AbortSignal>
  /** Told of what is nobody's fault but ours. */
  readonly fail: (error: unknown) => void
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
  server ??= makeServer()
  const closed = new Promise<void>((resolve, reject) => {
    connections.set(socket, { dialect, sessions, signal, busy: 0, watched: new WeakSet(), fail: reject })
    socket.once('close', () => resolve())
  })
  const leave = (): void => void socket.destroy()
  signal.addEventListener('abort', leave, { once: true })
  server.emit('connection', socket)
  socket.resume()
  await closed
  signal.removeEventListener('abort', leave)
}

/** Parses strictly: what two parsers may read differently (RFC 9112, 11.2) is refused by Node's before it comes here. */
function makeServer(): Server {
  const made = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    shouldUpgradeCallback: (request) => connections.get(request.socket)?.dialect.upgrades(request) === true,
  })
  made.on('request', (request, response) => void answer(request, response))
  made.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => void answerUpgrade(request, socket, first))
  made.on('connection', (socket) => void socket.setTimeout(SILENT_MS, () => socket.destroy()))
  // Node answers what it cannot parse itself, with 400, 408 or 431, and closes.
  return made
}

async function answerUpgrade(request: IncomingMessage, socket: Duplex, first: Buffer): Promise<void> {
  if (first.length > 0) socket.unshift(first)
  const response = new ServerResponse(request)
  response.assignSocket(request.socket)
  await answer(request, response, upgrading(socket))
  socket.end()
}

async function answer(request: IncomingMessage, response: ServerResponse, how?: ReturnType<typeof upgrading>): Promise<void> {
  const connection = connections.get(request.socket)
  if (connection === undefined) throw new Error('a request came by a connection that is none of ours')
  const { dialect, sessions, signal } = connection
  connection.busy++
  try {
    const { knock, run, target, prefix } = knockOf({
      headers: pairsOf(request.rawHeaders),
      target: request.url ?? '/',
      client: addressOf(request),
      protocol: dialect.protocol,
    })
    using joined = await sessions.join(knock, run, (session) => new Visit(session, dialect), signal)
    const { session, state } = joined
    endWith(session.signal, connection, request.socket)
    await exchange({ request, target, prefix }, response, { session, visit: state }, how)
    if (session.signal.aborted) request.socket.destroySoon()
  } catch (error) {
    // Before there is a session there is no tape either: the log has it, as it has every failed proof.
    const refusal = error instanceof ApplianceError ? error : new ApplianceError('RECORDER_FAILED', 'the gateway failed')
    await new Reply(response, signal).say(dialect.error(refusal))
    if (!(error instanceof ApplianceError)) connection.fail(error)
  } finally {
    connection.busy--
  }
}

/** Whoever comes next by this connection would only learn that its session is over. Once for each session, whatever the number of requests. */
function endWith(session: AbortSignal, connection: Connection, socket: Duplex): void {
  if (connection.watched.has(session)) return
  connection.watched.add(session)
  const close = (): void => void (connection.busy === 0 && socket.destroy())
  session.addEventListener('abort', close, { once: true })
  socket.once('close', () => session.removeEventListener('abort', close))
}

function addressOf({ socket }: IncomingMessage): string {
  return `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`
}

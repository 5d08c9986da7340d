import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Arrived } from './arrived.ts'
import { isAmbiguous } from './media.ts'

/** More than any client sends; what is larger is refused with 431. */
export const MAX_HEAD_BYTES = 64 * 1024
/** As over HTTP/2; Node would drop those above a limit of its own without a word. */
const MAX_FIELDS = 256
/** Requests of one connection that are not answered yet: as over HTTP/2. */
const MAX_UNANSWERED = 128
/** A connection on which nothing moves is given up: no request, no body, nothing of an answer. */
export const SILENT_MS = 15 * 60_000
/** Between two requests of one connection. */
const KEEP_ALIVE_MS = 120_000
/** And what a head may take then, however slowly it drips: the server itself watches over that only where it listens. */
const HEAD_MS = 60_000

/** Told of every request. `taken`: the connection of one that asks for it (an upgrade, CONNECT), which is no longer read as HTTP. */
type OnRequest = (request: IncomingMessage, response: ServerResponse, taken?: Duplex) => void

/**
 * Parses strictly: what two parsers may read differently (RFC 9112, 11.2) is refused by Node's before anybody hears of it, with 400 or 431. Upgrades
 * that `upgrades` does not want are answered as if they had not been asked for, and so are expectations that are not known.
 */
export function strictServer(
  onRequest: OnRequest,
  { upgrades = () => false }: { upgrades?: (request: IncomingMessage) => boolean } = {},
): Server {
  const made = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    // Refused with the rest, where it is told of.
    requireHostHeader: false,
    shouldUpgradeCallback: upgrades,
  })
  made.maxHeadersCount = 0
  // Of the server and not of the socket: Node sets those back after each request.
  made.timeout = SILENT_MS
  const asked = (request: IncomingMessage, response: ServerResponse): void => {
    // What follows an upgrade that was declined Node's parser throws away: the connection ends with the answer, so that nobody waits for another.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false
    queue(request.socket, response)
    onRequest(request, response)
  }
  const taken = (request: IncomingMessage, socket: Duplex, first: Buffer): void => {
    if (first.length > 0) socket.unshift(first)
    const response = new ServerResponse(request)
    queue(request.socket, response)
    const take = (): void => {
      response.assignSocket(request.socket)
      onRequest(request, response, socket)
    }
    const turn = turnOf(response)
    if (turn === undefined) take()
    else void turn.then((mine) => void (mine && take()))
  }
  made.on('request', asked)
  // Sent only once it is known who asks.
  made.on('checkContinue', asked)
  // Of these two nobody would hear: Node answers the one with 417, and closes the connection of the other.
  made.on('checkExpectation', asked)
  made.on('connect', taken)
  made.on('upgrade', taken)
  return made
}

/** The response to the latest request of a connection; and what those behind another wait for. */
const latest = new WeakMap<Duplex, ServerResponse>()
const turns = new WeakMap<ServerResponse, Promise<boolean>>()

/**
 * Of a request that came before those in front of it were answered: resolves when it is its turn, false where its connection has ended by then. Answers go out in
 * that order (RFC 9112, 9.3.2), so that one that is there before it can go would only be kept: a hundred of 16 MiB by one connection. Undefined as a rule.
 */
export function turnOf(response: ServerResponse): Promise<boolean> | undefined {
  return turns.get(response)
}

function queue(socket: Duplex, response: ServerResponse): void {
  const before = latest.get(socket)
  latest.set(socket, response)
  if (before === undefined || before.writableFinished) return
  const turn = new Promise<void>((resolve) => void before.once('close', resolve)).then(() => {
    const mine = socket.writable
    // Node tells of a connection's end only the one whose turn it was.
    if (!mine) response.emit('close')
    return mine
  })
  turns.set(response, turn)
}

/** Throws PROTOCOL_MALFORMED, PROTOCOL_OVERSIZE or LIMIT_REACHED. `unanswered`: of the connection, this one among them. */
export function checkHead({ headers, fault }: Pick<Arrived, 'headers' | 'fault'>, unanswered: number): void {
  if (fault !== undefined) throw new ApplianceError('PROTOCOL_MALFORMED', fault)
  if (headers.length > MAX_FIELDS)
    throw new ApplianceError('PROTOCOL_OVERSIZE', `the head has ${headers.length} fields, ${MAX_FIELDS} are taken`)
  // Whoever judges the body by the one would miss what its target reads by the other.
  if (isAmbiguous(headers)) throw new ApplianceError('PROTOCOL_MALFORMED', 'the head says more than one type of its body')
  if (unanswered > MAX_UNANSWERED)
    throw new ApplianceError('LIMIT_REACHED', `${MAX_UNANSWERED} requests of this connection are not answered yet: wait for one`)
}

/** Closes a connection on which no request has come for too long, whether it is idle or a head drips in byte by byte. */
export class IdleWatch implements Disposable {
  readonly #timer: NodeJS.Timeout

  /** `busy`: whether a request is under way. */
  constructor(busy: () => boolean, close: () => void, limitMs = KEEP_ALIVE_MS + HEAD_MS) {
    this.#timer = setTimeout(() => {
      if (!busy()) close()
    }, limitMs).unref()
  }

  /** A request was answered. */
  touch(): void {
    this.#timer.refresh()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}

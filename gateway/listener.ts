import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { networkOf, Rate } from '../recorder/api/rate.ts'
import { ApplianceError, type ErrorCode } from '../schemas/errors.ts'
import type { ListenerSettings, Settings } from './config.ts'
import type { ListenerContext } from './credentials/listener-context.ts'
import type { Log } from './log.ts'
import type { Protocol } from './protocol.ts'
import type { GatewaySessions } from './sessions.ts'
import type { Unproved } from './unproved.ts'

/** Dead peers are noticed by the kernel's probes from here on, not only by the idle limit. */
const KEEP_ALIVE_AFTER_MS = 60_000
/** How long a connection may take to say its last words and close once it was told to go. */
const GRACE_MS = 2_000
/** Connections told to go may still be there: with them, unproved connections are at most this many times the cap. */
const WORDLESS_FACTOR = 2
/** A pool that starts opens all it has at once: so many seconds' worth. */
const BURST_SECONDS = 2
/** A flood is one line of the log each so many seconds. */
const TOLD_EVERY_S = 10
/** Lines about refused requests of one network in a row: of a broken client all are wanted. */
const REFUSED_BURST = 10

export interface ListenerParts {
  readonly settings: ListenerSettings
  readonly limits: Settings['limits']
  /** Shared by all listeners of the process: its limits are the process's. */
  readonly unproved: Unproved
  readonly context: ListenerContext
  readonly protocol: Protocol
  readonly sessions: GatewaySessions
  readonly log: Log
}

/** One open door of one protocol. Every connection is its own: what one does or throws ends that one only. */
export class Listener {
  readonly #parts: ListenerParts
  readonly #server: Server
  readonly #connections = new Map<Socket, { readonly leave: AbortController; readonly served: Promise<void> }>()
  readonly #proved = new Set<Socket>()
  /** Whose person is waited for; how many there may be is for the protocol. */
  readonly #awaiting = new Set<Socket>()
  /** Connections, by network, and lines of the log about those that were too many. */
  readonly #rate: Rate
  readonly #toldRate = new Rate({ perSecond: 1 / TOLD_EVERY_S, burst: 1 })
  readonly #refusedRate = new Rate({ perSecond: 1 / TOLD_EVERY_S, burst: REFUSED_BURST })

  private constructor(parts: ListenerParts) {
    this.#parts = parts
    parts.unproved.join(() => this.#connections.size - this.#proved.size - this.#awaiting.size)
    const { connectionsPerAddress } = parts.limits
    this.#rate = new Rate({ perSecond: connectionsPerAddress, burst: connectionsPerAddress * BURST_SECONDS })
    this.#server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
      allowHalfOpen: true,
    })
    this.#server.on('connection', (socket) => this.#accept(socket))
  }

  /** Resolves once connections are accepted. Rejects CONFIG_INVALID when the address cannot be had. */
  static async open(parts: ListenerParts): Promise<Listener> {
    const listener = new Listener(parts)
    const { host, port, protocol } = parts.settings
    try {
      await once(listener.#server.listen({ host, port }), 'listening')
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new ApplianceError('CONFIG_INVALID', `listeners.${protocol}: cannot listen on ${host}:${port}: ${why}`)
    }
    // From here on errors are about single accepts (out of file descriptors); the door stays open.
    listener.#server.on('error', (error) => parts.log.stray(error))
    const at = listener.address
    parts.log.listening({
      protocol,
      address: at.address,
      port: at.port,
      tls: parts.settings.tls.required ? 'required' : 'optional',
    })
    return listener
  }

  get protocol(): ListenerSettings['protocol'] {
    return this.#parts.settings.protocol
  }

  get address(): AddressInfo {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the listener is closed')
    return address
  }

  /** Accepts nothing more, and asks those who have not proved themselves to leave. Sessions are ended by their owner. */
  close(): void {
    this.#server.close()
    this.#parts.context[Symbol.dispose]()
    const reason = new ApplianceError('LIMIT_REACHED', 'the gateway is shutting down')
    for (const [socket, { leave }] of this.#connections) if (!this.#proved.has(socket)) leave.abort(reason)
  }

  /** Resolves when the last connection is gone. */
  async drained(): Promise<void> {
    while (this.#connections.size > 0) await Promise.all([...this.#connections.values()].map(({ served }) => served))
  }

  /** Ends what is left, without a word. */
  destroy(): void {
    for (const socket of this.#connections.keys()) socket.destroy()
  }

  #accept(socket: Socket): void {
    const { limits } = this.#parts
    const client = clientOf(socket)
    // A socket without an error listener would take the process with it; the protocol learns of errors from the stream.
    socket.on('error', () => undefined)
    const { unproved } = this.#parts
    if (client === '' || unproved.sockets >= limits.connectionsUnproved * WORDLESS_FACTOR) {
      socket.destroy()
      return
    }
    // Before TLS, whose handshakes are what a flood costs: nothing can be said to them yet.
    const network = networkOf(client)
    if (this.#rate.take(network) > 0) {
      this.#parts.log.tooMany(client, this.#toldRate.take(network) === 0)
      socket.destroy()
      return
    }
    const leave = new AbortController()
    const served = this.#serve(socket, client, leave).finally(() => this.#connections.delete(socket))
    this.#connections.set(socket, { leave, served })
  }

  /** Never rejects. */
  async #serve(socket: Socket, client: string, leave: AbortController): Promise<void> {
    const { protocol, limits, log, context, settings, sessions } = this.#parts
    let destroying: NodeJS.Timeout | undefined
    leave.signal.addEventListener('abort', () => {
      destroying = setTimeout(() => socket.destroy(), GRACE_MS)
    })
    const turnAway = (code: 'PROTOCOL_TIMEOUT' | 'LIMIT_REACHED', message: string): void => {
      log.turnedAway(client, code)
      leave.abort(new ApplianceError(code, message))
    }
    let deadline: NodeJS.Timeout | undefined
    let forget: () => void = () => undefined
    const expect = (): void => {
      deadline = setTimeout(() => {
        turnAway('PROTOCOL_TIMEOUT', `the connection did not say who it is within ${limits.handshakeTimeoutMs} ms`)
      }, limits.handshakeTimeoutMs)
      forget = this.#parts.unproved.add(networkOf(client), () => {
        turnAway('LIMIT_REACHED', 'too many connections have not yet said who they are, and this is the oldest; connect again')
      })
    }
    const trust = (): void => {
      clearTimeout(deadline)
      forget()
    }
    const onProved = (): void => {
      trust()
      this.#awaiting.delete(socket)
      this.#proved.add(socket)
    }
    const awaiting = (): Disposable => {
      trust()
      this.#awaiting.add(socket)
      return { [Symbol.dispose]: () => void (this.#awaiting.delete(socket) && !socket.destroyed && expect()) }
    }
    const refused = (code: ErrorCode, why: string): void =>
      log.requestRefused({ client, protocol: protocol.name, code, why }, this.#refusedRate.take(networkOf(client)) === 0)
    expect()
    try {
      const tls = { context: context.current, required: settings.tls.required }
      await protocol.serve(socket, sessions.at({ tls, client, onProved, awaiting, refused }), leave.signal)
      await farewell(socket)
    } catch (error) {
      // A protocol may end by the very reason it was told to leave for; anything else is a bug.
      if (error !== leave.signal.reason) log.connectionFailed(client, error)
    } finally {
      trust()
      clearTimeout(destroying)
      this.#proved.delete(socket)
      this.#awaiting.delete(socket)
      socket.destroy()
    }
  }
}

/**
 * Lets the last words arrive. What the client still sends is read and dropped meanwhile: closing over unread bytes resets the
 * connection, and a reset overtakes what was written (RFC 1122, 4.2.2.13).
 */
async function farewell(socket: Socket): Promise<void> {
  if (socket.destroyed || !socket.writableEnded) return
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), GRACE_MS)
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    if (socket.closed) resolve()
  })
  clearTimeout(timer)
}

/** `address:port`, `[v6]:port`; empty where the peer is gone already. */
function clientOf(socket: Socket): string {
  const { remoteAddress, remotePort, remoteFamily } = socket
  if (remoteAddress === undefined) return ''
  return remoteFamily === 'IPv6' ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`
}

import { createServer } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { isIPv6, type Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { appOf } from './app.ts'
import { EventHub } from './event-hub.ts'
import type { ApiParts } from './parts.ts'
import { networkOf } from './rate.ts'
import { feedHub } from './routes-events.ts'
import { SignIns } from './sign-ins.ts'

/** Against clients that send headers or bodies a byte at a time. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
const KEEP_ALIVE_MS = 30_000
const MAX_CONNECTIONS = 4_000
/** Of one network: browsers of a whole office behind one address, and not all there are for one who only holds them. */
const MAX_CONNECTIONS_PER_NETWORK = 400
/** How late a timeout is noticed; Node's own 30 s would make three of the first two. */
const CHECK_CONNECTIONS_MS = 2_000
const MAX_HEADER_SIZE = 16 << 10

/** Certificate, key and what else TLS is to be; `follow` tells of those that take their place. */
export interface ServerTls {
  readonly options: SecureContextOptions
  follow(renewed: (options: SecureContextOptions) => void): void
}

export interface ServerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly tls?: ServerTls
  /** How often streams are told that they live, and how soon a desk that could not be read is read again; each its own where left out. */
  readonly heartbeatMs?: number
  readonly headersTimeoutMs?: number
}

export interface ApiServer extends AsyncDisposable {
  readonly port: number
  /** Where people find it. */
  readonly url: string
}

/** Opens the API and console. Rejects the system's error where the address is taken. What is in `parts` stays the caller's. */
export async function openApiServer(parts: ApiParts, options: ServerOptions): Promise<ApiServer> {
  const secure = options.tls !== undefined || (parts.url?.startsWith('https:') ?? false)
  const hub = new EventHub(options.heartbeatMs)
  const signIns = new SignIns(parts.signIns, (error) => parts.onError(error))
  const names = new Set<string>()
  let found = ''
  const context = { parts, signIns, hub, secure, base: () => found, ended: new Map() }
  const app = appOf(context, names)
  const { headersTimeoutMs = HEADERS_TIMEOUT_MS } = options
  const http = {
    maxHeaderSize: MAX_HEADER_SIZE,
    connectionsCheckingInterval: Math.min(CHECK_CONNECTIONS_MS, headersTimeoutMs),
  }
  const server =
    options.tls === undefined
      ? createServer(http, app)
      : renewable(createTlsServer({ ...options.tls.options, ...http, handshakeTimeout: headersTimeoutMs }, app), options.tls)
  server.headersTimeout = headersTimeoutMs
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  server.on('error', (error) => parts.onError(error))
  // Before TLS says anything: a handshake is what costs most.
  server.on('connection', limitPerNetwork())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  const own = `${options.tls === undefined ? 'http' : 'https'}://${shownHost(options.host)}:${port}`
  found = (parts.url ?? own).replace(/\/$/, '')
  if (parts.url !== undefined) names.add(new URL(parts.url).host)
  if (!isWildcard(options.host)) names.add(new URL(own).host)
  const stop = new AbortController()
  const feeding = feedHub(context, stop.signal, options.heartbeatMs).catch((error: unknown) => parts.onError(error))
  return {
    port,
    url: parts.url ?? own,
    async [Symbol.asyncDispose]() {
      stop.abort()
      hub[Symbol.dispose]()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await Promise.all([closed, feeding])
    },
  }
}

function renewable(server: TlsServer, tls: ServerTls): TlsServer {
  tls.follow((options) => server.setSecureContext(options))
  return server
}

/** Hangs up on whoever holds too many already. */
function limitPerNetwork(): (socket: Socket) => void {
  const open = new Map<string, number>()
  return (socket) => {
    const network = networkOf(socket.remoteAddress ?? '')
    const count = open.get(network) ?? 0
    if (count >= MAX_CONNECTIONS_PER_NETWORK) {
      socket.destroy()
      return
    }
    open.set(network, count + 1)
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1
      if (left === 0) open.delete(network)
      else open.set(network, left)
    })
  }
}

function isWildcard(host: string): boolean {
  return host === '::' || host === '0.0.0.0'
}

function shownHost(host: string): string {
  if (isWildcard(host)) return 'localhost'
  return isIPv6(host) ? `[${host}]` : host
}

import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, TLSSocket } from 'node:tls'
import { readReport } from '../../gateway/protocols/postgres/startup-error.ts'
import { SSL_CODE, type Version, writeRequest, writeStartup } from '../../gateway/protocols/postgres/startup-packet.ts'
import { type Packet, pull, pullPacket, push } from '../../gateway/protocols/postgres/startup-pull.ts'
import { binaryMessage, textMessage } from '../../gateway/protocols/postgres/upstream-query.ts'
import type { Identity } from './pg-tls.ts'

/** How long a peer waits for the other side before the test fails; a hang must not outlive its test. */
const PATIENCE_MS = 60_000

/** One end of a connection in a test: says and hears bytes and messages, in whatever order the test likes. */
export class PgPeer implements Disposable {
  stream: Duplex

  constructor(stream: Duplex) {
    this.stream = stream
    stream.on('error', () => {})
  }

  say(...parts: readonly Uint8Array[]): Promise<void> {
    return push(this.stream, Buffer.concat(parts))
  }

  /** One byte per write. */
  async drip(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) await push(this.stream, Uint8Array.of(byte))
  }

  hear(size: number): Promise<Buffer | undefined> {
    return pull(this.stream, size, AbortSignal.timeout(PATIENCE_MS))
  }

  /** The next message; undefined when the other side has closed. */
  packet(): Promise<Packet | undefined> {
    return pullPacket(this.stream, 1 << 24, AbortSignal.timeout(PATIENCE_MS))
  }

  /** Messages up to and with the first of `type`, or all until the other side closes. */
  async until(type: string): Promise<Packet[]> {
    const packets: Packet[] = []
    for (;;) {
      const packet = await this.packet()
      if (packet === undefined) return packets
      packets.push(packet)
      if (packet.type === type) return packets
    }
  }

  /** Everything until the other side closes. */
  async rest(): Promise<Buffer> {
    const parts: Buffer[] = []
    for (;;) {
      const byte = await this.hear(1)
      if (byte === undefined) return Buffer.concat(parts)
      parts.push(byte)
    }
  }

  /** The next message, which must be an ErrorResponse or NoticeResponse, by field letter. */
  async report(): Promise<Map<string, string>> {
    const packet = await this.packet()
    if (packet === undefined || (packet.type !== 'E' && packet.type !== 'N')) {
      throw new Error(`expected a report, heard ${packet === undefined ? 'the end' : packet.type}`)
    }
    return readReport(packet.body)
  }

  [Symbol.dispose](): void {
    this.stream.destroy()
  }
}

export interface ClientTlsOptions {
  readonly ca: string
  /** Names offered; default `postgresql`. Empty: no ALPN. */
  readonly alpn?: readonly string[]
}

/** A client of our own: protocol 3.0 or 3.2, TLS by request or direct, cleartext password; every step by itself. */
export class PgClient extends PgPeer {
  static async connect(port: number): Promise<PgClient> {
    const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new PgClient(socket)
  }

  /** SSLRequest and the handshake behind it. Returns the answer where it is not `S`. */
  async requestTls(options: ClientTlsOptions): Promise<string> {
    await this.say(writeRequest(SSL_CODE))
    const answer = (await this.hear(1))?.toString('latin1') ?? 'closed'
    if (answer === 'S') await this.directTls(options)
    return answer
  }

  /** The handshake at once, as with libpq's `sslnegotiation=direct`. */
  async directTls(options: ClientTlsOptions): Promise<void> {
    const { ca, alpn = ['postgresql'] } = options
    const secured = connect({
      socket: this.stream,
      ca,
      servername: 'localhost',
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    })
    await once(secured, 'secureConnect')
    secured.on('error', () => {})
    this.stream = secured
  }

  startup(parameters: Readonly<Record<string, string>>, version: Version = { major: 3, minor: 0 }): Promise<void> {
    return this.say(writeStartup(version, Object.entries(parameters)))
  }

  password(text: string): Promise<void> {
    return this.say(textMessage('p', text))
  }

  query(text: string): Promise<void> {
    return this.say(textMessage('Q', text))
  }
}

/** A server that follows a script, one run per connection. A script that throws fails the disposal. */
export async function fakeServer(
  script: (peer: PgPeer, connection: number) => Promise<void>,
): Promise<AsyncDisposable & { readonly port: number; readonly connections: () => number }> {
  const runs: Promise<void>[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    const run = script(new PgPeer(socket), runs.length)
    run.catch(() => {}) // told at the disposal
    runs.push(run)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    connections: () => runs.length,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await Promise.all(runs)
    },
  }
}

/** Server's side of the handshake on a peer, after the SSL request was answered. */
export async function serveTls(peer: PgPeer, identity: Identity): Promise<void> {
  // TLSSocket takes any Duplex; here it is the socket of `fakeServer`.
  const secured = new TLSSocket(peer.stream as Socket, {
    isServer: true,
    key: identity.key,
    cert: identity.cert,
    ALPNProtocols: ['postgresql'],
  })
  await once(secured, 'secure')
  secured.on('error', () => {})
  peer.stream = secured
}

/** Messages a server sends, for scripts. */
export const says = {
  authentication: (kind: number, data: Uint8Array = new Uint8Array(0)): Uint8Array => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(kind)
    return binaryMessage('R', Buffer.concat([head, data]))
  },
  parameter: (name: string, value: string): Uint8Array => textMessage('S', name, value),
  key: (processId: number, secret: Uint8Array): Uint8Array => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(processId)
    return binaryMessage('K', Buffer.concat([head, secret]))
  },
  ready: (): Uint8Array => binaryMessage('Z', Buffer.from('I')),
  error: (code: string, message: string): Uint8Array =>
    binaryMessage('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`)),
} as const

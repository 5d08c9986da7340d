import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { buildConnector, errors, Pool } from 'undici'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { isMetadata } from '../../hosts.ts'
import { type Answer, Answering } from './answer.ts'
import { type Headers, type RequestHead, rawOf, without } from './head.ts'
import { MAX_HEAD_BYTES } from './strict-server.ts'

/** Connections to one target at once; what exceeds them waits its turn. */
const MAX_CONNECTIONS = 128
const CONNECT_MS = 10_000
/** How long a target may be silent, before its head and between two pieces of its body. */
const SILENCE_MS = 15 * 60_000

/** Where requests of one target go, over connections that are kept for the next. None of them carries anybody's proof. */
export class Upstream {
  readonly #pool: Pool
  /** As the target knows itself. */
  readonly authority: string
  /** In front of what its clients ask for. */
  readonly path: string

  /** `connector`: in place of one that resolves the target's name itself. */
  constructor(
    target: Pick<Target, 'host' | 'port'>,
    { tls, certificate, path = '' }: Pick<Credential, 'tls' | 'certificate' | 'path'>,
    connector?: buildConnector.connector,
  ) {
    this.authority = authorityOf(target, tls.mode !== 'off')
    this.path = path
    this.#pool = new Pool(`${tls.mode === 'off' ? 'http' : 'https'}://${this.authority}`, {
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      maxHeaderSize: MAX_HEAD_BYTES,
      // Offered, Go's servers would take it, and the pool gives no headers as they came then.
      allowH2: false,
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
      connect:
        connector ??
        guarded({
          timeout: CONNECT_MS,
          allowH2: false,
          ...(tls.mode === 'off' ? {} : { rejectUnauthorized: tls.mode === 'verify' }),
          ...(tls.mode === 'verify' && tls.ca !== undefined ? { ca: tls.ca } : {}),
          ...(tls.mode === 'verify' && tls.serverName !== undefined ? { servername: tls.serverName } : {}),
          ...certificate,
        }),
    })
  }

  /** Rejects TARGET_UNREACHABLE, or TARGET_REFUSED where the target broke off; never tells what it said. */
  async ask(
    head: RequestHead,
    body: Uint8Array | AsyncIterable<Uint8Array> | null,
    credential: Headers,
    signal: AbortSignal,
  ): Promise<Answer> {
    const own = new Set(['host', ...credential.map(([name]) => name.toLowerCase())])
    const headers = rawOf([['host', this.authority], ...without(head.headers, own), ...credential])
    const answer = await new Promise<Answer | Error>((settle) => {
      this.#pool.dispatch(
        {
          // Any token is a method (RFC 9110, 9.1); the types name the usual ones.
          method: head.method as 'GET',
          path: `${this.path}${head.target}`,
          headers,
          // What is iterated over may do so asynchronously; the types do not say so.
          body: body as Uint8Array | Readable | null,
        },
        new Answering(settle, signal),
      )
    })
    if (!(answer instanceof Error)) return answer
    if (signal.aborted) throw signal.reason
    throw answer instanceof ApplianceError ? answer : broken(answer)
  }

  close(): Promise<void> {
    return this.#pool.destroy()
  }
}

/** `host:port`, without the port where its scheme has no other (RFC 9110, 7.2): what a client signs, and what names a service, is that. */
export function authorityOf({ host, port }: Pick<Target, 'host' | 'port'>, secure: boolean): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`
}

/** A name may lead anywhere by the time it is connected to: where the platform hands out identities, nothing is sent. */
function guarded(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(options)
  return (to, done) =>
    connect(to, (...connected) => {
      // Of a connection that failed undici hands over the error and nothing more, whatever its types say.
      const socket: Socket | null | undefined = connected[1]
      if (!socket || !isMetadata(socket.remoteAddress ?? '')) return done(...connected)
      socket.destroy()
      done(new ApplianceError('TARGET_REFUSED', 'the target is where this platform hands out identities'), null)
    })
}

/** Whether `ask` was given a connection that had served before, and that the target closed before there was the head of an answer. */
export function isStale(error: unknown): boolean {
  const cause = error instanceof ApplianceError ? error.cause : undefined
  // What a target says that undici cannot use is a SocketError as well.
  return cause instanceof errors.SocketError && /closed$/.test(cause.message) && (cause.socket?.bytesRead ?? 0) > 0
}

const UNREACHABLE = /^(ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/

/** Of OpenSSL and of Node's look at the certificate. */
const TLS_FAILED = /^(EPROTO|ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA)/

function broken(cause: Error): ApplianceError {
  // Of some of these undici gives no code.
  if (cause instanceof errors.HTTPParserError)
    return new ApplianceError('TARGET_REFUSED', 'the target answers in what is no HTTP/1.1 (RFC 9112)', { cause })
  const code = 'code' in cause ? String(cause.code) : 'unknown error'
  if (UNREACHABLE.test(code)) return new ApplianceError('TARGET_UNREACHABLE', `the target cannot be reached: ${code}`, { cause })
  // What the handshake was to be is in the configuration, and not for this client to change.
  const what = TLS_FAILED.test(code) ? 'TLS with the target failed, as its `tls` is configured' : 'the target broke off'
  return new ApplianceError('TARGET_REFUSED', `${what}: ${code}`, { cause })
}

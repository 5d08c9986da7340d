import { createConnection, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { isMetadata } from '../../hosts.ts'
import { connectReusing } from '../../reused-reads.ts'
import { SSL_CODE, writeRequest } from './startup-packet.ts'
import { pull, push, tolerateErrors } from './startup-pull.ts'
import { startTls } from './upstream-tls.ts'

/** A connection to a target, before anything was said in its protocol. */
export interface Line {
  readonly socket: Duplex
  readonly tls: TLSSocket | undefined
  /** Whether what is said cannot be heard by others: TLS with a checked certificate, or this very machine. */
  readonly private: boolean
}

/** TCP and TLS together. A target that is down answers at once or not at all; clients give up after 10 s or more. */
const CONNECT_TIMEOUT_MS = 10_000
/** Idle sessions must outlive the idle timeouts of load balancers (4 minutes at Azure's). */
const KEEPALIVE_MS = 60_000

/**
 * Connects and, unless the credential says `off`, agrees on TLS by SSLRequest. A host that begins with a slash is the folder
 * of a Unix socket, as in libpq. Rejects TARGET_UNREACHABLE or TARGET_REFUSED, or with the signal's reason; leaves nothing open then.
 */
export async function dial(target: Target, credential: Credential, signal: AbortSignal): Promise<Line> {
  const late = new AbortController()
  const timer = setTimeout(() => {
    late.abort(new ApplianceError('TARGET_UNREACHABLE', `target ${target.name} did not answer within ${CONNECT_TIMEOUT_MS} ms`))
  }, CONNECT_TIMEOUT_MS)
  const stop = AbortSignal.any([signal, late.signal])
  const local = target.host.startsWith('/')
  const plain = credential.tls.mode === 'off' || local
  const connect = plain ? connectReusing : createConnection
  const socket = local
    ? connect({ path: `${target.host}/.s.PGSQL.${target.port}` })
    : connect({
        host: target.host,
        port: target.port,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEPALIVE_MS,
      })
  try {
    await connected(socket, target, stop)
    tolerateErrors(socket)
    // A name may lead there whatever the configuration was checked for: what counts is who answered.
    if (isMetadata(socket.remoteAddress ?? ''))
      throw new ApplianceError('TARGET_REFUSED', `target ${target.name} leads to the metadata service of this platform`)
    if (plain) return { socket, tls: undefined, private: local || isLoopback(socket) }
    await requestTls(socket, target, stop)
    const tls = await startTls(socket, target.host, credential, stop)
    return { socket: tls, tls, private: credential.tls.mode === 'verify' || isLoopback(socket) }
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

function connected(socket: Socket, target: Target, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      socket.off('connect', done)
      socket.off('error', failed)
      signal.removeEventListener('abort', aborted)
      // A late error of a socket given up must not end the process.
      tolerateErrors(socket)
      finish()
    }
    const done = (): void => settle(resolve)
    const failed = (cause: Error): void => {
      const reason = 'code' in cause ? String(cause.code) : cause.message
      settle(() =>
        reject(new ApplianceError('TARGET_UNREACHABLE', `target ${target.name} cannot be reached (${reason})`, { cause })),
      )
    }
    const aborted = (): void => settle(() => reject(signal.reason))
    socket.on('connect', done)
    socket.on('error', failed)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
  })
}

async function requestTls(socket: Socket, target: Target, signal: AbortSignal): Promise<void> {
  await push(socket, writeRequest(SSL_CODE))
  const answer = await pull(socket, 1, signal)
  if (answer === undefined) throw new ApplianceError('TARGET_UNREACHABLE', `target ${target.name} left before TLS was agreed on`)
  if (answer[0] !== 0x53) {
    // 'N', or an ErrorResponse: that text came in the clear from whoever is there, so it is not passed on.
    throw new ApplianceError('TARGET_REFUSED', `target ${target.name} does not offer TLS, which its configuration asks for`)
  }
  if (socket.readableLength > 0) {
    // As in CVE-2021-23222: such bytes would be taken as if they had come through TLS.
    throw new ApplianceError('TARGET_REFUSED', `target ${target.name} sent unencrypted data after its answer to the SSL request`)
  }
}

/** By the address really spoken with, not by the name: a name may point anywhere. */
function isLoopback(socket: Socket): boolean {
  const address = socket.remoteAddress ?? ''
  return isIP(address) === 4 ? address.startsWith('127.') : address === '::1' || address.startsWith('::ffff:127.')
}

import { isIP, type Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'

const HANDSHAKE_MS = 10_000

/**
 * TLS over a connection to `host`, which has to prove that it is that host by one of `roots`. Takes the socket: it is destroyed with what is returned, and
 * where this rejects. Rejects TARGET_REFUSED.
 */
export async function dialTls(
  socket: Socket,
  { host, roots }: { readonly host: string; readonly roots: readonly string[] },
  signal: AbortSignal,
): Promise<TLSSocket> {
  const secure = connect({
    socket,
    host,
    // An address is no server name (RFC 6066, 3).
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ca: [...roots],
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
  })
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const leave = (): void => void secure.destroy(signal.reason instanceof Error ? signal.reason : new Error('nobody waits'))
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  secure.setTimeout(HANDSHAKE_MS, () => secure.destroy(new Error('no answer')))
  secure.once('secureConnect', () => resolve(secure))
  // Stays on: a socket without a listener would take the process with it.
  secure.on('error', reject)
  secure.once('close', () => reject(new Error('the connection was closed')))
  try {
    const done = await promise
    done.setTimeout(0)
    return done
  } catch (cause) {
    secure.destroy()
    socket.destroy()
    throw new ApplianceError('TARGET_REFUSED', `TLS with ${host} cannot be opened: ${reasonOf(cause)}`, { cause })
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** A code where there is one: CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID, DEPTH_ZERO_SELF_SIGNED_CERT. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

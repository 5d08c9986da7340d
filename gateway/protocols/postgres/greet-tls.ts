import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type SecureContext, TLSSocket } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'
import { tolerateErrors } from './startup-pull.ts'

/** The ALPN name registered for the protocol; direct TLS must name it (manual, "SSL Session Encryption"). */
export const ALPN = 'postgresql'
/**
 * Our side of the TLS handshake. What `client` has read ahead is taken as the handshake's beginning.
 * Rejects PROTOCOL_MALFORMED when the handshake fails or the peer leaves, or with the signal's reason.
 */
export function acceptTls(client: Duplex, secureContext: SecureContext, signal: AbortSignal): Promise<TLSSocket> {
  const secured = new TLSSocket(asSocket(client), { isServer: true, secureContext, ALPNProtocols: [ALPN] })
  tolerateErrors(secured)
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      secured.off('secure', done)
      secured.off('error', failed)
      secured.off('end', closed)
      secured.off('close', closed)
      signal.removeEventListener('abort', aborted)
      finish()
    }
    const done = (): void => settle(() => resolve(secured))
    const failed = (cause: Error): void => {
      settle(() => reject(new ApplianceError('PROTOCOL_MALFORMED', `TLS handshake failed: ${reasonOf(cause)}`, { cause })))
    }
    const closed = (): void =>
      settle(() => reject(new ApplianceError('PROTOCOL_MALFORMED', 'the client left during the TLS handshake')))
    const aborted = (): void => settle(() => reject(signal.reason))
    secured.on('secure', done)
    secured.on('error', failed)
    secured.on('end', closed) // half-open sockets do not close by themselves
    secured.on('close', closed)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
  })
}

/** TLSSocket wraps any Duplex; only its declared type wants a net.Socket. */
function asSocket(client: Duplex): Socket {
  return client instanceof Socket ? client : (client as Socket)
}

/** OpenSSL's short code where there is one: its long text names source files. */
function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

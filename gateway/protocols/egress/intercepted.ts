import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { EgressSettings } from '../../config.ts'
import { type Place, placeOf } from '../../policy/http/egress-facts.ts'
import type { Session } from '../../protocol.ts'
import { askUpgradeOn } from '../http/upgrade-upstream.ts'
import { Upstream } from '../http/upstream.ts'
import type { Visit } from '../http/visit.ts'
import type { Carrier } from './connect.ts'
import { dial } from './dial.ts'
import { dialTls } from './dial-tls.ts'
import { serveInside } from './inside.ts'
import type { Interceptor } from './interceptor.ts'

/** From the tunnel's opening to the end of the client's handshake. */
const HANDSHAKE_MS = 30_000

export interface Intercepting {
  readonly interceptor: Interceptor
  /** PEM: whom an upstream has to be certified by. */
  readonly roots: readonly string[]
}

/**
 * A tunnel whose TLS ends here, on both sides: the host proves to us that it is that host, we to the client by a certificate of our own authority, and each
 * request inside is judged, masked and recorded like any of HTTP.
 */
export function intercepted(
  place: Place,
  settings: EgressSettings,
  how: { readonly visit: Visit; readonly session: Session; readonly intercepting: Intercepting },
): Carrier {
  const { visit, session, intercepting } = how
  const { host } = place
  const passed = { requests: 0, failed: undefined as string | undefined }
  const open = async (signal: AbortSignal): Promise<Socket> =>
    dialTls(await dial(place, settings, signal), { host, roots: intercepting.roots }, signal)
  return {
    facts: { tunnel: 'intercepted' },
    dial: open,
    carry: async (socket, first) => {
      let kept: Socket | undefined = first
      /** The connection that was opened with the tunnel, once; then others, each checked as that was. */
      const next = async (signal: AbortSignal): Promise<Socket> => {
        const taken = kept
        kept = undefined
        return taken === undefined || taken.destroyed || taken.readableEnded ? open(signal) : taken
      }
      const upstream = new Upstream(place, { tls: { mode: 'verify' } }, (_to, done) => {
        next(session.signal).then(
          (ready) => done(null, ready),
          (error: Error) => done(error, null),
        )
      })
      try {
        const client = await handshake(socket, host, intercepting.interceptor, session.signal)
        await serveInside(client, {
          place,
          visit,
          session,
          upstream,
          upgrade: async (head, signal) =>
            askUpgradeOn(
              await next(signal),
              { ...head, target: placeOf(head.method, head.target).path ?? '/' },
              { authority: upstream.authority, proof: [], signal },
            ),
          onRequest: () => {
            passed.requests++
          },
        })
      } catch (error) {
        if (!(error instanceof HandshakeError)) throw error
        passed.failed = error.message
        socket.destroy()
      } finally {
        await upstream.close()
      }
    },
    closing: () => ({ requests: passed.requests, ...(passed.failed === undefined ? {} : { failed: passed.failed }) }),
  }
}

/** A client that does not take our certificate, or speaks no TLS: told by a note, as nothing can be said to it. */
class HandshakeError extends Error {}

async function handshake(socket: Duplex, host: string, interceptor: Interceptor, signal: AbortSignal): Promise<TLSSocket> {
  const client = new TLSSocket(socket as Socket, {
    isServer: true,
    secureContext: interceptor.contextFor(host),
    // One that speaks HTTP/2 alone is told so by an alert.
    ALPNProtocols: ['http/1.1'],
  })
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const leave = (): void => void client.destroy()
  const late = setTimeout(leave, HANDSHAKE_MS)
  signal.addEventListener('abort', leave, { once: true })
  if (signal.aborted) leave()
  client.once('secure', () => resolve(client))
  // Stays on: a socket without a listener would take the process with it.
  client.on('error', (error) => {
    reject(new HandshakeError('code' in error ? String(error.code) : 'no TLS'))
    client.destroy()
  })
  client.once('close', () => reject(new HandshakeError('the client left during the handshake')))
  socket.once('close', leave)
  try {
    return await promise
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', leave)
  }
}

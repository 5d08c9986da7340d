import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Sessions } from '../../protocol.ts'

/** First byte of a TLS record that opens a handshake. */
const TLS_HANDSHAKE = 0x16
const ALPN = ['h2', 'http/1.1']

const INSECURE =
  'HTTP/1.1 426 Upgrade Required\r\nupgrade: TLS/1.2\r\nconnection: upgrade, close\r\ncontent-type: text/plain\r\n\r\n' +
  'AUTH_INSECURE: this listener takes keys over TLS only: use https://\n'

/**
 * The connection with its TLS off. A client that begins in clear where TLS is required is told so, as no proof may be sent then; undefined
 * for it, and for one that left.
 */
export async function secured(
  client: Duplex,
  tls: Sessions['tls'],
  signal: AbortSignal,
  alpn: readonly string[] = ALPN,
): Promise<Duplex | undefined> {
  client.on('error', () => undefined)
  const first = await firstByte(client, signal)
  if (first === undefined) return undefined
  if (first === TLS_HANDSHAKE) {
    const socket = new TLSSocket(client as Socket, { isServer: true, secureContext: tls.context, ALPNProtocols: [...alpn] })
    socket.on('error', () => socket.destroy())
    // What was agreed on is known only then.
    await shaken(socket, signal)
    return socket.destroyed ? undefined : socket
  }
  if (!tls.required) return client
  client.end(INSECURE)
  return undefined
}

/** Resolves when the handshake is done, or the client has broken it off; then the socket is destroyed. */
function shaken(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const leave = (): void => void socket.destroy()
    const done = (): void => {
      signal.removeEventListener('abort', leave)
      resolve()
    }
    signal.addEventListener('abort', leave, { once: true })
    socket.once('secure', done)
    socket.once('close', done)
  })
}

/** Left in the stream. Undefined at its end; rejects with the signal's reason. */
function firstByte(client: Duplex, signal: AbortSignal): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      client.off('readable', look)
      client.off('end', ended)
      client.off('close', ended)
      signal.removeEventListener('abort', aborted)
      settle()
    }
    const look = (): void => {
      const chunk: Uint8Array | null = client.read()
      if (chunk === null) return
      client.unshift(chunk)
      done(() => resolve(chunk[0]))
    }
    const ended = (): void => done(() => resolve(undefined))
    const aborted = (): void => done(() => reject(signal.reason))
    client.on('readable', look)
    client.on('end', ended)
    client.on('close', ended)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
  })
}

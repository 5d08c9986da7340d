import { connect as connectTcp, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { connect as connectTls } from 'node:tls'
import packageJson from '../../package.json' with { type: 'json' }
import { DeliveryError } from '../../recorder/notify/post.ts'
import { cefMessage } from '../exports/cef.ts'
import type { Sink } from './stream.ts'

/** From connecting to the receiver's farewell. */
const TIMEOUT_MS = 10_000
/** Whoever closes without having read is noticed within a round trip; connecting took one at least. */
const MIN_SETTLE_MS = 100

export interface SyslogPlace {
  readonly host: string
  readonly port: number
  /** Undefined: in clear. */
  readonly tls: { readonly ca?: string; readonly serverName?: string } | undefined
}

/**
 * CEF in counted syslog frames. Syslog has no answer, and what was written to a socket may never have been read: so each batch has a connection,
 * which we end a moment later and the receiver closes once it has read to the end. Only then the batch has arrived.
 */
export function syslogSink(name: string, place: SyslogPlace): Sink {
  const host =
    hostname()
      .replace(/[^\x21-\x7e]/g, '-')
      .slice(0, 255) || '-'
  return {
    name,
    async send(batch, signal) {
      const frames = batch.map((told) => {
        const message = cefMessage(told, packageJson.version, host)
        return `${Buffer.byteLength(message)} ${message}`
      })
      await deliver(place, frames.join(''), signal)
    },
  }
}

function deliver(place: SyslogPlace, text: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    let ended = false
    let settle: NodeJS.Timeout | undefined
    const socket = open(place, () => {
      const settleMs = Math.max(MIN_SETTLE_MS, 2 * (performance.now() - began))
      socket.write(text, () => {
        settle = setTimeout(() => {
          ended = true
          socket.end()
        }, settleMs)
      })
    })
    const finish = (error?: DeliveryError): void => {
      clearTimeout(timer)
      clearTimeout(settle)
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    const fail = (why: string, cause?: unknown): void => finish(new DeliveryError(why, { final: false, cause }))
    const onAbort = (): void => fail('given up')
    const timer = setTimeout(() => fail('the receiver did not close the connection'), TIMEOUT_MS)
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('error', (error) => fail('code' in error ? String(error.code) : 'connection failed', error))
    // Whatever it says is nothing to us, and must be read to see the end.
    socket.resume()
    socket.on('end', () => (ended ? finish() : fail('the receiver closed before it had everything')))
    socket.on('close', () => fail('the connection broke off'))
    if (signal.aborted) onAbort()
  })
}

function open({ host, port, tls }: SyslogPlace, onOpen: () => void): Socket {
  if (tls === undefined) return connectTcp({ host, port }, onOpen)
  const { ca, serverName } = tls
  return connectTls(
    {
      host,
      port,
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    },
    onOpen,
  )
}

import type { Duplex } from 'node:stream'
import { ApplianceError } from '../../../schemas/errors.ts'

/**
 * Reads exactly `size` bytes; what lies behind them stays in the stream, for whoever reads next.
 * undefined: the stream was over before that many came. Never destroys the stream. Rejects with the signal's reason.
 */
export async function pull(stream: Duplex, size: number, signal: AbortSignal): Promise<Buffer | undefined> {
  signal.throwIfAborted()
  if (size === 0) return Buffer.alloc(0)
  const taken = take(stream, size)
  return taken === 'not yet' ? wait(stream, size, signal) : taken
}

function take(stream: Duplex, size: number): Buffer | 'not yet' | undefined {
  if (stream.destroyed || stream.readableEnded) return undefined
  const bytes: unknown = stream.read(size)
  if (!(bytes instanceof Uint8Array)) return 'not yet'
  // At its end a stream gives what it has, however little.
  return bytes.length === size ? Buffer.from(bytes.buffer, bytes.byteOffset, size) : undefined
}

/** Listens once for the whole wait: each new `readable` listener is told at once of what lies there already, however little. */
function wait(stream: Duplex, size: number, signal: AbortSignal): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const events = ['readable', 'end', 'close', 'error'] as const
    const leave = (): void => {
      for (const event of events) stream.off(event, look)
      signal.removeEventListener('abort', aborted)
    }
    const look = (): void => {
      const taken = take(stream, size)
      if (taken === 'not yet') return
      leave()
      resolve(taken)
    }
    const aborted = (): void => {
      leave()
      reject(signal.reason)
    }
    for (const event of events) stream.on(event, look)
    signal.addEventListener('abort', aborted, { once: true })
  })
}

/** One message of the regular protocol: type byte, length, body. */
export interface Packet {
  readonly type: string
  readonly body: Buffer
}

/** The next message; undefined when the stream ends instead. Rejects PROTOCOL_OVERSIZE before anything of a body above `maxBytes` is read. */
export async function pullPacket(stream: Duplex, maxBytes: number, signal: AbortSignal): Promise<Packet | undefined> {
  const head = await pull(stream, 5, signal)
  if (head === undefined) return undefined
  const type = String.fromCharCode(head.readUInt8(0))
  const size = head.readUInt32BE(1) - 4
  if (size < 0)
    throw new ApplianceError(
      'PROTOCOL_MALFORMED',
      `message ${JSON.stringify(type)} declares a length of ${size + 4}, below its own 4 bytes`,
    )
  if (size > maxBytes) {
    throw new ApplianceError(
      'PROTOCOL_OVERSIZE',
      `message ${JSON.stringify(type)} declares ${size} bytes; at most ${maxBytes} are taken here`,
    )
  }
  const body = await pull(stream, size, signal)
  return body === undefined ? undefined : { type, body }
}

/** Writes, and resolves when the bytes are on their way or the stream is over. */
export function push(stream: Duplex, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) return resolve()
    stream.write(bytes, () => resolve())
  })
}

/**
 * Keeps an `error` event from ending the process: whoever reads or writes sees a destroyed stream instead.
 * Stays on for the stream's life, because between two reads nobody else may be listening.
 */
export function tolerateErrors(stream: Duplex): void {
  stream.on('error', () => {})
}

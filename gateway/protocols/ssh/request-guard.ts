import type { Socket } from 'node:net'
import { because, PROTOCOL_ERROR } from './disconnect.ts'

/** Global requests that wait for their answers, which come in order (RFC 4254, 4). A client has one for each port it forwards, and a keepalive or two. */
export const MAX_UNANSWERED = 1_024
/** As much that was written waits to be taken by the other end, and nothing more is read from it: what it asks is answered at once. */
export const MAX_UNTAKEN_SIZE = 4 * 1024 * 1024

/**
 * The library (ssh2 1.17) keeps the answer to every global request until those before it are given, and writes answers to whoever asks
 * without taking any: either could fill our memory.
 */
export function guardRequests(connection: object, socket: Pick<Socket, 'writableLength' | 'pause' | 'resume' | 'once'>): void {
  const protocol: unknown = Reflect.get(connection, '_protocol')
  if (!isProtocol(protocol)) throw new TypeError('this version of ssh2 answers requests in another way')
  let unanswered = 0
  for (const name of ['requestSuccess', 'requestFailure'] as const) {
    const answer = protocol[name].bind(protocol)
    protocol[name] = (data) => {
      unanswered--
      answer(data)
    }
  }
  const handle = protocol._handlers.GLOBAL_REQUEST
  protocol._handlers.GLOBAL_REQUEST = (self, name, wantReply, data) => {
    if (wantReply) unanswered++
    if (unanswered > MAX_UNANSWERED) {
      because(connection, `more than ${MAX_UNANSWERED} requests wait for their answers`)
      protocol.disconnect(PROTOCOL_ERROR)
      throw new Error('the peer asked more than it waits to be answered')
    }
    handle(self, name, wantReply, data)
  }
  const write = protocol._onWrite
  let paused = false
  protocol._onWrite = (data) => {
    write(data)
    if (paused || socket.writableLength <= MAX_UNTAKEN_SIZE) return
    paused = true
    socket.pause()
    socket.once('drain', () => {
      paused = false
      socket.resume()
    })
  }
}

interface Protocol {
  readonly _handlers: { GLOBAL_REQUEST: (self: unknown, name: string, wantReply: boolean, data: unknown) => void }
  /** Given to each cipher when it is made. */
  _onWrite(data: Uint8Array): void
  requestSuccess(data?: unknown): void
  requestFailure(data?: unknown): void
  disconnect(reason: number): void
}

function isProtocol(value: unknown): value is Protocol {
  if (typeof value !== 'object' || value === null || !('_handlers' in value)) return false
  const { _handlers: handlers } = value
  const has = ['_onWrite', 'requestSuccess', 'requestFailure', 'disconnect'].every(
    (name) => typeof Reflect.get(value, name) === 'function',
  )
  return has && typeof handlers === 'object' && handlers !== null && 'GLOBAL_REQUEST' in handlers
}

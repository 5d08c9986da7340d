import type { Refusal } from '../../../schemas/verdict.ts'
import type { Message, Output, Wire } from '../../message.ts'
import type { Dialect } from './dialect.ts'
import { TunnelMessage } from './tunnel-message.ts'

/**
 * HTTP's bytes are read and written by the server and the pool; what passes here are whole messages and parts of bodies, so that
 * this wire has nothing to keep. An exchange writes what comes out for its own messages, head first.
 */
export class HttpWire implements Wire {
  readonly #refusal: Dialect['refusal']

  constructor({ refusal }: Pick<Dialect, 'refusal'>) {
    this.#refusal = refusal
  }

  release(message: Message, bytes?: Uint8Array): readonly Output[] {
    const framed = message instanceof TunnelMessage ? message.framed(bytes ?? message.passed) : (bytes ?? message.bytes)
    return [{ to: message.from === 'client' ? 'server' : 'client', bytes: framed }]
  }

  /** A response in the place of the one that will not come. In the middle of a body nothing can be said: the exchange is cut. */
  refuse(message: Message, refusal: Refusal): readonly Output[] {
    const { channel } = message
    if (message instanceof TunnelMessage)
      return [
        { to: 'client', bytes: message.farewell(refusal), own: { kind: 'cut', channel, facts: { rules: [...refusal.rules] } } },
      ]
    if (message.kind === 'response-body' || message.kind === 'response-trailers')
      return [{ to: 'client', bytes: EMPTY, own: { kind: 'cut', channel, facts: { rules: [...refusal.rules] } } }]
    return [{ to: 'client', bytes: this.#refusal(refusal), own: { kind: 'refusal', channel, facts: {} } }]
  }

  /** Nothing goes before a response that every client would understand (RFC 9110, 15.2): it waits. */
  notify(): readonly Output[] {
    return []
  }

  /** Exchanges that are open when a session ends are told by their own driver. */
  farewell(): readonly Output[] {
    return []
  }
}

const EMPTY = new Uint8Array()

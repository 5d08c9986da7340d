import { type Duplex, duplexPair } from 'node:stream'
import type { Client } from 'ssh2'
import { BaseAgent } from './library.ts'

/** One end of what is forwarded, with its two ends of being over. */
export interface ForwardEnd {
  readonly stream: Duplex
  /** Nothing more is written; the other direction goes on. */
  eof(): void
  close(): void
}

type ForwardStream = Duplex & { eof(): void; close(): void }

/** Calls what opens a channel. Rejects with what the peer, or the library, said. */
export function openOf(open: (done: (error: Error | undefined, stream: ForwardStream) => void) => unknown): Promise<ForwardEnd> {
  return new Promise((resolve, reject) => {
    open((error, stream) => (error === undefined || error === null ? resolve(endOf(stream)) : reject(error)))
  })
}

export function endOf(stream: ForwardStream): ForwardEnd {
  return { stream, eof: () => stream.eof(), close: () => stream.close() }
}

export function fromAgent(stream: Duplex): ForwardEnd {
  return { stream, eof: () => void stream.end(), close: () => void stream.destroy() }
}

/**
 * Refuses to open a channel, in words: the library sends none (RFC 4254, 5.1 has them), and clients show them to people.
 */
export function rejectWith(connection: object, reject: () => unknown, text: string): void {
  const protocol: unknown = Reflect.get(connection, '_protocol')
  const fail: unknown = Reflect.get(Object(protocol), 'channelOpenFail')
  if (typeof fail !== 'function') throw new TypeError('this version of ssh2 refuses channels in another way')
  Reflect.set(Object(protocol), 'channelOpenFail', (id: number) => fail.call(protocol, id, PROHIBITED, text))
  try {
    reject()
  } finally {
    Reflect.deleteProperty(Object(protocol), 'channelOpenFail')
  }
}

/** SSH_OPEN_ADMINISTRATIVELY_PROHIBITED. */
const PROHIBITED = 1
/** As the library's own channels have them. */
const WINDOW_SIZE = 2 * 1024 * 1024
const PACKET_SIZE = 32 * 1024

/** Opens a channel to the client's agent; the library opens none by itself. */
export function openAgentChannel(connection: object): Promise<ForwardEnd> {
  const manager: unknown = Reflect.get(connection, '_chanMgr')
  const protocol: unknown = Reflect.get(connection, '_protocol')
  const add: unknown = Reflect.get(Object(manager), 'add')
  const open: unknown = Reflect.get(Object(protocol), 'openssh_authAgent')
  if (typeof add !== 'function' || typeof open !== 'function')
    throw new TypeError('this version of ssh2 opens channels in another way')
  return openOf((done) => {
    const opened = Object.assign((error: Error | undefined, stream: ForwardStream) => done(error, stream), {
      type: 'auth-agent@openssh.com',
    })
    const id: unknown = add.call(manager, opened)
    if (id === -1) throw new Error('no free channel')
    open.call(protocol, id, WINDOW_SIZE, PACKET_SIZE)
  })
}

/** Stands in the place of an agent at the connection to the target, where the client's own is reached through. */
export class AgentDoor extends BaseAgent {
  #asked: ((stream: Duplex, reject: () => void) => void) | undefined

  getIdentities(done: (error?: Error) => void): void {
    done(new Error('no proof is taken from an agent'))
  }

  sign(...args: readonly unknown[]): void {
    const done = args.at(-1)
    if (typeof done === 'function') done(new Error('no proof is taken from an agent'))
  }

  /** By the library, when the target opens a channel to the agent. */
  override getStream(done: (error: Error | null, stream?: Duplex) => void): void {
    if (this.#asked === undefined) {
      done(new Error('no agent is forwarded'))
      return
    }
    const [outer, inner] = duplexPair()
    this.#asked(inner, () => outer.destroy())
    done(null, outer)
  }

  onAsked(asked: (stream: Duplex, reject: () => void) => void): void {
    this.#asked = asked
  }
}

/** Hears of every channel to the agent that the target opens. */
export function agentStreamOf(client: Client, asked: (stream: Duplex, reject: () => void) => void): void {
  const door: unknown = Reflect.get(client, '_agent')
  if (!(door instanceof AgentDoor)) throw new TypeError('the connection to the target has no door to an agent')
  door.onAsked(asked)
}

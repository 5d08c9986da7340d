import { safeText } from '../../../schemas/safe-text.ts'

/** RFC 4253, 11.1. */
export const PROTOCOL_ERROR = 2
export const NO_MORE_AUTH_METHODS = 14

const DISCONNECT = 1
/** Of a packet: its length and that of its padding stand before the payload. */
const PAYLOAD_AT = 5
const MAX_WORDS_SIZE = 1_000

/** What is said where nobody knows better. */
const WORDS: Readonly<Record<number, string>> = {
  [PROTOCOL_ERROR]: 'this is not as the protocol has it',
  3: 'the key exchange failed: no algorithm in common, or not what was agreed',
  5: 'a packet was changed on its way',
  7: 'there is no such service',
  11: 'the session is over',
  [NO_MORE_AUTH_METHODS]: 'too many attempts to sign in',
}

interface Why {
  readonly words: string
  readonly reason?: number
}
const whys = new WeakMap<object, Why>()

/** For the disconnect that follows. Whoever is told is a peer: nothing of the traffic, nothing of what the gateway knows beside. */
export function because(connection: object, words: string, reason?: number): void {
  whys.set(connection, { words, ...(reason === undefined ? {} : { reason }) })
}

/** The library (ssh2 1.17) says a number and no words when it disconnects, and says it again with whatever ends the connection next. */
export function tellWhy(connection: object): void {
  const protocol: unknown = Reflect.get(connection, '_protocol')
  if (!isProtocol(protocol)) throw new TypeError('this version of ssh2 disconnects in another way')
  let told = false
  protocol.disconnect = (given) => {
    if (told) return
    told = true
    const why = whys.get(connection)
    const reason = why?.reason ?? given
    const words = Buffer.from(safeText(why?.words ?? WORDS[reason] ?? '')).subarray(0, MAX_WORDS_SIZE)
    const size = 1 + 4 + 4 + words.length + 4
    // Nothing is compressed, and a disconnect waits for no key exchange.
    const packet = protocol._cipher.allocPacket(size)
    packet.fill(0, PAYLOAD_AT, PAYLOAD_AT + size)
    packet[PAYLOAD_AT] = DISCONNECT
    packet.writeUInt32BE(reason, PAYLOAD_AT + 1)
    packet.writeUInt32BE(words.length, PAYLOAD_AT + 5)
    words.copy(packet, PAYLOAD_AT + 9)
    protocol._cipher.encrypt(packet)
  }
}

interface Protocol {
  /** Changes with the keys. */
  readonly _cipher: { allocPacket(payloadSize: number): Buffer; encrypt(packet: Buffer): void }
  disconnect(reason: number): void
}

function isProtocol(value: unknown): value is Protocol {
  return typeof value === 'object' && value !== null && '_cipher' in value && 'disconnect' in value
}

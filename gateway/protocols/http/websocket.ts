import { randomBytes } from 'node:crypto'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Side } from '../../message.ts'
import { Growing } from './growing.ts'

/** RFC 6455, 11.8. */
export const OPCODES = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const
type Opcode = (typeof OPCODES)[keyof typeof OPCODES]

/** RFC 6455, 7.4.1. */
export const CLOSE_CODES = { normal: 1000, protocol: 1002, unreadable: 1007, policy: 1008, tooBig: 1009, failed: 1011 } as const

/** Nobody judges or masks a message that is still to come, so it is held whole: no larger than this. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
/** RFC 6455, 5.5. */
const MAX_CONTROL_BYTES = 125

export interface WebSocketMessage {
  readonly opcode: Exclude<Opcode, 0>
  readonly payload: Uint8Array
}

/** Reads the frames of one direction (RFC 6455, 5) and puts fragments together. No extension is negotiated, so none is understood. */
export class WebSocketReader {
  readonly #masked: boolean
  readonly #held = new Growing()
  /** Nothing can be read before this many bytes are there. */
  #needed = 2
  readonly #fragments = new Growing()
  /** An empty one counts, too, so that they come to an end. */
  #fragmentBytes = 0
  #opcode: typeof OPCODES.text | typeof OPCODES.binary | undefined
  #closed = false

  /** Clients mask their frames, servers do not (RFC 6455, 5.1). */
  constructor(from: Side) {
    this.#masked = from === 'client'
  }

  /** The messages now complete, in order. Throws PROTOCOL_MALFORMED or PROTOCOL_OVERSIZE. */
  receive(chunk: Uint8Array): WebSocketMessage[] {
    this.#held.push(chunk)
    const messages: WebSocketMessage[] = []
    if (this.#held.size < this.#needed) return messages
    const bytes = this.#held.take()
    let at = 0
    for (;;) {
      const read = this.#frame(bytes, at)
      if (typeof read === 'number') {
        this.#needed = read
        break
      }
      at = read.end
      if (this.#closed) throw malformed('something follows the close frame')
      const message = this.#take(read)
      if (message !== undefined) messages.push(message)
    }
    this.#held.push(bytes.subarray(at))
    return messages
  }

  /** The frame at `at`, or how many bytes it takes from there as far as can be told. */
  #frame(bytes: Uint8Array, at: number): Frame | number {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.byteLength - at)
    if (view.byteLength < 2) return 2
    const [first, second] = [view.getUint8(0), view.getUint8(1)]
    const short = second & 0x7f
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
    const head = 2 + lengthBytes + (this.#masked ? 4 : 0)
    if ((first & 0x70) !== 0) throw malformed('a reserved bit is set, and no extension was agreed on')
    if (((second & 0x80) !== 0) !== this.#masked) throw malformed(this.#masked ? 'a frame is not masked' : 'a frame is masked')
    const opcode = first & 0x0f
    const final = (first & 0x80) !== 0
    if (!KNOWN.has(opcode)) throw malformed(`opcode ${opcode} is none`)
    if (opcode >= OPCODES.close && (short > MAX_CONTROL_BYTES || !final))
      throw malformed('a control frame is too long or in parts')
    if (view.byteLength < head) return head
    const length = lengthBytes === 0 ? short : lengthBytes === 2 ? view.getUint16(2) : Number(view.getBigUint64(2))
    if (length > MAX_MESSAGE_BYTES || this.#fragmentBytes + length > MAX_MESSAGE_BYTES)
      throw new ApplianceError('PROTOCOL_OVERSIZE', `a message has more than ${MAX_MESSAGE_BYTES} bytes`)
    if (view.byteLength < head + length) return head + length
    const payload = bytes.subarray(at + head, at + head + length)
    if (this.#masked) unmask(payload, bytes.subarray(at + head - 4, at + head))
    return { opcode: opcode as Opcode, final, payload, end: at + head + length }
  }

  #take({ opcode, final, payload }: Frame): WebSocketMessage | undefined {
    if (opcode >= OPCODES.close) {
      this.#closed = opcode === OPCODES.close
      if (this.#closed && payload.length === 1) throw malformed('a close frame has half a code')
      return { opcode: opcode as WebSocketMessage['opcode'], payload }
    }
    if (opcode === OPCODES.continuation) {
      if (this.#opcode === undefined) throw malformed('a fragment continues nothing')
    } else {
      if (this.#opcode !== undefined) throw malformed('a message begins inside another')
      if (final) return { opcode: opcode as WebSocketMessage['opcode'], payload }
      this.#opcode = opcode === OPCODES.text ? OPCODES.text : OPCODES.binary
    }
    this.#fragments.push(payload)
    this.#fragmentBytes += Math.max(1, payload.length)
    if (!final) return undefined
    const whole: WebSocketMessage = { opcode: this.#opcode, payload: this.#fragments.take() }
    this.#fragmentBytes = 0
    this.#opcode = undefined
    return whole
  }
}

interface Frame {
  readonly opcode: Opcode
  readonly final: boolean
  readonly payload: Uint8Array
  readonly end: number
}

const KNOWN = new Set<number>(Object.values(OPCODES))

/** One whole message as one frame, masked where a server is to read it. */
export function encodeFrame(to: Side, { opcode, payload }: WebSocketMessage): Uint8Array {
  const lengthBytes = payload.length < 126 ? 0 : payload.length < 0x1_0000 ? 2 : 8
  const masks = to === 'server'
  const head = 2 + lengthBytes + (masks ? 4 : 0)
  const frame = Buffer.allocUnsafe(head + payload.length)
  frame[0] = 0x80 | opcode
  frame[1] = (masks ? 0x80 : 0) | (lengthBytes === 0 ? payload.length : lengthBytes === 2 ? 126 : 127)
  if (lengthBytes === 2) frame.writeUInt16BE(payload.length, 2)
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(payload.length), 2)
  frame.set(payload, head)
  if (masks) {
    // Unpredictable (RFC 6455, 5.3).
    const key = randomBytes(4)
    frame.set(key, head - 4)
    unmask(frame.subarray(head), key)
  }
  return frame
}

/** A close frame's payload; a reason is cut to what fits, at a character. */
export function closePayload(code: number, reason: string): Uint8Array {
  let text = reason
  while (Buffer.byteLength(text) > MAX_CONTROL_BYTES - 2) text = text.slice(0, -1)
  const payload = Buffer.alloc(2 + Buffer.byteLength(text))
  payload.writeUInt16BE(code)
  payload.write(text, 2)
  return payload
}

function unmask(payload: Uint8Array, key: Uint8Array): void {
  const [a = 0, b = 0, c = 0, d = 0] = key
  const four = [a, b, c, d]
  for (let at = 0; at < payload.length; at++) payload[at] = (payload[at] ?? 0) ^ (four[at & 3] ?? 0)
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('PROTOCOL_MALFORMED', `WebSocket: ${what}`)
}

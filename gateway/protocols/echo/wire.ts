import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { Notice, Refusal } from '../../../schemas/verdict.ts'
import type { ByteWire, Field, Message, Output, Redacted, Redactor, Side } from '../../message.ts'

/** Larger frames are refused before anything is allocated for them; the protocol exists for tests. */
export const MAX_ECHO_BYTES = 1024 * 1024
const HEADER_SIZE = 5
const TEXT: Field = { path: 'echo.text', action: 'scan' }

/** `[u8 channel][u32 length][text]`, both directions. */
export function echoFrame(channel: number, text: Uint8Array | string): Uint8Array {
  const body = typeof text === 'string' ? Buffer.from(text) : text
  const frame = Buffer.alloc(HEADER_SIZE + body.length)
  frame.writeUInt8(channel, 0)
  frame.writeUInt32BE(body.length, 1)
  frame.set(body, HEADER_SIZE)
  return frame
}

class EchoMessage implements Message {
  readonly part = 'whole'
  readonly units = 1
  readonly from: Side
  readonly bytes: Uint8Array

  constructor(from: Side, bytes: Uint8Array) {
    this.from = from
    this.bytes = bytes
  }

  get kind(): string {
    return this.from === 'client' ? 'say' : 'echo'
  }

  get channel(): number {
    return this.bytes[0] ?? 0
  }

  facts(): Facts {
    return { text: this.command(), size: this.bytes.length - HEADER_SIZE }
  }

  command(): string {
    return Buffer.from(this.bytes.subarray(HEADER_SIZE)).toString()
  }

  redacted(redactor: Redactor): Redacted {
    if (redactor.clean(this.bytes, HEADER_SIZE, this.bytes.length, TEXT)) return { bytes: this.bytes, masks: null }
    const sink = redactor.sink(this.bytes.length)
    sink.copy(this.bytes, 0, HEADER_SIZE)
    redactor.write(sink, this.bytes, HEADER_SIZE, this.bytes.length, TEXT)
    sink.setInt32(1, sink.size - HEADER_SIZE)
    return sink.finish()
  }
}

/** The tests' protocol: several conversations on one socket, nothing owed, nothing out of turn. */
export class EchoWire implements ByteWire {
  readonly #rest: Record<Side, Uint8Array> = { client: new Uint8Array(), server: new Uint8Array() }

  receive(from: Side, chunk: Uint8Array): readonly Message[] {
    const bytes = this.#rest[from].length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest[from], chunk])
    const messages: Message[] = []
    let at = 0
    while (bytes.length - at >= HEADER_SIZE) {
      const size = bytes.readUInt32BE(at + 1)
      if (size > MAX_ECHO_BYTES)
        throw new ApplianceError('PROTOCOL_OVERSIZE', `echo frame of ${size} bytes; limit ${MAX_ECHO_BYTES}`)
      if (bytes.length - at < HEADER_SIZE + size) break
      messages.push(new EchoMessage(from, bytes.subarray(at, at + HEADER_SIZE + size)))
      at += HEADER_SIZE + size
    }
    this.#rest[from] = bytes.subarray(at)
    return messages
  }

  release(message: Message, bytes: Uint8Array = message.bytes): readonly Output[] {
    return [{ to: message.from === 'client' ? 'server' : 'client', bytes }]
  }

  refuse(message: Message, refusal: Refusal): readonly Output[] {
    return [own(message.channel, 'refusal', `! ${refusal.message}`)]
  }

  notify(message: Message, notice: Notice): readonly Output[] {
    return [own(message.channel, 'notice', `? ${notice.message}`)]
  }

  farewell(refusal: Refusal): readonly Output[] {
    return [own(0, 'farewell', `! ${refusal.message}`)]
  }
}

function own(channel: number, kind: string, text: string): Output {
  return { to: 'client', bytes: echoFrame(channel, text), own: { kind, facts: {} } }
}

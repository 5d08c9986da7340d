import { ApplianceError } from '../../../schemas/errors.ts'
import type { Side } from '../../message.ts'
import type { LastWords, TunnelCodec, TunnelMessage } from '../http/tunnel-message.ts'
import { encodeFrame, OPCODES, type WebSocketMessage, WebSocketReader } from '../http/websocket.ts'
import { farewellFrame } from '../http/websocket-tunnel.ts'
import { ExecStreams, type StreamName } from './exec-streams.ts'
import { failureStatus } from './status.ts'

/** Understood: binary messages whose first byte is the stream; 5 can also close one. Those in base64 and without a status are not agreed on. */
export const EXEC_PROTOCOLS: ReadonlySet<string> = new Set(['v5.channel.k8s.io', 'v4.channel.k8s.io'])

const NAMES: readonly StreamName[] = ['stdin', 'stdout', 'stderr', 'error', 'resize']
/** Of version 5: the next byte is the stream that is closed. */
const CLOSES = 255
const FROM_CLIENT: ReadonlySet<StreamName> = new Set(['stdin', 'resize'])

/** Exec and attach over a WebSocket (KEP-4006). */
export class ChannelSocket implements TunnelCodec {
  readonly #streams: ExecStreams
  readonly #readers = { client: new WebSocketReader('client'), server: new WebSocketReader('server') }

  constructor(parts: { readonly channel: number; readonly terminal: boolean }) {
    this.#streams = new ExecStreams({ ...parts, farewell: (words) => this.farewell(words) })
  }

  receive(from: Side, chunk: Uint8Array): readonly TunnelMessage[] {
    return this.#readers[from].receive(chunk).flatMap((message) => this.#messages(from, message))
  }

  rest(from: Side, idleMs = 0): readonly TunnelMessage[] {
    return this.#streams.rest(from, idleMs)
  }

  holds(from: Side): boolean {
    return this.#streams.holds(from)
  }

  farewell(words: LastWords): Uint8Array {
    // What stands on the stream of errors is what clients show.
    const payload = Buffer.concat([Buffer.from([NAMES.indexOf('error')]), failureStatus(words)])
    return Buffer.concat([encodeFrame('client', { opcode: OPCODES.binary, payload }), farewellFrame(words)])
  }

  #messages(from: Side, message: WebSocketMessage): TunnelMessage[] {
    const { opcode, payload } = message
    const to = from === 'client' ? 'server' : 'client'
    if (opcode >= OPCODES.close) {
      const type = opcode === OPCODES.close ? 'close' : opcode === OPCODES.ping ? 'ping' : 'pong'
      const told = this.#streams.control(
        from,
        { type },
        encodeFrame(to, message),
        opcode === OPCODES.close ? payload.subarray(2) : payload,
      )
      return opcode === OPCODES.close ? [...this.#streams.flush(from), told] : [told]
    }
    const [id] = payload
    if (opcode !== OPCODES.binary || id === undefined) throw malformed('a message is not binary, or empty')
    if (id === CLOSES) {
      const name = NAMES[payload[1] ?? CLOSES]
      if (name === undefined || payload.length !== 2) throw malformed('what is to be closed is no stream')
      return [...this.#streams.flush(from), this.#streams.eof(from, { stream: name }, encodeFrame(to, message))]
    }
    const name = NAMES[id]
    if (name === undefined || FROM_CLIENT.has(name) !== (from === 'client')) throw malformed(`stream ${id} is none of its side`)
    const frame = (bytes: Uint8Array): Uint8Array =>
      encodeFrame(to, { opcode: OPCODES.binary, payload: Buffer.concat([payload.subarray(0, 1), bytes]) })
    return this.#streams.messages({ from, name, id, bytes: payload.subarray(1), last: false, frame })
  }
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('PROTOCOL_MALFORMED', `remote command: ${what}`)
}

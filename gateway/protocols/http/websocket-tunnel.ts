import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { Field, Redacted, Redactor, Side } from '../../message.ts'
import { callFacts } from '../../policy/http/calls.ts'
import { redactBody, redactText } from './body.ts'
import type { JsonFields } from './json-body.ts'
import { type LastWords, type TunnelCodec, TunnelMessage } from './tunnel-message.ts'
import { CLOSE_CODES, closePayload, encodeFrame, OPCODES, type WebSocketMessage, WebSocketReader } from './websocket.ts'

const NAMES = new Map<number, string>(Object.entries(OPCODES).map(([name, code]) => [code, name]))
const REASON: Field = { path: 'websocket.close', action: 'scan' }
const CODE_BYTES = 2
/** What cannot be read for what it calls is judged as a call. */
const CALLS = ['rpc_method', 'graphql', 'unread_calls']

/** The one upgrade of ordinary services. */
export function isWebSocket({ headers, method }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.trim().toLowerCase() === 'websocket'
}

/** A WebSocket of an ordinary service: every message, control frames among them, passes the gate whole. */
export class WebSocketTunnel implements TunnelCodec {
  readonly #channel: number
  readonly #fields: JsonFields
  readonly #readers = { client: new WebSocketReader('client'), server: new WebSocketReader('server') }

  constructor({ channel, fields }: { readonly channel: number; readonly fields: JsonFields }) {
    this.#channel = channel
    this.#fields = fields
  }

  receive(from: Side, chunk: Uint8Array): readonly TunnelMessage[] {
    return this.#readers[from].receive(chunk).map((message) => this.#message(from, message))
  }

  /** Whole messages keep nothing back. */
  rest(): readonly TunnelMessage[] {
    return []
  }

  farewell(words: LastWords): Uint8Array {
    return farewellFrame(words)
  }

  #message(from: Side, { opcode, payload }: WebSocketMessage): TunnelMessage {
    if (opcode === OPCODES.text && !isUtf8(payload))
      throw new ApplianceError('PROTOCOL_MALFORMED', 'WebSocket: a text message is not UTF-8')
    const facts = factsOf(from, opcode, payload)
    const calls = CALLS.some((name) => facts[name] !== undefined)
    return new TunnelMessage({
      from,
      kind: from === 'server' ? 'ws-output' : calls ? 'ws-call' : 'ws-input',
      channel: this.#channel,
      bytes: payload,
      facts,
      redact: (redactor, bytes) => this.#redact(redactor, bytes, { opcode, answer: from === 'server' }),
      frame: (bytes) => encodeFrame(from === 'client' ? 'server' : 'client', { opcode, payload: bytes }),
      farewell: farewellFrame,
    })
  }

  #redact(
    redactor: Redactor,
    bytes: Uint8Array,
    { opcode, answer }: { readonly opcode: number; readonly answer: boolean },
  ): Redacted {
    const sink = redactor.sink(bytes.length)
    if (opcode === OPCODES.close) {
      const code = Math.min(CODE_BYTES, bytes.length)
      sink.copy(bytes, 0, code)
      redactor.write(sink, bytes, code, bytes.length, REASON)
    } else if (opcode === OPCODES.text) redactText(redactor, sink, [bytes, 0, bytes.length], { fields: this.#fields, answer })
    else redactBody(redactor, sink, [bytes, 0, bytes.length], { media: 'unknown', fields: this.#fields, answer })
    const redacted = sink.finish()
    if (redacted.masks === null) return { bytes, masks: null }
    // A control frame cannot grow: a reason that would is left out, and a ping's is blank.
    if (opcode >= OPCODES.close && redacted.bytes.length > MAX_CONTROL_BYTES)
      return { bytes: opcode === OPCODES.close ? bytes.slice(0, CODE_BYTES) : new Uint8Array(), masks: null }
    return redacted
  }
}

const MAX_CONTROL_BYTES = 125

function factsOf(from: Side, opcode: number, payload: Uint8Array): Facts {
  const type = NAMES.get(opcode) ?? 'unknown'
  if (opcode === OPCODES.close)
    return { type, size: payload.length, ...(payload.length < 2 ? {} : { code: Buffer.from(payload).readUInt16BE() }) }
  const calls = from === 'client' && (opcode === OPCODES.text || opcode === OPCODES.binary)
  return { type, size: payload.length, ...(calls ? callFacts(payload, BINARY) : {}) }
}

/** Whatever its opcode: what does not begin like JSON is looked into by nobody. */
const BINARY = { contentType: 'application/octet-stream' }

export function farewellFrame({ message, rules }: LastWords): Uint8Array {
  const reason = rules.length === 0 ? message : `${message} [${rules.join(', ')}]`
  return encodeFrame('client', { opcode: OPCODES.close, payload: closePayload(CLOSE_CODES.policy, `sallyport: ${reason}`) })
}

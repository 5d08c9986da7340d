import { ApplianceError } from '../../../schemas/errors.ts'
import type { Facts } from '../../../schemas/frame.ts'
import type { Side } from '../../message.ts'
import type { LastWords, TunnelCodec, TunnelMessage } from '../http/tunnel-message.ts'
import { encodeFrame, OPCODES, WebSocketReader } from '../http/websocket.ts'
import { farewellFrame } from '../http/websocket-tunnel.ts'
import { ExecStreams, type StreamName } from './exec-streams.ts'
import { SPDY, type SpdyFrame, SpdyReader, spdyData } from './spdy.ts'
import { failureStatus } from './status.ts'

const TYPES = new Map<number, string>(Object.entries(SPDY).map(([name, type]) => [type, name]))
const NAMES: ReadonlySet<string> = new Set<StreamName>(['stdin', 'stdout', 'stderr', 'error', 'resize', 'data'])
/** As many connections as a forward has at once, two streams each. */
const MAX_STREAMS = 4096
/** Of a GOAWAY frame: SPDY/3, the last stream that was taken, and that all is well. */
const GO_AWAY = Buffer.from([0x80, 3, 0, SPDY.goAway, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0])

interface Stream {
  readonly name: StreamName
  readonly facts: Facts
  /** Sides that have said all. */
  readonly over: Set<Side>
}

/** Exec, attach and port-forward over SPDY/3.1: frames pass as they came, those of data with what was masked in them. */
export class SpdyTunnel implements TunnelCodec {
  readonly #streams: ExecStreams
  readonly #readers = { client: new SpdyReader(), server: new SpdyReader() }
  readonly #open = new Map<number, Stream>()
  readonly #wrap: (to: Side, bytes: Uint8Array) => Uint8Array

  /** `wrap`: what carries its frames where they do not go as they are. */
  constructor(
    parts: { readonly channel: number; readonly terminal: boolean },
    wrap: (to: Side, bytes: Uint8Array) => Uint8Array = (_, bytes) => bytes,
  ) {
    this.#wrap = wrap
    this.#streams = new ExecStreams({ ...parts, farewell: (words) => this.farewell(words) })
  }

  async receive(from: Side, chunk: Uint8Array): Promise<readonly TunnelMessage[]> {
    const frames = await this.#readers[from].receive(chunk)
    return frames.flatMap((frame) => ('bytes' in frame ? this.#data(from, frame) : this.#control(from, frame)))
  }

  rest(from: Side, idleMs = 0): readonly TunnelMessage[] {
    return this.#streams.rest(from, idleMs)
  }

  holds(from: Side): boolean {
    return this.#streams.holds(from)
  }

  /** For what has to stand behind all that came. */
  flush(from: Side): readonly TunnelMessage[] {
    return this.#streams.flush(from)
  }

  farewell(words: LastWords): Uint8Array {
    const errors = [...this.#open].filter(([, { name, over }]) => name === 'error' && !over.has('server'))
    const said = errors.map(([id]) => this.#wrap('client', spdyData(id, failureStatus(words), true)))
    return Buffer.concat([...said, this.#wrap('client', GO_AWAY)])
  }

  close(): void {
    this.#readers.client.close()
    this.#readers.server.close()
  }

  /** Of what carries the frames. */
  carried(from: Side, facts: Facts, raw: Uint8Array, shown: Uint8Array): TunnelMessage {
    return this.#streams.control(from, facts, raw, shown)
  }

  #data(from: Side, { stream: id, bytes, last }: Extract<SpdyFrame, { bytes: Uint8Array }>): TunnelMessage[] {
    const stream = this.#open.get(id)
    if (stream === undefined || stream.over.has(from)) throw malformed(`data of the stream ${id}, which is not open`)
    if (last) this.#over(id, stream, from)
    const frame = (released: Uint8Array, end: boolean): Uint8Array => this.#wrap(other(from), spdyData(id, released, end))
    return this.#streams.messages({ from, name: stream.name, id, bytes, last, facts: stream.facts, frame })
  }

  #control(from: Side, { type, stream: id, headers, last, raw }: Extract<SpdyFrame, { type: number }>): TunnelMessage[] {
    const told: TunnelMessage[] = []
    if (type === SPDY.synStream) this.#begin(from, id, new Map(headers))
    else if (last) {
      const stream = this.#open.get(id)
      if (stream !== undefined) this.#over(id, stream, from)
    }
    // What was kept back stands before what ends it.
    if (type === SPDY.reset || type === SPDY.goAway || last) told.push(...this.flush(from))
    if (type === SPDY.reset) {
      this.#open.delete(id)
      this.#streams.over(id)
    }
    const facts: Facts = { type: TYPES.get(type) ?? 'unknown', ...(id === 0 ? {} : { stream: id }) }
    const shown = type === SPDY.synStream || type === SPDY.synReply || type === SPDY.headers ? textOf(headers) : numbersIn(raw)
    told.push(this.#streams.control(from, facts, this.#wrap(other(from), raw), shown))
    return told
  }

  #begin(from: Side, id: number, headers: ReadonlyMap<string, string>): void {
    const name = headers.get('streamtype') ?? ''
    if (from !== 'client' || this.#open.has(id) || !isStreamName(name)) throw malformed(`the stream ${id} cannot be opened`)
    if (this.#open.size >= MAX_STREAMS) throw new ApplianceError('PROTOCOL_OVERSIZE', `SPDY: more than ${MAX_STREAMS} streams`)
    const port = headers.get('port')
    this.#open.set(id, { name, facts: { stream: id, ...(port === undefined ? {} : { port }) }, over: new Set() })
  }

  #over(id: number, stream: Stream, from: Side): void {
    stream.over.add(from)
    if (stream.over.size === 2) this.#open.delete(id)
  }
}

/** SPDY in the messages of a WebSocket: port-forward of current clients (KEP-4006). */
export class SpdySocket implements TunnelCodec {
  readonly #spdy: SpdyTunnel
  readonly #readers = { client: new WebSocketReader('client'), server: new WebSocketReader('server') }

  constructor(parts: { readonly channel: number; readonly terminal: boolean }) {
    this.#spdy = new SpdyTunnel(parts, (to, payload) => encodeFrame(to, { opcode: OPCODES.binary, payload }))
  }

  async receive(from: Side, chunk: Uint8Array): Promise<readonly TunnelMessage[]> {
    const told: TunnelMessage[] = []
    for (const message of this.#readers[from].receive(chunk)) {
      const { opcode, payload } = message
      if (opcode === OPCODES.text) throw malformed('a message is not binary')
      if (opcode === OPCODES.binary) told.push(...(await this.#spdy.receive(from, payload)))
      else {
        const type = opcode === OPCODES.close ? 'close' : opcode === OPCODES.ping ? 'ping' : 'pong'
        if (type === 'close') told.push(...this.#spdy.flush(from))
        const shown = type === 'close' ? payload.subarray(2) : payload
        told.push(this.#spdy.carried(from, { type }, encodeFrame(other(from), message), shown))
      }
    }
    return told
  }

  rest(from: Side, idleMs = 0): readonly TunnelMessage[] {
    return this.#spdy.rest(from, idleMs)
  }

  holds(from: Side): boolean {
    return this.#spdy.holds(from)
  }

  farewell(words: LastWords): Uint8Array {
    return Buffer.concat([this.#spdy.farewell(words), farewellFrame(words)])
  }

  close(): void {
    this.#spdy.close()
  }
}

function textOf(headers: Extract<SpdyFrame, { type: number }>['headers']): Buffer {
  return Buffer.from(headers.map(([name, value]) => `${name}: ${value}\n`).join(''), 'latin1')
}

/** All that a frame without headers says, behind its own head: words of 32 bits. */
function numbersIn(raw: Uint8Array): Buffer {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const numbers: number[] = []
  for (let at = 8; at + 4 <= raw.length; at += 4) numbers.push(view.getUint32(at))
  return Buffer.from(numbers.join(' '))
}

function other(side: Side): Side {
  return side === 'client' ? 'server' : 'client'
}

function isStreamName(name: string): name is StreamName {
  return NAMES.has(name)
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('PROTOCOL_MALFORMED', `SPDY: ${what}`)
}

import { isIPv4 } from 'node:net'
import { type Frame, isReleased } from '../../schemas/frame.ts'
import type { ProtocolName, SessionInfo } from '../../schemas/session.ts'
import {
  type Endpoint,
  interfaceBlock,
  packetBlock,
  sectionBlock,
  statisticsBlock,
  TCP_FLAGS,
  tcpPacket,
} from './capture-blocks.ts'
import { fieldOf, hasHead, isOfExchange, readHead } from './http-parts.ts'
import { derivedFrom, type Origin } from './origin.ts'

/** Ports by which dissectors know a protocol, whatever the target's own is. */
const PORTS: Readonly<Partial<Record<ProtocolName, number>>> = { postgres: 5432, http: 80, kubernetes: 80, egress: 80, echo: 7 }
/** For documentation (RFC 5737), where the real end is a name or has an IPv6 address. */
const CLIENT: readonly number[] = [192, 0, 2, 1]
const TARGET: readonly number[] = [192, 0, 2, 2]
/** Of one packet: an IPv4 packet has 65,535 bytes with its headers. */
const MAX_PAYLOAD_SIZE = 60_000
const FIRST_PORT = 49_152
const PORT_COUNT = 16_384
/** Streams whose numbers are kept; the oldest is closed for the next one. */
const MAX_OPEN_STREAMS = 1_000
/** Of a blocked message, in the comment of a packet without bytes. */
const MAX_BLOCKED_CHARS = 500
const NOTHING = new Uint8Array(0)
const LAST_CHUNK = Buffer.from('0\r\n\r\n')

interface Stream {
  readonly client: Endpoint
  readonly target: Endpoint
  /** Next of the client, and of the target. */
  readonly seq: { in: number; out: number }
  /** The request's body is sent in chunks, and has not ended. */
  isChunked: boolean
}

/** Whether packets can be made of what such a session recorded. */
export function hasPackets(protocol: ProtocolName): boolean {
  return PORTS[protocol] !== undefined
}

/**
 * A session as a capture (pcapng) of what the gateway released, for tools that read packets: `in` as the target got it, `out` as the client did, the
 * latter and the recorded copy of the former masked. Packets, their headers and, of HTTP, the framing of request bodies are made up; a comment of each
 * tells its frame and verdict. What was blocked is a packet without bytes. Of HTTP each exchange is a connection.
 */
export class PcapNg {
  readonly #session: SessionInfo
  readonly #origin: Origin
  readonly #product: string
  readonly #streams = new Map<number, Stream>()
  readonly #leftOut = new Map<string, number>()
  #opened = 0
  #lastUs: number
  readonly #startUs: number

  constructor(session: SessionInfo, origin: Origin, product: string) {
    this.#session = session
    this.#origin = origin
    this.#product = product
    this.#startUs = Date.parse(session.startedAt) * 1_000
    this.#lastUs = this.#startUs
  }

  *begin(): Generator<Uint8Array> {
    const { client, target } = this.#session
    const real = `client ${client}, target ${target.name} at ${target.host}:${target.port}`
    yield sectionBlock(
      `${derivedFrom(this.#origin)}. Headers of packets are made up, payloads are masked. ${real}`,
      `Sallyport ${this.#product}`,
    )
    yield interfaceBlock(this.#session.id)
  }

  *add(frame: Frame): Generator<Uint8Array> {
    const { dir, kind, body, verdict } = frame
    if (dir === 'note') return
    const isHttp = this.#session.target.protocol !== 'postgres' && this.#session.target.protocol !== 'echo'
    if (isHttp && !isOfExchange(frame)) {
      this.#leftOut.set(kind, (this.#leftOut.get(kind) ?? 0) + 1)
      return
    }
    this.#lastUs = this.#startUs + frame.atUs
    yield* this.#stream(isHttp ? frame.channel : 0)
    const stream = this.#streams.get(isHttp ? frame.channel : 0)
    if (stream === undefined) return
    if (!isReleased(frame)) {
      const text = new TextDecoder().decode(body?.subarray(0, MAX_BLOCKED_CHARS) ?? NOTHING)
      yield* this.#send(stream, dir, NOTHING, `${commentOf(frame)}; not sent on: ${shown(text)}`)
      return
    }
    if (dir === 'out' && stream.isChunked) {
      stream.isChunked = false
      yield* this.#send(stream, 'in', LAST_CHUNK, '')
    }
    const bytes = body ?? NOTHING
    if (bytes.length === 0 && verdict === null) return
    const framed = isHttp && dir === 'in' ? framedRequest(frame, bytes, stream) : bytes
    yield* this.#send(stream, dir, framed, commentOf(frame))
  }

  *end(): Generator<Uint8Array> {
    for (const channel of [...this.#streams.keys()]) yield* this.#close(channel)
    if (this.#leftOut.size === 0) return
    const kinds = [...this.#leftOut].map(([kind, count]) => `${count} ${kind}`).join(', ')
    yield statisticsBlock(this.#lastUs, `frames without packets, as they are no messages of HTTP: ${kinds}`)
  }

  *#stream(channel: number): Generator<Uint8Array> {
    if (this.#streams.has(channel)) return
    const [oldest] = this.#streams.keys()
    if (oldest !== undefined && this.#streams.size >= MAX_OPEN_STREAMS) yield* this.#close(oldest)
    const { client, target } = this.#session
    const [, address = '', port] = /^(.*?):(\d+)$/.exec(client) ?? []
    const { protocol } = target
    const stream: Stream = {
      client: {
        address: addressOf(address, CLIENT),
        port: this.#opened === 0 && port !== undefined ? Number(port) : FIRST_PORT + (this.#opened % PORT_COUNT),
      },
      target: { address: addressOf(target.host, TARGET), port: PORTS[protocol] ?? target.port },
      seq: { in: 0, out: 0 },
      isChunked: false,
    }
    this.#opened += 1
    this.#streams.set(channel, stream)
    const { syn, ack } = TCP_FLAGS
    yield this.#packet(stream, 'in', syn, NOTHING, '')
    stream.seq.in = 1
    yield this.#packet(stream, 'out', syn | ack, NOTHING, '')
    stream.seq.out = 1
    yield this.#packet(stream, 'in', ack, NOTHING, '')
  }

  *#send(stream: Stream, dir: 'in' | 'out', bytes: Uint8Array, comment: string): Generator<Uint8Array> {
    const { psh, ack } = TCP_FLAGS
    for (let at = 0; at < bytes.length || at === 0; at += MAX_PAYLOAD_SIZE) {
      const payload = bytes.subarray(at, at + MAX_PAYLOAD_SIZE)
      yield this.#packet(stream, dir, payload.length === 0 ? ack : psh | ack, payload, comment)
      stream.seq[dir] = (stream.seq[dir] + payload.length) >>> 0
    }
  }

  *#close(channel: number): Generator<Uint8Array> {
    const stream = this.#streams.get(channel)
    this.#streams.delete(channel)
    if (stream === undefined) return
    const { fin, ack } = TCP_FLAGS
    if (stream.isChunked) yield* this.#send(stream, 'in', LAST_CHUNK, '')
    for (const dir of ['out', 'in'] as const) {
      yield this.#packet(stream, dir, fin | ack, NOTHING, '')
      stream.seq[dir] = (stream.seq[dir] + 1) >>> 0
    }
    yield this.#packet(stream, 'out', ack, NOTHING, '')
  }

  #packet({ client, target, seq }: Stream, dir: 'in' | 'out', flags: number, payload: Uint8Array, comment: string): Uint8Array {
    const ends = dir === 'in' ? { from: client, to: target } : { from: target, to: client }
    const ack = (flags & TCP_FLAGS.ack) === 0 ? 0 : seq[dir === 'in' ? 'out' : 'in']
    return packetBlock(this.#lastUs, tcpPacket({ ...ends, seq: seq[dir], ack, flags, payload }), comment)
  }
}

/** The recording is without the framing of either hop: a request's body gets one, as nothing else says where it ends. */
function framedRequest(frame: Frame, bytes: Uint8Array, stream: Stream): Uint8Array {
  if (!hasHead(frame)) return stream.isChunked ? chunkOf(bytes) : bytes
  const head = readHead(bytes)
  const rest = bytes.subarray(head.size)
  if (fieldOf(head, 'content-length') !== undefined) return bytes
  const [method = ''] = head.start.split(' ')
  const isWhole = frame.facts['part'] === undefined
  if (rest.length === 0 && !(isWhole && /^(POST|PUT|PATCH|DELETE)$/.test(method))) return bytes
  stream.isChunked = rest.length === 0 || !isWhole
  const framing = stream.isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${rest.length}`
  const lines = Buffer.from(bytes.subarray(0, head.size - 2))
  return Buffer.concat([lines, Buffer.from(`${framing}\r\n\r\n`), stream.isChunked ? chunkOf(rest) : rest])
}

function chunkOf(bytes: Uint8Array): Uint8Array {
  // One without bytes would end the body.
  if (bytes.length === 0) return NOTHING
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

function commentOf({ seq, kind, verdict }: Frame): string {
  if (verdict === null) return `frame ${seq} ${kind}`
  const approval = verdict.approval === undefined ? '' : ` | approval ${verdict.approval}`
  return `frame ${seq} ${kind} | ${verdict.act} ${verdict.rules.join(' ')} | policy ${verdict.policy}${approval}`
}

function addressOf(text: string, otherwise: readonly number[]): Uint8Array {
  return Uint8Array.from(isIPv4(text) ? text.split('.').map(Number) : otherwise)
}

/** Whatever is no printable character of ASCII as a dot. */
function shown(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, '.')
}

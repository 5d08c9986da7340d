import { type Frame, isReleased, MASK_SPAN_SIZE } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { Act } from '../../schemas/verdict.ts'
import { headSize } from '../../schemas/views/http.ts'
import { requestLine } from '../../schemas/views/kubernetes.ts'

/** Exchanges listed; who has more looks for frames. */
export const MAX_EXCHANGES = 50_000
/** Frames named of one exchange: what a page of details can show. */
const MAX_FRAMES = 1_000
/** Of a name in the list; the request shows it whole. */
const MAX_NAME_CHARS = 300

/** Protocols whose sessions are requests and answers. */
const PROTOCOLS: ReadonlySet<ProtocolName> = new Set(['http', 'kubernetes', 'egress'])
/** Frames that begin an exchange; of a held request there are two, the second being the one that was let go on. */
const ASKS: ReadonlySet<string> = new Set(['request', 'exec', 'attach', 'port-forward'])

export function hasExchanges(protocol: ProtocolName): boolean {
  return PROTOCOLS.has(protocol)
}

/** `opened`: a tunnel whose TLS the gateway ended; the requests inside are exchanges of their own. */
export type ExchangeKind = 'request' | 'call' | 'socket' | 'tunnel' | 'opened' | 'exec' | 'attach' | 'port-forward'

/** A request with all that belongs to it: its answer, the messages of what it was upgraded to, a tunnel. Texts are untrusted. */
export interface Exchange {
  /** From 0, in the order of requests. */
  readonly n: number
  readonly channel: number
  readonly kind: ExchangeKind
  readonly method: string
  /** Path, tool or method of a call, or a Kubernetes request in the words of kubectl. */
  readonly name: string
  readonly host: string
  readonly status: number | null
  /** Numbers of its frames, in order; of very many the first. */
  readonly frames: readonly number[]
  readonly frameCount: number
  readonly act: Act | null
  readonly rules: readonly string[]
  readonly approval: string | null
  /** When it was asked; let go on to the target (null: never); first answered; told of last. */
  readonly startUs: number
  readonly sentUs: number | null
  readonly firstUs: number | null
  readonly endUs: number
  /** Bodies, without heads. */
  readonly bytesIn: number
  readonly bytesOut: number
  readonly masked: number
  /** Nothing comes after it: its answer was complete, or it was cut. */
  readonly ended: boolean
}

type Growing = { -readonly [K in keyof Exchange]: Exchange[K] } & { frames: number[] }

const GRAVITY: Readonly<Record<Act, number>> = { allow: 0, mask: 1, hold: 2, block: 3 }

/** Puts a session's exchanges together from its frames, given in tape order. */
export class ExchangeIndex {
  readonly #protocol: ProtocolName
  readonly #target: string
  readonly #open = new Map<number, Growing>()
  readonly #all: Growing[] = []
  #changed = new Set<Growing>()

  /** `target` stands for the host where the protocol does not tell it: a target is one service. */
  constructor(protocol: ProtocolName, target: string) {
    this.#protocol = protocol
    this.#target = target
  }

  get full(): boolean {
    return this.#all.length >= MAX_EXCHANGES
  }

  push(frame: Frame): void {
    const channel = typeof frame.facts['channel'] === 'number' ? frame.facts['channel'] : frame.channel
    if (channel === 0) return
    const part = frame.facts['part']
    const begins = frame.dir === 'in' && ASKS.has(frame.kind) && part !== 'middle' && part !== 'last'
    const known = this.#open.get(channel)
    const again = known !== undefined && known.sentUs === null && known.firstUs === null
    if (!begins || again) {
      if (known !== undefined) this.#add(known, frame)
    } else if (!this.full) this.#begin(frame, channel)
  }

  /** Those that began or went on since this was asked last; structured-cloneable. */
  news(): Exchange[] {
    const changed = [...this.#changed]
    this.#changed = new Set()
    return changed
  }

  #begin(frame: Frame, channel: number): void {
    const exchange: Growing = {
      n: this.#all.length,
      channel,
      ...aboutOf(this.#protocol, frame, this.#target),
      status: null,
      frames: [],
      frameCount: 0,
      act: null,
      rules: [],
      approval: null,
      startUs: frame.atUs,
      sentUs: null,
      firstUs: null,
      endUs: frame.atUs,
      bytesIn: 0,
      bytesOut: 0,
      masked: 0,
      ended: false,
    }
    this.#open.set(channel, exchange)
    this.#all.push(exchange)
    this.#add(exchange, frame)
  }

  #add(exchange: Growing, frame: Frame): void {
    const { dir, kind, facts, verdict, masks, atUs, seq } = frame
    exchange.frameCount += 1
    if (exchange.frames.length < MAX_FRAMES) exchange.frames.push(seq)
    exchange.endUs = atUs
    if (verdict !== null) {
      if (exchange.act === null || GRAVITY[verdict.act] > GRAVITY[exchange.act]) exchange.act = verdict.act
      exchange.rules = [...new Set([...exchange.rules, ...verdict.rules])]
      exchange.approval ??= verdict.approval ?? null
    }
    if (masks !== null) exchange.masked += masks.spans.length / MASK_SPAN_SIZE
    if (dir === 'in') {
      if (isReleased(frame)) exchange.sentUs ??= atUs
      exchange.bytesIn += sizeOf(frame)
    } else if (dir === 'out') {
      exchange.firstUs ??= atUs
      if (typeof facts['status'] === 'number') exchange.status = facts['status']
      if (facts['tunnel'] === 'opaque') exchange.kind = 'tunnel'
      if (facts['tunnel'] === 'intercepted') exchange.kind = 'opened'
      if (exchange.status === null && kind === 'refusal') exchange.status = statusOf(frame)
      exchange.bytesOut += sizeOf(frame)
    }
    exchange.ended ||= ENDS.has(kind) || facts['last'] === true || isWholeAnswer(frame)
    this.#changed.add(exchange)
  }
}

function aboutOf(protocol: ProtocolName, frame: Frame, target: string): Pick<Exchange, 'kind' | 'method' | 'name' | 'host'> {
  const { facts, kind } = frame
  const text = (name: string): string => {
    const value = facts[name]
    return Array.isArray(value) ? value.join(', ') : typeof value === 'string' ? value : ''
  }
  const port = facts['port']
  const host = text('host') === '' ? target : `${text('host')}${typeof port === 'number' ? `:${port}` : ''}`
  const [rpc, tool, graphql] = [text('rpc_method'), text('tool'), text('graphql')]
  const called = tool !== '' ? `${rpc === '' ? 'tool' : rpc} ${tool}` : rpc !== '' ? rpc : graphql
  const asked = protocol === 'kubernetes' ? requestLine(frame) : undefined
  const name = asked ?? (called !== '' ? called : text('path') === '' ? host : text('path'))
  return {
    kind:
      kind === 'exec' || kind === 'attach' || kind === 'port-forward'
        ? kind
        : called !== '' && asked === undefined
          ? 'call'
          : text('upgrade') !== ''
            ? 'socket'
            : 'request',
    method: asked === undefined ? text('method') : text('verb'),
    name: name.slice(0, MAX_NAME_CHARS),
    host: host.slice(0, MAX_NAME_CHARS),
  }
}

const ENDS: ReadonlySet<string> = new Set(['cut', 'refusal', 'exit', 'tunnel.closed', 'exchange.aborted'])

/** One of which the size was known passes in one message, which may be continued over frames. */
function isWholeAnswer({ dir, kind, facts }: Frame): boolean {
  const part = facts['part']
  return dir === 'out' && kind === 'response' && typeof facts['size'] === 'number' && part !== 'first' && part !== 'middle'
}

function sizeOf({ kind, facts, body }: Frame): number {
  if (body === null) return typeof facts['size'] === 'number' ? facts['size'] : 0
  const part = facts['part']
  const headed = ASKS.has(kind) || kind === 'response' || kind === 'refusal'
  return headed && part !== 'middle' && part !== 'last' ? body.length - headSize(body) : body.length
}

/** Of an answer that the gateway made itself. */
function statusOf({ body }: Frame): number | null {
  const [, status] =
    /^HTTP\/1\.1 (\d{3})/.exec(new TextDecoder('latin1').decode((body ?? new Uint8Array(0)).subarray(0, 16))) ?? []
  return status === undefined ? null : Number(status)
}

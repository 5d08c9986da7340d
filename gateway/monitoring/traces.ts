import { createHmac, randomBytes } from 'node:crypto'
import { Rate } from '../../recorder/api/rate.ts'
import type { SessionInfo } from '../../schemas/session.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import type { Settings } from '../config.ts'
import { readSecret } from '../credentials/upstream.ts'
import type { Log } from '../log.ts'
import type { Message, Output } from '../message.ts'
import { type Attribute, attribute } from './otlp.ts'
import { type Span, SpanExporter } from './span-exporter.ts'

const TRACE_BYTES = 16
const SPAN_BYTES = 8
const KEY_BYTES = 32
/** A trace is in where the first 48 bits of its keyed hash are below this share of all: whoever chooses an id cannot choose that. */
const DRAWN_BYTES = 6
const DRAWN_RANGE = 2 ** (8 * DRAWN_BYTES)
/** Requests that a target has not answered, of one session; more are not told of. */
const MAX_UPSTREAM = 1_024
/** A verdict covers many messages at once; of their rules so many are named. */
const MAX_RULES = 20

const TRACE = /^[0-9a-f]{32}$/
const SPAN = /^[0-9a-f]{16}$/

/** Gravest last. */
const GRAVITY = ['allow', 'mask', 'hold', 'block'] as const

const MESSAGES_PER_SECOND = 50

interface OpenTraces extends AsyncDisposable {
  readonly traces: Traces
}

/** Where the configuration has a collector. `gateway`: the process, as tapes name it. Rejects CONFIG_INVALID where the secret is missing. */
export async function openTraces(
  { traces: config, from }: Pick<Settings, 'traces' | 'from'>,
  gateway: string,
  { log, env }: { readonly log: Log; readonly env: NodeJS.ProcessEnv },
): Promise<OpenTraces | undefined> {
  if (config === undefined) return undefined
  const { url, authorization } = config.otlp
  const exporter = new SpanExporter({
    url,
    authorization: authorization === undefined ? undefined : await readSecret(authorization, from, env),
    gateway,
    onTold: (count) => log.tracesTold(count),
    onLost: (count) => log.tracesLost(count),
    onFailed: (error, retryMs) => log.tracesFailed(error, retryMs),
    ...(config.everyMs === undefined ? {} : { everyMs: config.everyMs }),
  })
  const { ratio = 1, messagesPerSecond = MESSAGES_PER_SECOND } = config
  return {
    traces: new Traces({ ratio, messagesPerSecond, add: (span) => exporter.add(span) }),
    [Symbol.asyncDispose]: () => exporter[Symbol.asyncDispose](),
  }
}

interface TracesParts {
  /** Of all traces, from 0 to 1. */
  readonly ratio: number
  /** Messages, and as many sessions, that one process tells of in a second. */
  readonly messagesPerSecond: number
  add(span: Span): void
}

/** Makes the spans of one process: of what is done and how long it takes, by whose rules; never of what is in it, or of who. */
export class Traces {
  readonly #parts: TracesParts
  readonly #messages: Rate
  readonly #sessions: Rate
  readonly #key = randomBytes(KEY_BYTES)

  constructor(parts: TracesParts) {
    this.#parts = parts
    const limits = { perSecond: parts.messagesPerSecond, burst: parts.messagesPerSecond }
    this.#messages = new Rate(limits)
    this.#sessions = new Rate(limits)
  }

  /** Undefined where its trace is left out, or there are too many. */
  session(info: SessionInfo): SessionTrace | undefined {
    const { trace, span } = info.claims
    const isJoined = trace !== undefined && TRACE.test(trace) && span !== undefined && SPAN.test(span)
    const traceId = isJoined ? trace : randomBytes(TRACE_BYTES).toString('hex')
    const drawn = createHmac('sha256', this.#key).update(traceId).digest().readUIntBE(0, DRAWN_BYTES)
    if (drawn >= this.#parts.ratio * DRAWN_RANGE || this.#sessions.take('') > 0) return undefined
    return new SessionTrace(
      info,
      { traceId, parent: isJoined ? span : undefined },
      (each) => this.#parts.add(each),
      () => this.#messages.take('') === 0,
    )
  }
}

/** Of one session: a span from its start to its end, and below it one for each message that is told of. */
export class SessionTrace {
  readonly #info: SessionInfo
  readonly #traceId: string
  readonly #parent: string | undefined
  readonly #spanId = newSpanId()
  readonly #startMs = nowMs()
  readonly #add: (span: Span) => void
  readonly #mayTell: () => boolean
  /** By channel: since when the target has what it has not answered. */
  readonly #upstream = new Map<number, { readonly parent: string; readonly startMs: number }>()

  constructor(
    info: SessionInfo,
    { traceId, parent }: { readonly traceId: string; readonly parent: string | undefined },
    add: (span: Span) => void,
    mayTell: () => boolean,
  ) {
    this.#info = info
    this.#traceId = traceId
    this.#parent = parent
    this.#add = add
    this.#mayTell = mayTell
  }

  /** What came at once from one end, on its way through the gate; undefined where it is not told of. */
  begin(messages: readonly Message[]): MessageTrace | undefined {
    const [first] = messages
    if (first === undefined) return undefined
    if (first.from === 'server') this.#answered(first.channel)
    if (!this.#mayTell()) return undefined
    return new MessageTrace(
      first,
      messages.length,
      {
        span: (name, startMs, parts) => this.#span(name, startMs, parts),
        released: (parent) => {
          if (this.#upstream.size < MAX_UPSTREAM) this.#upstream.set(first.channel, { parent, startMs: nowMs() })
        },
      },
      this.#spanId,
    )
  }

  end(failed: boolean): void {
    const { id, target, identity, gateway, durability } = this.#info
    this.#add({
      traceId: this.#traceId,
      spanId: this.#spanId,
      ...(this.#parent === undefined ? {} : { parentSpanId: this.#parent }),
      name: `session ${target.protocol}`,
      kind: 2,
      startTimeUnixNano: nanosOf(this.#startMs),
      endTimeUnixNano: nanosOf(nowMs()),
      attributes: [
        attribute('sallyport.session', id),
        attribute('sallyport.gateway', gateway),
        attribute('sallyport.target', target.name),
        attribute('sallyport.protocol', target.protocol),
        attribute('sallyport.identity.kind', identity.kind),
        attribute('sallyport.durability', durability),
      ],
      status: { code: failed ? 2 : 0 },
    })
  }

  #answered(channel: number): void {
    const asked = this.#upstream.get(channel)
    if (asked === undefined) return
    this.#upstream.delete(channel)
    this.#span('upstream', asked.startMs, { parent: asked.parent, kind: 3, attributes: [] })
  }

  #span(name: string, startMs: number, { parent, kind = 1, attributes, spanId = newSpanId() }: SpanParts): void {
    this.#add({
      ...{ traceId: this.#traceId, spanId, parentSpanId: parent, name, kind },
      startTimeUnixNano: nanosOf(startMs),
      endTimeUnixNano: nanosOf(nowMs()),
      attributes,
      status: { code: 0 },
    })
  }
}

interface SpanParts {
  readonly parent: string
  readonly spanId?: string
  readonly kind?: 1 | 3
  readonly attributes: readonly Attribute[]
}

interface Teller {
  span(name: string, startMs: number, parts: SpanParts): void
  released(parent: string): void
}

/** From when it came to when it may be written: below it how long it was judged, held and recorded. */
export class MessageTrace {
  readonly #first: Message
  readonly #count: number
  readonly #teller: Teller
  readonly #session: string
  readonly #spanId = newSpanId()
  readonly #startMs = nowMs()
  #judgedMs: number | undefined
  #act: (typeof GRAVITY)[number] = 'allow'
  readonly #rules = new Set<string>()
  #isOver = false

  constructor(first: Message, count: number, teller: Teller, session: string) {
    this.#first = first
    this.#count = count
    this.#teller = teller
    this.#session = session
  }

  ruled({ act, rules }: Verdict): void {
    if (GRAVITY.indexOf(act) > GRAVITY.indexOf(this.#act)) this.#act = act
    for (const rule of rules) if (this.#rules.size < MAX_RULES) this.#rules.add(rule)
  }

  judged(): void {
    this.#judgedMs = nowMs()
    this.#below('judge', this.#startMs)
  }

  /** Returns what tells that the wait is over. */
  held(): () => void {
    const startMs = nowMs()
    return () => {
      this.#below('hold', startMs)
      this.#judgedMs = nowMs()
    }
  }

  /** These are on the tape, and may be written. */
  passed(outputs: readonly Output[]): void {
    if (this.#first.from === 'client' && outputs.some(({ to, own }) => to === 'server' && own === undefined))
      this.#teller.released(this.#spanId)
  }

  /** What is being recorded, told of when it has been. */
  through(recorded: readonly Output[] | Promise<readonly Output[]>): readonly Output[] | Promise<readonly Output[]> {
    const tell = (outputs: readonly Output[]): readonly Output[] => {
      this.passed(outputs)
      this.recorded()
      return outputs
    }
    return recorded instanceof Promise ? recorded.then(tell) : tell(recorded)
  }

  /** All of it is on the tape. */
  recorded(): void {
    if (this.#isOver) return
    this.#below('record', this.#judgedMs ?? this.#startMs)
    this.over()
  }

  /** Also where nothing was recorded. Telling it again is harmless. */
  over(): void {
    if (this.#isOver) return
    this.#isOver = true
    const { kind, from, channel } = this.#first
    this.#teller.span(`${from} ${kind}`, this.#startMs, {
      parent: this.#session,
      spanId: this.#spanId,
      attributes: [
        attribute('sallyport.verdict', this.#act),
        attribute('sallyport.messages', this.#count),
        attribute('sallyport.channel', channel),
        ...(this.#rules.size === 0 ? [] : [attribute('sallyport.rules', [...this.#rules])]),
      ],
    })
  }

  #below(name: string, startMs: number): void {
    this.#teller.span(name, startMs, { parent: this.#spanId, attributes: [] })
  }
}

function newSpanId(): string {
  return randomBytes(SPAN_BYTES).toString('hex')
}

/** Since 1970, by the monotonic clock from the start of the process: no span ends before it began. */
function nowMs(): number {
  return performance.timeOrigin + performance.now()
}

/** To the microsecond: more does not fit a number. */
function nanosOf(ms: number): string {
  return `${Math.round(ms * 1_000)}000`
}

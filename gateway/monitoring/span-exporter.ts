import { setTimeout as wait } from 'node:timers/promises'
import { DeliveryError, post } from '../../recorder/notify/post.ts'
import { type Attribute, rejectedOf, resourceOf, scopeOf } from './otlp.ts'

/** Some 2 MiB; beyond it the newest are left out: what happened is on the tapes. */
const MAX_WAITING = 4_096
/** As the SDKs of OpenTelemetry do. */
const BATCH = 512
const EVERY_MS = 5_000
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 30_000
/** At the end of the process nobody waits for a collector any longer. */
const LAST_WORDS_MS = 2_000

/** Of OTLP: what we send of it. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  /** 1: internal, 2: server, 3: client. */
  readonly kind: 1 | 2 | 3
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  /** 0: unset, 2: error. */
  readonly status: { readonly code: 0 | 2 }
}

interface SpanExporterParts {
  readonly url: string
  readonly authorization: string | undefined
  /** The process, as tapes name it. */
  readonly gateway: string
  onTold(count: number): void
  /** Left out, because too many waited or the collector threw them away. */
  onLost(count: number): void
  onFailed(error: unknown, retryMs: number): void
  readonly everyMs?: number
}

/** Sends spans to a collector by OTLP over HTTP in JSON, behind everything else: adding one never waits, and what is too much is left out. */
export class SpanExporter implements AsyncDisposable {
  readonly #parts: SpanExporterParts
  readonly #stop = new AbortController()
  #waiting: Span[] = []
  #wake: () => void = () => undefined
  readonly #running: Promise<void>

  constructor(parts: SpanExporterParts) {
    this.#parts = parts
    this.#running = this.#run()
  }

  add(span: Span): void {
    if (this.#waiting.length >= MAX_WAITING) this.#parts.onLost(1)
    else if (this.#waiting.push(span) >= BATCH) this.#wake()
  }

  /** Sends what waits, once, if that is quick. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await this.#running
    const deadline = AbortSignal.timeout(LAST_WORDS_MS)
    while (this.#waiting.length > 0 && !deadline.aborted) {
      const batch = this.#waiting.splice(0, BATCH)
      await this.#send(batch, deadline).catch(() => this.#parts.onLost(batch.length))
    }
    if (this.#waiting.length > 0) this.#parts.onLost(this.#waiting.length)
  }

  async #run(): Promise<void> {
    const { onFailed, onLost, everyMs = EVERY_MS } = this.#parts
    const { signal } = this.#stop
    let retryMs = FIRST_RETRY_MS
    while (!signal.aborted) {
      if (this.#waiting.length < BATCH) await this.#pause(everyMs)
      if (signal.aborted || this.#waiting.length === 0) continue
      const batch = this.#waiting.splice(0, BATCH)
      try {
        await this.#send(batch, signal)
        retryMs = FIRST_RETRY_MS
      } catch (error) {
        const final = error instanceof DeliveryError && error.final
        const asked = error instanceof DeliveryError ? error.retryAfterMs : undefined
        if (signal.aborted || !final) this.#waiting = [...batch, ...this.#waiting]
        else onLost(batch.length)
        if (signal.aborted) return
        const pauseMs = Math.round(asked ?? retryMs * (0.75 + Math.random() / 2))
        onFailed(error, pauseMs)
        retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
        await wait(pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
  }

  async #send(spans: readonly Span[], signal: AbortSignal): Promise<void> {
    const { url, authorization, gateway, onTold, onLost } = this.#parts
    const resourceSpans = [{ resource: resourceOf(gateway), scopeSpans: [{ scope: scopeOf('traces'), spans }] }]
    const headers = { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) }
    const answer = await post(url, { headers, body: JSON.stringify({ resourceSpans }), signal })
    const rejected = Math.min(spans.length, rejectedOf(answer, 'rejectedSpans'))
    onTold(spans.length - rejected)
    if (rejected > 0) onLost(rejected)
  }

  /** Ends early when enough waits, or all is over. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#wake = () => undefined
        resolve()
      }
      const timer = setTimeout(done, ms).unref()
      this.#wake = done
    })
  }
}

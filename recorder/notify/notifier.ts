import { setTimeout as wait } from 'node:timers/promises'
import { isOpen } from '../desk/approval-log.ts'
import type { Desk } from '../desk/desk.ts'
import type { Records } from '../desk/records.ts'
import type { Channel } from './channel.ts'
import { Deliveries } from './deliveries.ts'
import { type News, newsOf } from './news.ts'
import { DeliveryError } from './post.ts'

/** A receiver that is restarted is there again within seconds; one that is not there for a quarter of an hour is somebody's incident. */
const RETRY_AFTER_MS = [1_000, 5_000, 30_000, 120_000, 600_000]
/** News that wait for a receiver; beyond it the oldest are given up. */
const MAX_WAITING = 1_000
/** Requests run out by themselves, and nobody may be looking. */
const SWEEP_MS = 5_000
/** Sweeps between two looks at what ended long ago: an hour. */
const FORGET_EVERY = 720

export interface NotifierParts {
  readonly desk: Desk
  readonly channels: readonly Channel[]
  /** How long requests that have ended stay at the desk. */
  readonly keepMs: number
  /** Where it is kept what was told; a folder of them for each channel. */
  readonly told: Records
  /** A delivery that was given up, or will be tried again. Its text has no address and no payload. */
  onFailed(channel: string, news: string, error: unknown, final: boolean): void
  /** A problem of the desk. */
  onError(error: unknown): void
  readonly retryAfterMs?: readonly number[]
}

/**
 * Tells every channel of every request as it comes and changes: in order, again after failures, at least once, also of what happened
 * while nobody ran. The gate knows nothing of it and waits for none of it. In one process of all that share the desk; it also sweeps that.
 */
export class Notifier implements AsyncDisposable {
  readonly #parts: NotifierParts
  readonly #stop = new AbortController()
  readonly #running: Promise<unknown>

  private constructor(parts: NotifierParts, lines: readonly Line[]) {
    this.#parts = parts
    const { signal } = this.#stop
    this.#running = Promise.all([this.#watch(lines), this.#sweep(lines), ...lines.map((line) => line.run(signal))])
  }

  static async open(parts: NotifierParts): Promise<Notifier> {
    const lines = parts.channels.map((channel) => new Line(channel, new Deliveries(parts.told, channel.name), parts))
    // What was open when the channel was last told of it, and is not any more.
    const listed = new Map((await parts.desk.list()).map((each) => [each.id, each]))
    for (const line of lines) {
      const { deliveries } = line
      await deliveries.forget((await deliveries.known()).filter((id) => !listed.has(id)))
      for (const id of await deliveries.open()) {
        const now = listed.get(id)
        if (now !== undefined && !isOpen(now)) line.add(newsOf(now))
      }
    }
    return new Notifier(parts, lines)
  }

  async #watch(lines: readonly Line[]): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        for await (const approval of this.#parts.desk.watch(signal)) for (const line of lines) line.add(newsOf(approval))
      } catch (error) {
        if (signal.aborted) return
        this.#parts.onError(error)
        await pause(SWEEP_MS, signal)
      }
    }
  }

  async #sweep(lines: readonly Line[]): Promise<void> {
    const { signal } = this.#stop
    for (let sweeps = 0; !signal.aborted; sweeps++) {
      try {
        const gone = await this.#parts.desk.sweep(sweeps % FORGET_EVERY === 0 ? this.#parts.keepMs : undefined)
        for (const { deliveries } of lines) await deliveries.forget(gone)
      } catch (error) {
        this.#parts.onError(error)
      }
      await pause(SWEEP_MS, signal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}

/** One channel's news, in order. */
class Line {
  readonly channel: Channel
  readonly deliveries: Deliveries
  readonly #parts: NotifierParts
  readonly #waiting: News[] = []
  #wake: () => void = () => undefined

  constructor(channel: Channel, deliveries: Deliveries, parts: NotifierParts) {
    this.channel = channel
    this.deliveries = deliveries
    this.#parts = parts
  }

  add(news: News): void {
    if (this.#waiting.length >= MAX_WAITING) {
      const oldest = this.#waiting.shift()
      const why = new DeliveryError(`${MAX_WAITING} wait already`, { final: true })
      if (oldest !== undefined) this.#parts.onFailed(this.channel.name, oldest.id, why, true)
    }
    this.#waiting.push(news)
    this.#wake()
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      const news = this.#waiting.shift()
      if (news === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
      else await this.#deliver(news, signal)
    }
  }

  async #deliver(news: News, signal: AbortSignal): Promise<void> {
    const { retryAfterMs = RETRY_AFTER_MS } = this.#parts
    const { id } = news.approval
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const last = await this.deliveries.last(id)
        if (last?.news === news.id) return
        const reference = await this.channel.deliver(news, last?.reference, signal)
        const open = isOpen(news.approval)
        await this.deliveries.note(id, { news: news.id, open, ...(reference === undefined ? {} : { reference }) })
        return
      } catch (error) {
        if (signal.aborted) return
        const usualMs = retryAfterMs[attempt]
        const final = usualMs === undefined || (error instanceof DeliveryError && error.final)
        this.#parts.onFailed(this.channel.name, news.id, error, final)
        if (final) return
        // Not all at once, where several gateways were waiting for the same receiver.
        const jitteredMs = usualMs * (0.75 + Math.random() / 2)
        await pause((error instanceof DeliveryError ? error.retryAfterMs : undefined) ?? jitteredMs, signal)
      }
    }
  }
}

/** Ends early when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

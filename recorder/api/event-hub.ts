import { randomBytes } from 'node:crypto'
import type { Response } from 'express'
import type { ServerEvent } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Viewer } from './viewer.ts'

/** A laptop that wakes up after some minutes gets what it missed; after longer it asks for its lists again. */
const MAX_KEPT = 2_000
/** Below the idle limits of proxies (commonly 30 s and more), and how soon an ended sign-in or a lost role is noticed. */
const HEARTBEAT_MS = 15_000
/** A reader that takes nothing is cut off with this much waiting for it, and catches up when it comes back. */
const MAX_WAITING_SIZE = 1 << 20
/** A browser allows six connections to one server; this is for several browsers and some scripts of one person. */
const MAX_STREAMS_PER_SUBJECT = 30
const MAX_STREAMS = 2_000
/** What a browser waits before it comes back. */
const RETRY_MS = 2_000

/** The reader of a stream as they are now; undefined once they may not follow it any more. Never rejects. */
export type Now = () => Promise<Viewer | undefined>
/** What happened, as this viewer may see it; undefined where they may not. */
export type Rendered = (viewer: Viewer) => ServerEvent | undefined

interface Kept {
  readonly n: number
  readonly rendered: Rendered
}

interface Stream {
  /** The one session it follows; undefined for one that tells of all. */
  readonly session: string | undefined
  viewer: Viewer
  readonly response: Response
  readonly accepts: (event: ServerEvent) => boolean
  readonly ends: (event: ServerEvent) => boolean
  readonly now: Now | undefined
}

/** Server-sent events (WHATWG HTML, 9.2) to everybody who listens, each told what they may see, with catch-up by Last-Event-ID. */
export class EventHub implements Disposable {
  /** Numbers of another start of this server mean nothing to this one. */
  readonly #start = randomBytes(6).toString('hex')
  readonly #kept: Kept[] = []
  readonly #streams = new Set<Stream>()
  /** What most streams are told is the same: packed once. */
  readonly #packed = new WeakMap<ServerEvent, string>()
  readonly #heartbeat: NodeJS.Timeout
  #n = 0

  constructor(heartbeatMs = HEARTBEAT_MS) {
    this.#heartbeat = setInterval(() => void this.#beat(), heartbeatMs).unref()
  }

  publish(rendered: Rendered): void {
    this.#n += 1
    this.#kept.push({ n: this.#n, rendered })
    if (this.#kept.length > MAX_KEPT) this.#kept.shift()
    for (const stream of [...this.#streams]) this.#send(stream, this.#n, rendered(stream.viewer))
  }

  /**
   * Answers with a stream that goes on until the reader leaves, `now` says no, or `ends` says so of an event. With `lastId` of this start
   * it begins with what was missed, or with `reset` where that is not kept any more. Rejects LIMIT_REACHED.
   */
  open(
    response: Response,
    viewer: Viewer,
    options: {
      readonly lastId?: string | undefined
      readonly session?: string
      readonly first?: readonly ServerEvent[]
      readonly accepts?: (event: ServerEvent) => boolean
      /** Told of every event that was sent: whether it was the last. */
      readonly ends?: (event: ServerEvent) => boolean
      readonly now?: Now
    } = {},
  ): void {
    const own = [...this.#streams].filter((stream) => stream.viewer.identity.subject === viewer.identity.subject)
    if (own.length >= MAX_STREAMS_PER_SUBJECT || this.#streams.size >= MAX_STREAMS)
      throw new ApplianceError(
        'API_LIMITED',
        `${own.length} event streams are open for ${viewer.identity.subject}; close some pages`,
      )
    const { lastId, session, first = [], accepts = () => true, ends = () => false, now } = options
    const stream: Stream = { session, viewer, response, accepts, ends, now }
    response.status(200).set({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    response.flushHeaders()
    response.write(`retry: ${RETRY_MS}\n\n`)
    this.#streams.add(stream)
    response.on('close', () => this.#streams.delete(stream))
    for (const event of first) this.#send(stream, this.#n, event)
    if (lastId !== undefined) this.#catchUp(stream, lastId)
  }

  /** Whether anybody follows this one session. */
  follows(session: string): boolean {
    for (const stream of this.#streams) if (stream.session === session) return true
    return false
  }

  #catchUp(stream: Stream, lastId: string): void {
    const [start, number] = lastId.split('.')
    const n = start === this.#start && /^\d{1,15}$/.test(number ?? '') ? Number(number) : undefined
    const oldest = this.#kept[0]?.n ?? this.#n + 1
    if (n === undefined || n > this.#n || n + 1 < oldest) {
      this.#send(stream, this.#n, { event: 'reset', data: {} })
      return
    }
    for (const { n: each, rendered } of this.#kept) if (each > n) this.#send(stream, each, rendered(stream.viewer))
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heartbeat)
    for (const { response } of this.#streams) response.end()
    this.#streams.clear()
  }

  #send(stream: Stream, n: number, event: ServerEvent | undefined): void {
    if (event === undefined || (event.event !== 'reset' && !stream.accepts(event))) return
    const { response } = stream
    if (response.writableLength > MAX_WAITING_SIZE) {
      response.destroy()
      this.#streams.delete(stream)
      return
    }
    // JSON has no line breaks, so one data line holds it.
    response.write(`id: ${this.#start}.${n}\nevent: ${event.event}\ndata: ${this.#textOf(event)}\n\n`)
    if (stream.ends(event)) {
      response.end()
      this.#streams.delete(stream)
    }
  }

  #textOf(event: ServerEvent): string {
    const known = this.#packed.get(event)
    if (known !== undefined) return known
    const text = JSON.stringify(event.data)
    this.#packed.set(event, text)
    return text
  }

  async #beat(): Promise<void> {
    for (const stream of [...this.#streams]) {
      const viewer = stream.now === undefined ? stream.viewer : await stream.now()
      if (viewer === undefined) {
        stream.response.end()
        this.#streams.delete(stream)
      } else {
        stream.viewer = viewer
        if (this.#streams.has(stream)) stream.response.write(': here\n\n')
      }
    }
  }
}

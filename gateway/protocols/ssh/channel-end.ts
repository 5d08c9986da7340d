import type { Duplex, Writable } from 'node:stream'
import type { Channel } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import { MAX_STALL_MS, within } from '../../relay.ts'

/** An end that has this much to take is slow: whoever writes waits. The window of a channel lies behind it (2 MiB). */
const MAX_UNWRITTEN = 256 * 1024

/** What was said before a peer left is waited for while some of it goes within this time: a person's terminal is to hear of it soon. */
export const HANG_UP_MS = 1_000
/** The same of a program that reads what it is sent: it may do something else in between, and windows open in steps. */
export const IDLE_HANG_UP_MS = 10_000
/** A target that is slower than this keeps no tape from being sealed. */
const LAST_WORDS_MS = 500

type Stream = 'data' | 'stderr'
type Step = { readonly stream: Stream; readonly bytes: Uint8Array } | { readonly after: () => void }

/**
 * Writes to one end of a channel, in order. The library (ssh2 1.17) loses its place when both streams of a channel wait for the
 * window at once, and writes one of them twice: so one is never begun before the other is through.
 */
export class ChannelEnd<T extends Duplex = Channel> {
  readonly channel: T
  readonly #stderr: Writable | undefined
  readonly #steps: Step[] = []
  #writing: Stream = 'data'
  /** Of those that are with the library. */
  readonly #sizes: number[] = []
  #given = 0
  #through = 0
  #sentAtLeast = 0
  #told = 0
  #over = false
  readonly #ended = Promise.withResolvers<void>()
  #wake: (() => void) | undefined

  /** `stderr`: where there is one to write to, at the client's end. */
  constructor(channel: T, stderr?: Writable) {
    this.channel = channel
    this.#stderr = stderr
    // An end that breaks is an end that is over; the connection tells why.
    channel.on('error', () => this.end())
    stderr?.on('error', () => this.end())
    channel.once('close', () => this.end())
  }

  write(stream: Stream, bytes: Uint8Array): void {
    this.#given += bytes.length
    if (this.#over || bytes.length === 0) return
    this.#steps.push({ stream, bytes })
    this.#go()
  }

  /** Runs once everything before it is with the connection. */
  after(act: () => void): void {
    if (this.#over) return
    this.#steps.push({ after: act })
    this.#go()
  }

  /** Bytes of what was written that are not with the connection: they wait, or, once it is over, nobody gets them. */
  get unsent(): number {
    return this.#given - this.#sent
  }

  /** As `unsent`, without what this has told before. */
  tellUnsent(): number {
    const size = Math.max(0, this.unsent - this.#told)
    this.#told += size
    return size
  }

  /** Ends it behind `said` and what was written by then, which is waited for as long as some of it goes within `idleMs`. */
  async finish(said: Promise<unknown>, idleMs: number): Promise<void> {
    const until = performance.now() + MAX_STALL_MS
    const through = said.then(() => new Promise<void>((resolve) => this.after(resolve)))
    const work = Promise.race([through.then(() => this.end()), this.#ended.promise])
    for (let sent = -1; !this.#over && this.#sent > sent && performance.now() < until; ) {
      sent = this.#sent
      await within(idleMs, () => work)
    }
    this.end()
  }

  /** As `finish`, once the session is over: what has not gone by then is not sent any more, and can be told. */
  async settle(said: Promise<unknown>): Promise<void> {
    await within(LAST_WORDS_MS, () => this.finish(said, LAST_WORDS_MS))
    this.end()
  }

  /** Undefined while more may be written at once; else resolves when it may, or the end is over. Rejects PROTOCOL_TIMEOUT. */
  room(): Promise<void> | undefined {
    if (this.#over || this.#given - this.#through <= MAX_UNWRITTEN) return undefined
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = undefined
        reject(
          new ApplianceError('PROTOCOL_TIMEOUT', `an end took no bytes for ${MAX_STALL_MS / 60_000} minutes; the session ends`),
        )
      }, MAX_STALL_MS)
      this.#wake = () => {
        this.#wake = undefined
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Nothing more is written. */
  end(): void {
    this.#over = true
    this.#steps.length = 0
    this.#ended.resolve()
    this.#wake?.()
  }

  #go(): void {
    for (let step = this.#steps[0]; step !== undefined; step = this.#steps[0]) {
      if ('after' in step) {
        if (this.#sizes.length > 0) return
        this.#steps.shift()
        step.after()
        continue
      }
      if (step.stream !== this.#writing && this.#sizes.length > 0) return
      if (step.stream !== this.#writing) forgetChunks(this.channel)
      this.#writing = step.stream
      this.#steps.shift()
      this.#sizes.push(step.bytes.length)
      const target = step.stream === 'data' ? this.channel : this.#stderr
      target?.write(step.bytes, (error) => this.#written(error))
    }
  }

  #written(error: Error | null | undefined): void {
    const size = this.#sizes.shift() ?? 0
    if (error === null || error === undefined) this.#through += size
    if (this.#given - this.#through <= MAX_UNWRITTEN / 2) this.#wake?.()
    if (this.#steps.length > 0) this.#go()
  }

  /** The library sends as much of a write as the window takes, and keeps the rest until there is more; once an end is over it tells no more how much that was. */
  get #sent(): number {
    const [first = 0] = this.#sizes
    const rest: unknown = Reflect.get(this.channel, '_chunk')
    const waits = Reflect.get(this.channel, '_waitWindow') === true && this.#writing === 'data' && rest instanceof Uint8Array
    this.#sentAtLeast = Math.max(this.#sentAtLeast, this.#through + (waits ? first - rest.length : 0))
    return this.#sentAtLeast
  }
}

/** What the library still keeps of a write that is through; it would be written again with the next window. */
function forgetChunks(channel: Duplex): void {
  Object.assign(channel, { _chunk: undefined, _chunkcb: undefined, _chunkErr: undefined, _chunkcbErr: undefined })
}

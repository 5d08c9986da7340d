import type { Duplex, Writable } from 'node:stream'
import type { Channel } from 'ssh2'
import { ApplianceError } from '../../../schemas/errors.ts'
import { MAX_STALL_MS } from '../../relay.ts'

/** An end that has this much to take is slow: whoever writes waits. The window of a channel lies behind it (2 MiB). */
const MAX_UNWRITTEN = 256 * 1024

/** What was said before a peer left may take so long to be through. */
export const HANG_UP_MS = 1_000

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
  #pending = 0
  #unwritten = 0
  #over = false
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
    if (this.#over || bytes.length === 0) return
    this.#unwritten += bytes.length
    this.#steps.push({ stream, bytes })
    this.#go()
  }

  /** Runs once everything before it is with the connection. */
  after(act: () => void): void {
    if (this.#over) return
    this.#steps.push({ after: act })
    this.#go()
  }

  /** Undefined while more may be written at once; else resolves when it may, or the end is over. Rejects PROTOCOL_TIMEOUT. */
  room(): Promise<void> | undefined {
    if (this.#over || this.#unwritten <= MAX_UNWRITTEN) return undefined
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
    this.#wake?.()
  }

  #go(): void {
    for (let step = this.#steps[0]; step !== undefined; step = this.#steps[0]) {
      if ('after' in step) {
        if (this.#pending > 0) return
        this.#steps.shift()
        step.after()
        continue
      }
      if (step.stream !== this.#writing && this.#pending > 0) return
      if (step.stream !== this.#writing) forgetChunks(this.channel)
      this.#writing = step.stream
      this.#steps.shift()
      this.#pending++
      const { bytes } = step
      const target = step.stream === 'data' ? this.channel : this.#stderr
      target?.write(bytes, () => this.#written(bytes.length))
    }
  }

  #written(size: number): void {
    this.#pending--
    this.#unwritten -= size
    if (this.#unwritten <= MAX_UNWRITTEN / 2) this.#wake?.()
    if (this.#steps.length > 0) this.#go()
  }
}

/** What the library still keeps of a write that is through; it would be written again with the next window. */
function forgetChunks(channel: Duplex): void {
  Object.assign(channel, { _chunk: undefined, _chunkcb: undefined, _chunkErr: undefined, _chunkcbErr: undefined })
}

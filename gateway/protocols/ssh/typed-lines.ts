import type { Message } from '../../message.ts'
import { TerminalLines } from '../../policy/shell/terminal-lines.ts'
import { LineMessage } from './line-message.ts'
import type { ByteStream } from './messages.ts'

/** Output that was quiet for so long is complete: what a shell shows of a recalled or completed line comes in one go. */
const QUIET_MS = 40
/** A program that never stops writing, or shows nothing, does not keep a line from being sent. */
const MAX_QUIET_MS = 500
/** Nor do all those together that come ahead, one behind the other: a paste of a thousand lines is there within a moment. */
const MAX_AHEAD_MS = 1_000

const INTERRUPT = 0x03
/** Enter, its other spelling, and readline's operate-and-get-next, which sends a line off as well. */
const ENTERS = new Set([0x0d, 0x0a, 0x0f])

/**
 * What is typed on one terminal, cut where a line is sent off, so that each line is judged before the key that sends it is passed on.
 * docs/shell.md says how far that reaches.
 */
export class TypedLines {
  readonly #lines: TerminalLines
  readonly #channel: number
  /** Called when what is held is to be withdrawn. */
  readonly #cancel: () => void
  #last: LineMessage | undefined
  /** Keys of a line that is not sent off yet are on their way. */
  #begun = false
  #keyAtMs = 0
  #shownAtMs = 0
  /** How long what is still to come ahead may wait. */
  #patienceMs = MAX_AHEAD_MS

  constructor(channel: number, columns: number, cancel: () => void) {
    this.#channel = channel
    this.#lines = new TerminalLines(columns)
    this.#cancel = cancel
  }

  resize(columns: number): void {
    this.#lines.resize(columns)
  }

  /** What the target sent. */
  output(chunk: Uint8Array): void {
    this.#shownAtMs = performance.now()
    this.#lines.output(chunk)
  }

  /** What the client sent, as messages of its stream, with a line before each key that sends one. */
  input(chunk: Uint8Array, secret: boolean, stream: ByteStream): readonly Message[] {
    if (chunk.includes(INTERRUPT) && this.#last?.state === 'waiting') this.#cancel()
    const messages: Message[] = []
    // What is shown cannot be of a line that comes while the one before is not even sent off.
    let ahead = this.#last?.state === 'waiting'
    let from = 0
    for (let at = 0; at <= chunk.length; at++) {
      const byte = chunk[at]
      if (byte !== undefined && !ENTERS.has(byte)) continue
      const keys = chunk.subarray(from, at)
      if (byte === undefined || !ahead || this.#begun) {
        if (keys.length > 0) messages.push(this.#keys(keys, { secret, ahead }, stream))
        if (byte !== undefined) messages.push(...this.#line([chunk.subarray(at, at + 1)], { secret, ahead }, stream))
      } else messages.push(...this.#line([keys, chunk.subarray(at, at + 1)], { secret, ahead }, stream))
      if (byte !== undefined) ahead = true
      from = at + 1
    }
    return messages
  }

  /** Read in their turn: keys typed ahead belong to a line that has not begun yet. */
  #keys(keys: Uint8Array, { secret, ahead }: Typing, stream: ByteStream): Message {
    const behind = this.#last?.state === 'waiting' ? this.#last : undefined
    this.#begun = true
    return stream.chunk(keys, secret, {
      ...(behind === undefined ? {} : { behind }),
      passing: () => {
        // What is behind a refused line goes nowhere, and is part of no other.
        if (behind?.state === 'refused') return
        this.#keyAtMs = performance.now()
        this.#lines.input(keys, ahead)
      },
    })
  }

  /**
   * A line, and what is passed on behind it: the key that sends it off, and before it the keys of one that came whole and ahead: nobody waits for their echo, and
   * what is not sent need not be taken back from whoever reads it then.
   */
  #line(sent: readonly Uint8Array[], { secret, ahead }: Typing, stream: ByteStream): Message[] {
    const behind = this.#last?.state === 'waiting' ? this.#last : undefined
    const line = new LineMessage({
      channel: this.#channel,
      begun: this.#begun || !ahead,
      settled: () => (ahead ? this.#quietAhead() : this.#quietHere()),
      read: () => (behind?.state === 'refused' ? undefined : sent.flatMap((keys) => this.#lines.input(keys, ahead))[0]),
      ...(behind === undefined ? {} : { behind }),
    })
    this.#begun = false
    this.#last = line
    return [line, ...sent.filter(({ length }) => length > 0).map((keys) => stream.chunk(keys, secret, { behind: line }))]
  }

  #quietHere(): Promise<void> | undefined {
    this.#patienceMs = MAX_AHEAD_MS
    return this.#lines.certain ? undefined : this.#quiet(MAX_QUIET_MS)
  }

  #quietAhead(): Promise<void> | undefined {
    if (this.#patienceMs <= 0) return undefined
    const beganMs = performance.now()
    return this.#quiet(Math.min(MAX_QUIET_MS, this.#patienceMs)).then(() => {
      this.#patienceMs -= performance.now() - beganMs
    })
  }

  /** Until what the last keys made the shell show is there. */
  async #quiet(maxMs: number): Promise<void> {
    const untilMs = performance.now() + maxMs
    for (;;) {
      const nowMs = performance.now()
      const sinceMs = this.#shownAtMs > this.#keyAtMs ? this.#shownAtMs : nowMs
      const leftMs = Math.min(QUIET_MS - (nowMs - sinceMs), untilMs - nowMs)
      if (leftMs <= 0) return
      await new Promise((resolve) => setTimeout(resolve, leftMs))
    }
  }
}

interface Typing {
  /** The answer to a question for a password. */
  readonly secret: boolean
  /** Before the line before was sent off. */
  readonly ahead: boolean
}

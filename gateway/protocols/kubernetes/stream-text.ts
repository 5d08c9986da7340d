import type { Facts } from '../../../schemas/frame.ts'
import { HeldBytes, isOver } from '../../held-bytes.ts'
import { type Field, joined, type LiveRedactor, type Redacted, type Redactor, type Side } from '../../message.ts'
import { type LastWords, TunnelMessage } from '../http/tunnel-message.ts'

const OUTPUT: Field = { path: 'stream.output', action: 'scan', bulk: true }
const INPUT: Field = { path: 'stream.input', action: 'scan' }
const SECRET: Field = { path: 'stream.input', action: 'mask', label: 'terminal.password', entity: 'password' }

const EMPTY = new Uint8Array()

export interface StreamParts {
  readonly from: Side
  /** `stdout`, `terminal-input`, `forward-output` ... */
  readonly kind: string
  /** The exchange. */
  readonly channel: number
  readonly facts: Facts
  /** Writes bytes of it, `last` where nothing follows. */
  readonly frame: (bytes: Uint8Array, last: boolean) => Uint8Array
  readonly farewell: (words: LastWords) => Uint8Array
}

/**
 * One direction of one stream, as messages of it: what is masked is decided across them, and keeps its length. Redacted bytes may lag behind those
 * that came; `rest` brings what is kept back. The target gets as much as the tape, but for keys.
 */
export class StreamText {
  readonly #parts: StreamParts
  /** Undefined where nothing waits for the tape's copy: a person waits for the echo of keys. */
  readonly #held: HeldBytes | undefined
  #live: LiveRedactor | undefined
  #typed: Uint8Array[] = []
  /** Something came since `rest`. */
  #fresh = false
  #came = 0
  /** What is kept back is on its way. */
  #resting = false

  constructor(parts: StreamParts) {
    this.#parts = parts
    this.#held = parts.from === 'server' || parts.kind === 'terminal-input' ? undefined : new HeldBytes()
  }

  /** Whether something is kept back, as far as its messages are through. With `idleMs`: that nobody has asked for yet, and behind which nothing came for so long. */
  holds(idleMs = 0): boolean {
    if (this.#live?.holding !== true) return false
    return idleMs === 0 || (!this.#resting && performance.now() - this.#came >= idleMs)
  }

  /** Whether something may be, once they are. */
  get fresh(): boolean {
    return this.#fresh
  }

  /** `secret`: typed where a password is asked for. */
  chunk(bytes: Uint8Array, { secret = false, last = false } = {}): TunnelMessage {
    this.#fresh = !last && (this.#fresh || bytes.length > 0)
    this.#came = performance.now()
    return this.#message(bytes, { last, says: true }, (redactor) => {
      const live = this.#redactor(redactor)
      if (secret) {
        const before = live.settle()
        const sink = redactor.sink(bytes.length)
        redactor.stream(SECRET).push(sink, bytes, 0, bytes.length)
        return before.bytes.length === 0 ? sink.finish() : joined(redactor, [before, sink.finish()])
      }
      const pushed = live.push(bytes)
      const over = live.holding && (last || (this.#held !== undefined && isOver(bytes)))
      return over ? joined(redactor, [pushed, live.settle()]) : pushed
    })
  }

  /** What is kept back, as it stands. */
  rest(): TunnelMessage {
    this.#fresh = false
    this.#resting = true
    return this.#message(EMPTY, { last: false, says: false }, (redactor) => {
      this.#resting = false
      return this.#redactor(redactor).settle()
    })
  }

  /** What the reader of this stream typed: its echo need not wait. */
  typed(bytes: Uint8Array): void {
    if (this.#live === undefined) this.#typed.push(bytes)
    else this.#live.typed(bytes)
  }

  #redactor(redactor: Redactor): LiveRedactor {
    if (this.#live === undefined) {
      this.#live = redactor.live(this.#parts.from === 'server' ? OUTPUT : INPUT)
      for (const bytes of this.#typed) this.#live.typed(bytes)
      this.#typed = []
    }
    return this.#live
  }

  #message(
    bytes: Uint8Array,
    { last, says }: { last: boolean; says: boolean },
    redact: (redactor: Redactor) => Redacted,
  ): TunnelMessage {
    const { from, kind, channel, facts, frame, farewell } = this.#parts
    // What came empty says something by that; what is kept back does not.
    const tells = last || (bytes.length === 0 && says)
    return new TunnelMessage({
      from,
      kind,
      channel,
      bytes,
      facts,
      redact,
      frame: (released) => (released.length === 0 && !tells ? EMPTY : frame(released, last)),
      farewell,
      held: this.#held,
    })
  }
}

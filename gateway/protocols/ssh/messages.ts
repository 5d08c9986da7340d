import type { Facts } from '../../../schemas/frame.ts'
import { HeldBytes, isOver } from '../../held-bytes.ts'
import { type Field, joined, type LiveRedactor, type Message, type Redacted, type Redactor, type Side } from '../../message.ts'
import type { LineMessage } from './line-message.ts'
import type { Action } from './output.ts'

/** What a person has to see before a command runs is not longer than a packet of SSH (RFC 4253, 6.1). */
const COMMAND: Field = { path: 'ssh.command', action: 'scan' }
const OUTPUT: Field = { path: 'ssh.output', action: 'scan', bulk: true }
const INPUT: Field = { path: 'ssh.input', action: 'scan' }
const SECRET: Field = { path: 'ssh.input', action: 'mask', label: 'terminal.password', entity: 'password' }

const NO_BYTES = new Uint8Array()
const NEWLINE = 0x0a

/** A request, or news of a channel: small, whole, and told by its facts. */
export class SshMessage implements Message {
  readonly part = 'whole'
  readonly units = 0
  readonly from: Side
  readonly kind: string
  readonly channel: number
  readonly bytes: Uint8Array
  /** Undefined where nothing is done, whatever policy says. */
  readonly action: Action | undefined
  readonly #facts: Facts

  /** `text`: what stands as its body on the tape, as in the command of an exec. */
  constructor(parts: {
    readonly from: Side
    readonly kind: string
    readonly channel: number
    readonly action?: Action
    readonly facts: Facts
    readonly text?: string
  }) {
    this.from = parts.from
    this.kind = parts.kind
    this.channel = parts.channel
    this.action = parts.action
    this.#facts = parts.facts
    this.bytes = parts.text === undefined ? NO_BYTES : Buffer.from(parts.text)
  }

  facts(): Facts {
    return this.#facts
  }

  command(): string {
    return this.bytes.length > 0 ? Buffer.from(this.bytes).toString() : this.kind
  }

  /** An approval is of this command in these surroundings: variables can change what a command does. */
  binding(): readonly Uint8Array[] {
    return [this.bytes, Buffer.from(JSON.stringify(this.#facts))]
  }

  redacted(redactor: Redactor): Redacted {
    if (redactor.clean(this.bytes, 0, this.bytes.length, COMMAND)) return { bytes: this.bytes, masks: null }
    const sink = redactor.sink(this.bytes.length)
    redactor.write(sink, this.bytes, 0, this.bytes.length, COMMAND)
    return sink.finish()
  }
}

/** Where in what is typed on a terminal a chunk stands. */
interface Place {
  /** The line it sends off, or was typed behind before that was decided: what is behind a refused line is not passed on. */
  readonly behind?: LineMessage
  /** Called once, when its turn has come. */
  readonly passing?: () => void
}

/**
 * One direction's bytes of one channel, as messages of one stream: what is masked is decided across them. Their redacted bytes may lag
 * behind those that came; `rest` brings what is kept back. The target gets as much as the tape, but for keys: a person waits for their echo.
 */
export class ByteStream {
  readonly #from: Side
  readonly #kind: string
  readonly #channel: number
  readonly #action: Action
  readonly #asked: string
  /** Undefined where nothing waits for the tape's copy. */
  readonly #held: HeldBytes | undefined
  #live: LiveRedactor | undefined
  /** What is kept back is on its way. */
  #resting = false
  #typed: Uint8Array[] = []

  /** `asked`: what its bytes belong to, for whoever decides about more of them. */
  constructor(from: Side, kind: string, channel: number, action: Action, asked = kind) {
    this.#from = from
    this.#kind = kind
    this.#channel = channel
    this.#action = action
    this.#asked = asked
    this.#held = from === 'server' || kind === 'terminal-input' ? undefined : new HeldBytes()
  }

  /** A chunk as it came; `secret`: what is typed where a password is asked for. */
  chunk(bytes: Uint8Array, secret = false, place: Place = {}): Message {
    return this.#message(bytes, place, (redactor) => {
      const live = this.#redactor(redactor)
      if (!secret) {
        const pushed = live.push(bytes)
        return this.#held !== undefined && live.holding && isOver(bytes) ? joined(redactor, [pushed, live.settle()]) : pushed
      }
      const before = live.settle()
      const sink = redactor.sink(bytes.length)
      redactor.stream(SECRET).push(sink, bytes, 0, bytes.length)
      return before.bytes.length === 0 ? sink.finish() : joined(redactor, [before, sink.finish()])
    })
  }

  /** A chunk that is not looked into: masking it would break what it is part of. */
  sealed(bytes: Uint8Array): Message {
    return this.#message(bytes, {}, () => ({ bytes, masks: null }))
  }

  /** What is kept back, as it stands; undefined where nothing is, or it is on its way, which at the end (`last`) it no longer is. */
  rest(last = false): Message | undefined {
    if (this.#live?.holding !== true || (this.#resting && !last)) return undefined
    this.#resting = true
    return this.#message(NO_BYTES, {}, (redactor) => {
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
      this.#live = redactor.live(this.#from === 'server' ? OUTPUT : INPUT)
      for (const bytes of this.#typed) this.#live.typed(bytes)
      this.#typed = []
    }
    return this.#live
  }

  #message(bytes: Uint8Array, place: Place, redact: (redactor: Redactor) => Redacted): StreamMessage {
    return new StreamMessage(this.#from, this.#kind, this.#channel, this.#action, bytes, place, redact, this.#asked, this.#held)
  }
}

class StreamMessage implements Message {
  readonly part = 'whole'
  readonly from: Side
  readonly kind: string
  readonly channel: number
  readonly bytes: Uint8Array
  readonly action: Action
  readonly units: number
  readonly behind: LineMessage | undefined
  readonly #redact: (redactor: Redactor) => Redacted
  readonly #asked: string
  readonly #held: HeldBytes | undefined
  /** What goes on at the target: known once it is redacted, where it waits for that. */
  passed: Uint8Array
  #passing: (() => void) | undefined
  #redacted: Redacted | undefined

  constructor(
    from: Side,
    kind: string,
    channel: number,
    action: Action,
    bytes: Uint8Array,
    { behind, passing }: Place,
    redact: (redactor: Redactor) => Redacted,
    asked: string,
    held: HeldBytes | undefined,
  ) {
    this.behind = behind
    this.#asked = asked
    this.#passing = passing
    this.from = from
    this.kind = kind
    this.channel = channel
    this.action = action
    this.bytes = bytes
    this.#held = held
    this.passed = held === undefined ? bytes : NO_BYTES
    // Lines; what has none still counts, or a budget could be evaded.
    this.units = bytes.length === 0 ? 0 : Math.max(1, linesOf(bytes))
    this.#redact = redact
  }

  pending(): undefined {
    this.#passing?.()
    this.#passing = undefined
  }

  facts(): Facts {
    return NO_FACTS
  }

  command(): string {
    return this.#asked
  }

  /** Moves the stream on, so it is done once per message, in order, whoever asks how often. */
  redacted(redactor: Redactor): Redacted {
    if (this.#redacted === undefined) {
      this.#redacted = this.#redact(redactor)
      if (this.#held !== undefined) this.passed = this.#held.pass(this.bytes, this.#redacted.bytes.length)
    }
    return this.#redacted
  }
}

const NO_FACTS: Facts = {}

function linesOf(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++
  return count
}

/** Whether it was typed behind a line that was refused. */
export function isDropped(message: Message): boolean {
  return message instanceof StreamMessage && message.behind?.state === 'refused'
}

/** What goes on of a message that is not rewritten: as much as the tape has of it. */
export function passedOf(message: Message): Uint8Array {
  return message instanceof StreamMessage ? message.passed : message.bytes
}

/** What a message of this protocol does once it is released; undefined for one of another. */
export function actionOf(message: Message): Action | undefined {
  return message instanceof SshMessage || message instanceof StreamMessage ? message.action : undefined
}

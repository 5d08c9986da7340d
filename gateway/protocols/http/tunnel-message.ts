import type { Facts } from '../../../schemas/frame.ts'
import type { Refusal } from '../../../schemas/verdict.ts'
import type { HeldBytes } from '../../held-bytes.ts'
import type { Message, Redacted, Redactor, Side } from '../../message.ts'

/** What is said in the place of what may not pass. */
export type LastWords = Pick<Refusal, 'message' | 'rules'>

/** One message of a connection that is no longer HTTP. Its bytes are what it says; how they are framed belongs to one hop. */
export class TunnelMessage implements Message {
  readonly part = 'whole'
  readonly units = 1
  readonly from: Side
  readonly kind: string
  readonly channel: number
  readonly bytes: Uint8Array
  readonly #parts: TunnelParts
  /** What goes on of it where it is not rewritten: known once it is redacted, where it waits for that. */
  passed: Uint8Array
  #redacted: Redacted | undefined

  constructor(parts: TunnelParts) {
    this.#parts = parts
    this.from = parts.from
    this.kind = parts.kind
    this.channel = parts.channel
    this.bytes = parts.bytes
    this.passed = parts.held === undefined ? parts.bytes : NOTHING
  }

  /** Nothing of it goes on before the tape has it. */
  get waits(): boolean {
    return this.#parts.held !== undefined
  }

  get statement(): number {
    return this.channel
  }

  facts(): Facts {
    return this.#parts.facts
  }

  command(): string {
    return Buffer.from(this.bytes).toString()
  }

  /** Once per message, in order, whoever asks how often: it may move a stream on. */
  redacted(redactor: Redactor): Redacted {
    if (this.#redacted === undefined) {
      this.#redacted = this.#parts.redact(redactor, this.bytes)
      if (this.#parts.held !== undefined) this.passed = this.#parts.held.pass(this.bytes, this.#redacted.bytes.length)
    }
    return this.#redacted
  }

  /** As it is written: `bytes` in the framing of the end they go to. */
  framed(bytes: Uint8Array): Uint8Array {
    return this.#parts.frame(bytes)
  }

  /** What ends the connection at the client, saying why. */
  farewell(words: LastWords): Uint8Array {
    return this.#parts.farewell(words)
  }
}

interface TunnelParts {
  readonly from: Side
  readonly kind: string
  /** The exchange that made the connection. */
  readonly channel: number
  readonly bytes: Uint8Array
  readonly facts: Facts
  readonly redact: (redactor: Redactor, bytes: Uint8Array) => Redacted
  readonly frame: (bytes: Uint8Array) => Uint8Array
  readonly farewell: (words: LastWords) => Uint8Array
  /** Of a stream whose recorded copy may lag behind: what goes on of it lags behind with it. */
  readonly held?: HeldBytes | undefined
}

const NOTHING = new Uint8Array()

/** What is spoken on a connection once it is no longer HTTP. */
export interface TunnelCodec {
  /** The messages complete now. Throws PROTOCOL_MALFORMED or PROTOCOL_OVERSIZE, and is dead after that. */
  receive(from: Side, chunk: Uint8Array): readonly TunnelMessage[] | Promise<readonly TunnelMessage[]>
  /** What was kept back in case more of a value comes: asked for when nothing has come of it for `idleMs`, and at the end. */
  rest(from: Side, idleMs?: number): readonly TunnelMessage[]
  /** Whether anything is, where that may be. */
  holds?(from: Side): boolean
  farewell(words: LastWords): Uint8Array
  /** Gives back what it holds; called once both ends are done with. */
  close?(): void
}

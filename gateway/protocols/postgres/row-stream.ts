import type { Facts } from '../../../schemas/frame.ts'
import { HeldBytes } from '../../held-bytes.ts'
import type { Field, Message, Redacted, RedactionSink, Redactor, Side, StreamRedactor } from '../../message.ts'
import type { CopyMasks } from './copy-masks.ts'
import { BACKEND, HEADER_SIZE } from './messages.ts'
import { withoutPasswords } from './password-literals.ts'
import type { Turn } from './turns.ts'

const NOTHING = new Uint8Array()
const UNKNOWN: Field = { path: 'row', action: 'scan', bulk: true }

/**
 * The redaction of one message too large to hold: a single row, or one CopyData. Its length word went out with the first
 * part, so every mask keeps the length of what it covers, and what may be the start of a secret is held back until the
 * next part. States: header (fixed bytes), length (of the next cell), cell; a CopyData is one cell without length.
 */
class PartStream {
  readonly #columns: readonly Field[]
  readonly #counted: boolean
  #header: number
  #index = 0
  #length: number[] = []
  #left = 0
  #cell: StreamRedactor | undefined

  constructor(type: number, columns: readonly Field[]) {
    this.#columns = columns
    this.#counted = type === BACKEND.dataRow
    this.#header = HEADER_SIZE + (this.#counted ? 2 : 0)
    if (!this.#counted) this.#left = Number.POSITIVE_INFINITY
  }

  push(sink: RedactionSink, redactor: Redactor, bytes: Uint8Array): void {
    let at = Math.min(this.#header, bytes.length)
    sink.copy(bytes, 0, at)
    this.#header -= at
    while (at < bytes.length) {
      if (this.#counted && this.#left === 0) {
        this.#length.push(bytes[at] ?? 0)
        sink.copy(bytes, at, at + 1)
        at++
        if (this.#length.length < 4) continue
        const size = this.#length.reduce((sum, byte) => (sum << 8) | byte, 0)
        this.#length = []
        this.#left = Math.max(size, 0)
        this.#index++
        continue
      }
      const take = Math.min(this.#left, bytes.length - at)
      this.#cell ??= redactor.stream(this.#columns[this.#index - 1] ?? UNKNOWN)
      this.#cell.push(sink, bytes, at, at + take)
      at += take
      this.#left -= take
      if (this.#left === 0) this.#endCell(sink)
    }
  }

  end(sink: RedactionSink): void {
    this.#endCell(sink)
  }

  #endCell(sink: RedactionSink): void {
    this.#cell?.end(sink)
    this.#cell = undefined
  }
}

/** Hands out the parts of one oversized message. */
export class PartSource {
  readonly #from: Side
  readonly #stream: PartStream
  readonly #masks: CopyMasks | undefined
  readonly #held: HeldBytes | undefined
  readonly turn: Turn | undefined

  /** `masks`: of what a client writes, where masks are looked for across all its pieces. */
  constructor(from: Side, type: number, columns: readonly Field[], turn: Turn | undefined, masks?: CopyMasks) {
    this.#from = from
    this.#stream = new PartStream(type, columns)
    this.turn = turn
    this.#masks = masks
    this.#held = from === 'client' ? new HeldBytes() : undefined
  }

  next(bytes: Uint8Array, part: 'first' | 'middle' | 'last'): Part {
    return new Part(this.#from, this.#stream, bytes, part, this.turn, this.#masks, this.#held)
  }
}

/** One part of a message too large to hold. Its bytes after redaction may lag behind the ones that came, and so does what goes to the server. */
export class Part implements Message {
  readonly from: Side
  readonly kind: string
  readonly channel = 0
  readonly part: 'first' | 'middle' | 'last'
  readonly bytes: Uint8Array
  readonly units: number
  readonly turn: Turn | undefined
  readonly #stream: PartStream
  readonly #masks: CopyMasks | undefined
  readonly #held: HeldBytes | undefined
  /** What of it and those before it goes to the server: known once it is redacted. */
  passed: Uint8Array = NOTHING
  #redacted: Redacted | undefined
  #facts: Facts | undefined

  constructor(
    from: Side,
    stream: PartStream,
    bytes: Uint8Array,
    part: 'first' | 'middle' | 'last',
    turn: Turn | undefined,
    masks: CopyMasks | undefined,
    held: HeldBytes | undefined,
  ) {
    this.from = from
    this.kind = from === 'server' ? 'reply' : 'copy-data'
    this.bytes = bytes
    this.part = part
    this.units = part === 'first' ? 1 : 0
    this.turn = turn
    this.#stream = stream
    this.#masks = masks
    this.#held = held
  }

  facts(): Facts {
    this.#facts ??= this.#read()
    return this.#facts
  }

  /** What it answers, or copies in. */
  command(): string {
    return this.turn === undefined ? '' : withoutPasswords(this.turn.sql)
  }

  #read(): Facts {
    if (this.from === 'client') return this.#masks?.feed(this.bytes) === true ? { masked_write: true } : {}
    return this.turn === undefined ? {} : { statement: this.turn.statement, ...(this.units > 0 ? { rows: 1 } : {}) }
  }

  /** Moves the message's one stream on, so it is done once per part, in order, whoever asks how often. */
  redacted(redactor: Redactor): Redacted {
    if (this.#redacted === undefined) {
      const sink = redactor.sink(this.bytes.length)
      this.#stream.push(sink, redactor, this.bytes)
      if (this.part === 'last') this.#stream.end(sink)
      this.#redacted = sink.finish()
      if (this.#held !== undefined) this.passed = this.#held.pass(this.bytes, this.#redacted.bytes.length)
    }
    return this.#redacted
  }
}

import type { Facts, Masks } from '../schemas/frame.ts'
import type { Notice, Refusal } from '../schemas/verdict.ts'

export type Side = 'client' | 'server'

/** A message's bytes after masking. `bytes` is the very same array where nothing changed. */
export interface Redacted {
  readonly bytes: Uint8Array
  readonly masks: Masks | null
}

/** One after the other. */
export function joined(redactor: Redactor, parts: readonly Redacted[]): Redacted {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  if (parts.every(({ masks }) => masks === null)) return { bytes: Buffer.concat(parts.map(({ bytes }) => bytes)), masks: null }
  const sink = redactor.sink(parts.reduce((size, { bytes }) => size + bytes.length, 0))
  for (const one of parts) sink.append(one)
  return sink.finish()
}

/** One message of a protocol, still in its own bytes. A run of like messages read together (result rows) may be one. */
export interface Message {
  readonly from: Side
  /** `query`, `execute`, `reply`, `copy-data` ... */
  readonly kind: string
  readonly channel: number
  /** A message too large to hold is streamed in parts; all but `whole` and `first` are judged by what the first said. */
  readonly part: 'whole' | 'first' | 'middle' | 'last'
  /** Answers what the gateway itself asked: where the wire swallows it, it is a note and nothing that was withheld. */
  readonly answersGateway?: boolean
  /** As it came; nobody writes to it. */
  readonly bytes: Uint8Array
  /** Countable units inside: result rows, COPY lines. 0 where counting means nothing. */
  readonly units: number
  /**
   * Undefined, nearly always: facts can be had now. A promise where reading them would hold up everybody (a very large statement):
   * the gate awaits it, and asks again, before it calls `facts`. Never rejects; what it waited for may come out unreadable.
   */
  pending?(): Promise<void> | undefined
  /** What policy and search may look at. Decoded on the first call, then kept. May hold unmasked text: the masker cleans what is recorded. */
  facts(): Facts
  /**
   * `facts()` without the numbers that tell one message from its like, `statement` and `portal`. The same object comes back for
   * messages that are alike, so that what follows from it can be kept by it. Where absent, `facts()` is all there is.
   */
  common?(): Facts
  /** The number of the statement it belongs to, as `facts()` has it too; where absent, `facts()` is asked. */
  readonly statement?: number | undefined
  /** With `common`: the number of the portal whose rows are taken in parts, if it is one, as `facts()` has it too. */
  readonly portalInParts?: number | undefined
  /** The few facts that stand on the tape with the message; `facts()` where absent. */
  recorded?(): Facts
  /** The longest this message may wait for a person without harming the target (locks of an open transaction), ms. */
  readonly holdLimitMs?: number
  /**
   * The message with its fields put through the masker.
   * From the server: what both client and tape get. From the client: what the tape gets; the target gets `bytes`, of a stream whose copy may lag behind as far as the tape has them.
   */
  redacted(redactor: Redactor): Redacted
  /** The first `units` units, and the rest; either may be undefined when empty. Only on messages with `units` > 0. */
  split?(units: number): readonly [head: Message | undefined, tail: Message | undefined]
  /** Everything an approval must be bound to beside identity, target and policy: exact bytes, parameters, role, settings. */
  binding?(): readonly Uint8Array[]
  /**
   * What an approver reads: the whole command as text. The masker's detectors go over it before it is stored; what only the protocol knows
   * to hide (credentials in headers, labelled fields) it hides itself, with `redactor`, which the gate always gives.
   */
  command?(redactor?: Redactor): string
}

/** How one field is to be treated; made once per column or path, not per value. */
export interface Field {
  /** `row.email`, `sql`, `error.message` ...: for the mask's explanation. */
  readonly path: string
  /** `scan`: detectors decide. `mask`: masked whole, whatever it holds. `skip`: cannot carry what detectors find (numbers, timestamps). */
  readonly action: 'scan' | 'mask' | 'skip'
  /** For `mask`: the label's id, e.g. `pii.email`, and the entity shown. */
  readonly label?: string
  readonly entity?: string
  /** Where replacement text would not be valid (numbers, dates, binary structures): a mask is NULL, said by `masked.nulled`. */
  readonly nullOnly?: boolean
  /** For `scan`: whatever a target has, as it hands it out. Where the policy says so it is masked whole when it is source code or a configuration file. */
  readonly bulk?: boolean
  /** For `scan` of a stream: nothing says that it is a text, and in what is none some of what looks like a value is chance. */
  readonly untyped?: boolean
  /** For `scan`: the text stands for bytes (PostgreSQL's bytea), and what they hold decides; a hit masks the field whole. */
  readonly encoding?: 'bytea'
  /** For `scan`: what the key of the value promises, so that the value is judged by it as well. */
  readonly promised?: Promised
}

/** What a key promises of its value, as a name does in `"name": "value"`. */
export interface Promised {
  readonly entities: readonly ('password' | 'secret')[]
  /** As much of the key as values are judged by. */
  readonly name: string
  /** `quoted`: a string of JSON. `bare`: a number or word of it. `pair`: where values never have quotes. */
  readonly written: 'quoted' | 'bare' | 'pair'
}

/** What a protocol calls to clean a field. Made by the masker, one per session; synchronous; linear in the input. */
export interface Redactor {
  /**
   * Whether source[from,to) may pass as it is. Never true for `action: 'mask'` with from < to. The quick way on clean data. `suspect`: which it
   * is of the suspects that the last sieve told, whose bytes have not changed since: then most is known of it already.
   */
  clean(source: Uint8Array, from: number, to: number, field: Field, suspect?: number): boolean
  /** For many fields of one message whose action is `scan`: undefined where source[from, to) is too large for that, or too small. */
  sieve(source: Uint8Array, from: number, to: number): Sieve | undefined
  /**
   * Reads source[from, to), UTF-8 without a byte order mark, and sifts what stands in it; `key`: the field of its keys. True where it is one JSON text (RFC 8259)
   * of at most 512 levels: then `told` has been told of all that may have to be masked. False where it is none, undefined where it has to be read
   * by other means; it may have been told of some of it then.
   */
  siftJson(source: Uint8Array, from: number, to: number, told: JsonTold, key: Field): boolean | undefined
  /**
   * Appends source[from,to), masked, to `sink`. Returns the bytes appended, or -1 where the field must become NULL
   * (then nothing was appended, and the span is noted by the next `sink.noteNull`). `suspect`: as for `clean`.
   */
  write(sink: RedactionSink, source: Uint8Array, from: number, to: number, field: Field, suspect?: number): number
  /**
   * Appends the source of the last sieve from `from` on, masked, as far as its sieve knows all that stands in its suspects from `suspect` on and of units whole ones
   * only; their length words are put right. All fields before that suspect are clean. Undefined, and `sink` is not asked for, where nothing is known; else
   * how far it came, which may be nowhere. What comes then is for `clean` and `write`.
   */
  writeSuspects(sink: () => RedactionSink, from: number, suspect: number): Progress | undefined
  /**
   * An empty sink for one message; `sizeHint` is the size of the message in bytes. Of `same`, which must not change before `finish`, nothing is
   * copied as long as what is appended is what stands there: a clean message comes out as the very same array.
   */
  sink(sizeHint: number, same?: Uint8Array): RedactionSink
  /** A redactor for one field too large to hold: every byte in comes out as exactly one byte, later by at most the hold-back. */
  stream(field: Field): StreamRedactor
  /** A redactor for what somebody waits for (the output of a program, keys), likewise same length. */
  live(field: Field): LiveRedactor
}

/** `at`: the first byte that has not been written; `next`: the first suspect that has not. */
export interface Progress {
  readonly at: number
  readonly next: number
}

/** Which of many fields `clean` should be asked about. Only until the next one is made. */
export interface Sieve {
  /**
   * The fields added next stand in a unit (a row, a line) that is as long as the 32-bit word at `lengthAt` says, highest byte first; `lengths`: each has such a
   * word of its own before it. For `writeSuspects`: fields in no unit stand as they are, so that all do or none.
   */
  unit(lengthAt: number, lengths: boolean): void
  /** A field [from, to), behind those added before it and apart from them. `held`: `writeSuspects` leaves it, as it cannot hold a mask. */
  add(from: number, to: number, held?: boolean): void
  /** Where those begin that may hold something, in order; all others are clean. Only until the next sieve. */
  suspects(): Int32Array
}

/** Asked and told while JSON is sifted; none of it may sift anything itself. */
export interface JsonTold {
  /** Of all that has no key. */
  readonly unnamed: Field
  /** Of the values of the key source[from, to), `inside` the field of what it stands in; asked once for all keys alike, as a rule. */
  fieldOf(from: number, to: number, escaped: boolean, inside: Field): Field
  /** Whether all values of this field are told of, though its action is `scan`. */
  isApart(field: Field): boolean
  /**
   * A value or key that `clean` has to be asked about: source[from, to) without its quotes, in no order. Of what the sieve holds back only where it begins
   * is known; of all others what they are, a key without a field.
   */
  found(
    from: number,
    to: number | undefined,
    value: { readonly field: Field | undefined; readonly string: boolean; readonly escaped: boolean } | undefined,
  ): void
}

/** Same-length masking of a field that arrives in pieces. */
export interface StreamRedactor {
  /** Appends what may go on by now to `sink`; keeps back what may be the beginning of something to mask. */
  push(sink: RedactionSink, source: Uint8Array, from: number, to: number): void
  /** Appends the rest; the field is over. */
  end(sink: RedactionSink): void
}

/**
 * Same-length masking of text that comes as it is written, escape sequences of terminals inside. Keeps back what may be the
 * beginning of something to mask, until more comes or its caller will not wait any longer.
 */
export interface LiveRedactor {
  /** What may go on by now: of this and of what was kept back. Where nothing of it is masked it may be (part of) `source` itself. */
  push(source: Uint8Array): Redacted
  /** All that is kept back, as it stands. What comes later is still masked by what stood before it. */
  settle(): Redacted
  /** Whether anything is kept back. */
  readonly holding: boolean
  /** What the reader typed: its echo is nothing new to them and is not kept back. */
  typed(source: Uint8Array): void
}

/** Where redacted bytes are put together with their mask spans; implemented in masking/sink.ts. */
export interface RedactionSink {
  /** Bytes so far. */
  readonly size: number
  copy(source: Uint8Array, from: number, to: number): void
  /** Writes a big-endian 32-bit integer at the end, or over bytes already there (a length known only now). */
  int32(value: number): void
  setInt32(at: number, value: number): void
  /** Notes that the field whose 4-byte NULL length starts at `at` was masked to NULL. */
  noteNull(at: number, field: Field): void
  /** Appends what another sink made, each piece of it as `write` has it here, where given; its spans come along. Pieces end at characters. */
  append(redacted: Redacted, write?: (bytes: Uint8Array) => Uint8Array): void
  finish(): Redacted
}

/** Bytes for one end. `own`: said by the gateway itself, so recorded as a frame of its own before it is written. */
export interface Output {
  readonly to: Side
  readonly bytes: Uint8Array
  /** `channel`: where a protocol has several conversations, the one it is said in. */
  readonly own?: { readonly kind: string; readonly facts: Facts; readonly channel?: number; readonly redacted?: Redacted }
}

/**
 * What a protocol makes of the gate's decisions, both directions of one session. No I/O, no clock, no promises.
 * `release`, `refuse` and `notify` are called in the order in which their outputs are written.
 */
export interface Wire {
  /** What to write so that the message goes on its way: as it came, or with `bytes` in its place. No output but `own` ones: swallowed. */
  release(message: Message, bytes?: Uint8Array): readonly Output[]
  /** What to write instead, keeping both ends in step; may be owed until a later `release`. */
  refuse(message: Message, refusal: Refusal): readonly Output[]
  /** Tells the asker that its message waits; empty where that cannot be said right now. */
  notify(message: Message, notice: Notice): readonly Output[]
  /** The last words to the client when the session is ended from outside; empty where nothing can be said. */
  farewell(refusal: Refusal): readonly Output[]
}

/** The wire of a protocol that is read from its bytes here, and not by a library. */
export interface ByteWire extends Wire {
  /** So many requests wait for their answers that nothing more is read from the client until some have come. */
  readonly crowded?: boolean
  /**
   * The messages now complete. Throws ApplianceError PROTOCOL_*, and is dead after that. Whatever is kept of `chunk` beyond the
   * release of these messages must be a copy: its memory is used again.
   */
  receive(from: Side, chunk: Uint8Array): readonly Message[]
}

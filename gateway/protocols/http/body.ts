import type { Field, LiveRedactor, Redacted, RedactionSink, Redactor, StreamRedactor } from '../../message.ts'
import { redactPairs } from './encoded-text.ts'
import { type JsonFields, redactJson } from './json-body.ts'
import { isOpaque, type Media } from './media.ts'
import { MAX_PARTS, type PartsBudget, redactMultipart, unreadableField } from './multipart-body.ts'

const TEXT: Field = { path: 'body', action: 'scan' }
const BULK: Field = { ...TEXT, bulk: true }
const LF = 0x0a
const SPACE = 0x20
const QUOTE = 0x22
const APOSTROPHE = 0x27
const COLON = 0x3a
const BRACKET = 0x5b
const BRACE = 0x7b

/** Parts that have parts deeper than that are not looked into. */
const MAX_NESTED_PARTS = 4

/** `answer`: whatever the target has may be in it. */
interface TextKind {
  readonly fields: JsonFields
  readonly answer: boolean
}

interface BodyKind extends TextKind {
  readonly media: Media
  /** Of `multipart`: what stands between its parts. */
  readonly boundary?: string | undefined
}

/**
 * Appends source[from, to), a whole body, redacted as its kind asks. What calls itself JSON and is none is masked whole where there are labels, which go by keys
 * that only a reader of JSON finds; else it is read as text.
 */
export function redactBody(
  redactor: Redactor,
  sink: RedactionSink,
  [source, from, to]: Piece,
  how: BodyKind,
  depth = 0,
  budget: PartsBudget = { left: MAX_PARTS },
): void {
  const text = how.answer ? BULK : TEXT
  if (from >= to) return
  switch (how.media) {
    case 'json': {
      if (!redactJson(redactor, sink, [source, from, to], how)) {
        const unreadable = unreadableField(how.fields)
        redactor.write(sink, source, from, to, unreadable.action === 'mask' && !isBlank(source, from, to) ? unreadable : text)
      }
      break
    }
    case 'form':
      redactPairs(redactor, sink, [source, from, to], (key) => how.fields.of(key))
      break
    case 'events':
      redactLines(redactor, sink, [source, from, to], how)
      break
    case 'multipart': {
      const { boundary, fields, answer } = how
      const unreadable = unreadableField(fields)
      if (boundary === undefined || depth === MAX_NESTED_PARTS)
        redactor.write(sink, source, from, to, unreadable.action === 'mask' ? unreadable : text)
      else
        redactMultipart(redactor, sink, [source, from, to], {
          boundary,
          fields,
          answer,
          budget,
          redactPart: (piece, part) => redactBody(redactor, sink, piece, { ...how, ...part }, depth + 1, budget),
        })
      break
    }
    case 'opaque':
    case 'unknown':
    case 'text':
    case 'live':
      if (isOpaque(how.media, source.subarray(from, to))) sink.copy(source, from, to)
      else redactor.write(sink, source, from, to, text)
      break
    default:
      how.media satisfies never
  }
}

function isBlank(source: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if ((source[at] as number) > SPACE) return false
  return true
}

type Piece = readonly [source: Uint8Array, from: number, to: number]

/** Lines of a stream of events (`data: {...}`, or the line itself), each as `redactText`. */
function redactLines(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, how: TextKind): void {
  for (let start = from; start < to; ) {
    const feed = source.subarray(start, to).indexOf(LF)
    const end = feed === -1 ? to : start + feed
    const data = DATA.every((byte, at) => source[start + at] === byte) ? start + DATA.length : start
    sink.copy(source, start, data)
    redactText(redactor, sink, [source, data, end], how)
    if (end < to) sink.copy(source, end, end + 1)
    start = end + 1
  }
}

const DATA = Buffer.from('data:')

/**
 * Appends a text that may be JSON, or end with some (`42["event",{...}]`): that by its values, what is not as a text. What has names of values as JSON has
 * them, and is none, is masked whole where there are labels: it may be a piece of some.
 */
export function redactText(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, how: TextKind): void {
  if (redactJson(redactor, sink, [source, from, to], how)) return
  const { unreadable, labelled } = how.fields
  if (unreadable === undefined && labelled && namesValue(source, from, to)) {
    const start = source.subarray(from, to).findIndex((byte) => byte === BRACE || byte === BRACKET) + from
    const inside = redactor.sink(to - start)
    if (start > from && redactJson(redactor, inside, [source, start, to], how)) {
      redactor.write(sink, source, from, start, TEXT)
      sink.append(inside.finish(), (bytes) => bytes)
    } else redactor.write(sink, source, from, to, unreadableField(how.fields))
  } else redactor.write(sink, source, from, to, unreadable ?? (how.answer ? BULK : TEXT))
}

/** Whether a quote stands before a colon somewhere, as behind the key of an object. */
function namesValue(source: Uint8Array, from: number, to: number): boolean {
  let quoted = false
  for (let at = from; at < to; at++) {
    const byte = source[at] as number // from <= at < to
    if (byte === COLON && quoted) return true
    if (byte > SPACE) quoted = byte === QUOTE || byte === APOSTROPHE
  }
  return false
}

/**
 * A body that is passed on while it comes. Texts are masked byte for byte, later by at most the masker's hold-back; of events whole
 * lines are. One for each copy that is made of a body.
 */
export class StreamedBody {
  readonly #how: BodyKind
  #stream: StreamRedactor | undefined
  #live: LiveRedactor | undefined
  #begun = false
  #opaque = false

  constructor(how: BodyKind) {
    this.#how = how
  }

  /** Whether bytes of a live text are kept back that `redact` brings when it is given none. */
  get holding(): boolean {
    return this.#live?.holding === true
  }

  /** The next bytes; of events only whole lines, but for the last. */
  redact(redactor: Redactor, bytes: Uint8Array, last: boolean): Redacted {
    if (!this.#begun && bytes.length > 0) {
      this.#begun = true
      this.#opaque = isOpaque(this.#how.media, bytes)
    }
    if (this.#opaque) return { bytes, masks: null }
    if (this.#how.media === 'live') return this.#redactLive(redactor, bytes, last)
    const sink = redactor.sink(bytes.length)
    if (this.#how.media === 'events') redactLines(redactor, sink, [bytes, 0, bytes.length], this.#how)
    else {
      this.#stream ??= redactor.stream(this.#how.answer ? BULK : TEXT)
      this.#stream.push(sink, bytes, 0, bytes.length)
      if (last) this.#stream.end(sink)
    }
    return sink.finish()
  }

  #redactLive(redactor: Redactor, bytes: Uint8Array, last: boolean): Redacted {
    this.#live ??= redactor.live(this.#how.answer ? BULK : TEXT)
    return bytes.length === 0 || last ? joinedRest(redactor, this.#live, bytes) : this.#live.push(bytes)
  }
}

function joinedRest(redactor: Redactor, live: LiveRedactor, bytes: Uint8Array): Redacted {
  if (bytes.length === 0) return live.settle()
  const sink = redactor.sink(bytes.length)
  const same = (piece: Uint8Array): Uint8Array => piece
  sink.append(live.push(bytes), same)
  sink.append(live.settle(), same)
  return sink.finish()
}

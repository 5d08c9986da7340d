import type { LiveRedactor, Redacted, RedactionSink, Redactor, StreamRedactor } from '../../message.ts'
import { redactPairs } from './encoded-text.ts'
import { EventHold } from './event-hold.ts'
import { coverEvent, redactEvents } from './events-body.ts'
import { redactJson } from './json-body.ts'
import { isOpaque, type Media } from './media.ts'
import { MAX_PARTS, type PartsBudget, redactMultipart, UNREADABLE, unreadableField } from './multipart-body.ts'
import { BRACE, BRACKET, BULK, TEXT, type TextKind } from './text-body.ts'
import { WideWatch, wideBytes, wideOf, wideText } from './wide-text.ts'

export { redactText } from './text-body.ts'

const SPACE = 0x20

/** Parts that have parts deeper than that are not looked into. */
const MAX_NESTED_PARTS = 4

interface BodyKind extends TextKind {
  readonly media: Media
  /** Of `multipart`: what stands between its parts. */
  readonly boundary?: string | undefined
  /** Has been read as UTF-16 or UTF-32 already. */
  readonly narrow?: boolean
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
  if (from >= to || (how.media === 'json' && redactJson(redactor, sink, [source, from, to], how))) return
  if (isOpaque(how.media, source.subarray(from, to))) {
    sink.copy(source, from, to)
    return
  }
  if (how.media !== 'multipart' && redactWide(redactor, sink, [source, from, to], how)) return
  switch (how.media) {
    case 'json': {
      const unreadable = unreadableField(how.fields)
      redactor.write(sink, source, from, to, unreadable.action === 'mask' && !isBlank(source, from, to) ? unreadable : text)
      break
    }
    case 'form':
      redactPairs(redactor, sink, [source, from, to], (key) => how.fields.of(key))
      break
    case 'events':
      redactEvents(redactor, sink, [source, from, to], how)
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
      if (!how.fields.labelled || !redactUnsaid(redactor, sink, [source, from, to], how))
        redactor.write(sink, source, from, to, text)
      break
    default:
      how.media satisfies never
  }
}

/**
 * Appends JSON that does not say so, masked as some: labels go by its keys. False where it is none, or only shows what it holds as a text: nothing was appended
 * then. Where either reading finds what the other does not, it is masked whole.
 */
function redactUnsaid(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, how: BodyKind): boolean {
  if (!beginsJson(source, from, to)) return false
  const inside = redactor.sink(to - from)
  if (!redactJson(redactor, inside, [source, from, to], how)) return false
  const { bytes, masks } = inside.finish()
  if (masks === null) return false
  if (redactor.clean(bytes, 0, bytes.length, how.answer ? BULK : TEXT)) sink.append({ bytes, masks }, (piece) => piece)
  else redactor.write(sink, source, from, to, UNREADABLE)
  return true
}

/** Behind blanks and a byte order mark. */
function beginsJson(source: Uint8Array, from: number, to: number): boolean {
  let at = source[from] === 0xef && source[from + 1] === 0xbb && source[from + 2] === 0xbf ? from + 3 : from
  while (at < to && (source[at] as number) <= SPACE) at++
  return at < to && (source[at] === BRACE || source[at] === BRACKET)
}

/**
 * Appends what reads as a text in UTF-16 or UTF-32, masked as such. False where it is none, or nothing in it is masked: nothing was appended then, and it is for
 * its caller to read as it stands. What holds something either way, or would not come out as it went in, is masked whole.
 */
function redactWide(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, how: BodyKind): boolean {
  const bytes = source.subarray(from, to)
  const wide = how.narrow === true ? undefined : wideOf(bytes)
  if (wide === undefined) return false
  const plain = Buffer.from(wideText(bytes, wide))
  const inside = redactor.sink(plain.length)
  const isJson = how.media === 'json' && redactJson(redactor, inside, [plain, 0, plain.length], how)
  if (!isJson) {
    // Whatever it is: its caller masks it whole.
    if (how.media === 'json' && unreadableField(how.fields).action === 'mask') return false
    redactBody(redactor, inside, [plain, 0, plain.length], { ...how, narrow: true })
  }
  const redacted = inside.finish()
  const isClean = redactor.clean(source, from, to, how.answer ? BULK : TEXT)
  if (redacted.masks === null) {
    if (isJson && isClean) sink.copy(source, from, to)
    return isJson && isClean
  }
  if (isClean && wideBytes(plain.toString(), wide).equals(bytes))
    sink.append(redacted, (piece) => wideBytes(Buffer.from(piece).toString(), wide))
  else redactor.write(sink, source, from, to, UNREADABLE)
  return true
}

function isBlank(source: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if ((source[at] as number) > SPACE) return false
  return true
}

type Piece = readonly [source: Uint8Array, from: number, to: number]

/**
 * A body that is passed on while it comes. Texts are masked byte for byte, later by at most the masker's hold-back; of events whole
 * ones are. One for each copy that is made of a body.
 */
export class StreamedBody {
  readonly #how: BodyKind
  #stream: StreamRedactor | undefined
  #live: LiveRedactor | undefined
  #begun = false
  #opaque = false
  readonly #wide = new WideWatch()
  #unread: StreamRedactor | undefined
  readonly #events = new EventHold()

  constructor(how: BodyKind) {
    this.#how = how
  }

  /** Whether bytes of a live text are kept back that `redact` brings when it is given none. */
  get holding(): boolean {
    return this.#live?.holding === true
  }

  /** The next bytes, of events cut anywhere. */
  redact(redactor: Redactor, bytes: Uint8Array, last: boolean): Redacted {
    if (!this.#begun && bytes.length > 0) {
      this.#begun = true
      this.#opaque = isOpaque(this.#how.media, bytes)
    }
    if (this.#opaque) return { bytes, masks: null }
    if (this.#wide.sees(bytes)) return this.#cover(redactor, bytes)
    if (this.#how.media === 'live') return this.#redactLive(redactor, bytes, last)
    const sink = redactor.sink(bytes.length)
    if (this.#how.media === 'events') this.#redactEvents(redactor, sink, bytes, last)
    else {
      this.#stream ??= redactor.stream(this.#how.answer ? BULK : TEXT)
      this.#stream.push(sink, bytes, 0, bytes.length)
      if (last) this.#stream.end(sink)
    }
    return sink.finish()
  }

  /** What comes in pieces in UTF-16 or UTF-32 is not looked into: from where that is seen on nothing of it passes. */
  #cover(redactor: Redactor, bytes: Uint8Array): Redacted {
    const sink = redactor.sink(bytes.length)
    this.#stream?.end(sink)
    this.#stream = undefined
    if (this.#how.media === 'events' && this.#unread === undefined) this.#redactEvents(redactor, sink, NOTHING, true)
    if (this.#live?.holding === true) sink.append(this.#live.settle(), (piece) => piece)
    this.#unread ??= redactor.stream(UNREADABLE)
    this.#unread.push(sink, bytes, 0, bytes.length)
    return sink.finish()
  }

  #redactEvents(redactor: Redactor, sink: RedactionSink, bytes: Uint8Array, last: boolean): void {
    for (const { bytes: stretch, tooLarge } of this.#events.take(bytes, last)) {
      const piece = [stretch, 0, stretch.length] as const
      if (tooLarge) coverEvent(redactor, sink, piece)
      else redactEvents(redactor, sink, piece, this.#how)
    }
  }

  #redactLive(redactor: Redactor, bytes: Uint8Array, last: boolean): Redacted {
    this.#live ??= redactor.live(this.#how.answer ? BULK : TEXT)
    return bytes.length === 0 || last ? joinedRest(redactor, this.#live, bytes) : this.#live.push(bytes)
  }
}

const NOTHING = new Uint8Array()

function joinedRest(redactor: Redactor, live: LiveRedactor, bytes: Uint8Array): Redacted {
  if (bytes.length === 0) return live.settle()
  const sink = redactor.sink(bytes.length)
  const same = (piece: Uint8Array): Uint8Array => piece
  sink.append(live.push(bytes), same)
  sink.append(live.settle(), same)
  return sink.finish()
}

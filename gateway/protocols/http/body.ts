import type { RedactionSink, Redactor } from '../../message.ts'
import { hasControls, holdsBinary } from './binary.ts'
import { redactPairs } from './encoded-text.ts'
import { redactEvents } from './events-body.ts'
import { redactJson } from './json-body.ts'
import { labelledIn, redactJsonRun, redactUnsaid } from './json-run.ts'
import { JsonRuns } from './json-runs.ts'
import { isOpaque, promisesNothing } from './media.ts'
import { MAX_PARTS, type PartsBudget, redactMultipart, UNREADABLE, unreadableField } from './multipart-body.ts'
import { StreamedBody } from './streamed-body.ts'
import { type BodyKind, BULK, TEXT } from './text-body.ts'
import { wideBytes, wideOf, wideText } from './wide-text.ts'

export { redactText } from './text-body.ts'

const SPACE = 0x20

/** Parts that have parts deeper than that are not looked into. */
const MAX_NESTED_PARTS = 4

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
  const bytes = source.subarray(from, to)
  if (isOpaque(how.media, bytes)) {
    sink.copy(source, from, to)
    return
  }
  const isBinary = promisesNothing(how.media) && holdsBinary(bytes)
  if (!isBinary && how.media !== 'multipart' && redactWide(redactor, sink, [source, from, to], how)) return
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
      // A mask of another length would break what has lengths in it.
      if (promisesNothing(how.media) && hasControls(bytes))
        sink.append(new StreamedBody({ ...how, narrow: true }).redact(redactor, bytes, true))
      else if (!how.fields.labelled) redactor.write(sink, source, from, to, text)
      else if (!redactUnsaid(redactor, sink, [source, from, to], how)) redactRuns(redactor, sink, [source, from, to], how)
      break
    default:
      how.media satisfies never
  }
}

/** Appends a text in which some lines are JSON, or begin with some. */
function redactRuns(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, how: BodyKind): void {
  const runs = new JsonRuns(labelledIn(how.fields)).take(source.subarray(from, to), true)
  const text = how.answer ? BULK : TEXT
  if (runs.every(({ is }) => is === 'text')) redactor.write(sink, source, from, to, text)
  else
    for (const { is, bytes } of runs) {
      if (is === 'lines') redactEvents(redactor, sink, [bytes, 0, bytes.length], how)
      else if (is === 'json') redactJsonRun(redactor, sink, bytes, how)
      else redactor.write(sink, bytes, 0, bytes.length, text)
    }
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

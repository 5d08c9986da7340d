import type { Field, RedactionSink, Redactor } from '../../message.ts'
import { type JsonFields, redactJson } from './json-body.ts'
import type { Media } from './media.ts'
import { unreadableField } from './multipart-body.ts'

/** `answer`: whatever the target has may be in it. */
export interface TextKind {
  readonly fields: JsonFields
  readonly answer: boolean
}

export interface BodyKind extends TextKind {
  readonly media: Media
  /** Of `multipart`: what stands between its parts. */
  readonly boundary?: string | undefined
  /** Has been read as UTF-16 or UTF-32 already. */
  readonly narrow?: boolean
}

type Piece = readonly [source: Uint8Array, from: number, to: number]

export const TEXT: Field = { path: 'body', action: 'scan' }
export const BULK: Field = { ...TEXT, bulk: true }
const SPACE = 0x20
const QUOTE = 0x22
const APOSTROPHE = 0x27
const COLON = 0x3a
const BRACKET = 0x5b
const BRACE = 0x7b

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
      sink.append(inside.finish())
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

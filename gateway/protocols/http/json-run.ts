import type { RedactionSink, Redactor } from '../../message.ts'
import { redactEvents } from './events-body.ts'
import { type JsonFields, redactJson } from './json-body.ts'
import { UNREADABLE } from './multipart-body.ts'
import { type BodyKind, BULK, TEXT } from './text-body.ts'

type Piece = readonly [source: Uint8Array, from: number, to: number]

const BACKSLASH = 0x5c

/**
 * Appends JSON that does not say so, masked as some: labels go by its keys. Where none of its values is masked it is a text like others. False where it is no JSON:
 * nothing was appended then. Where either reading finds what the other does not, it is masked whole.
 */
export function redactUnsaid(redactor: Redactor, sink: RedactionSink, [source, from, to]: Piece, how: BodyKind): boolean {
  const text = how.answer ? BULK : TEXT
  const inside = redactor.sink(to - from)
  if (!redactJson(redactor, inside, [source, from, to], how)) return false
  const { bytes, masks } = inside.finish()
  if (masks === null) redactor.write(sink, source, from, to, text)
  else if (redactor.clean(bytes, 0, bytes.length, text)) sink.append({ bytes, masks })
  else redactor.write(sink, source, from, to, UNREADABLE)
  return true
}

/** Appends what has brackets and labelled keys like JSON; what is none all the same line by line. */
export function redactJsonRun(redactor: Redactor, sink: RedactionSink, bytes: Uint8Array, how: BodyKind): void {
  const piece = [bytes, 0, bytes.length] as const
  if (!redactUnsaid(redactor, sink, piece, how)) redactEvents(redactor, sink, piece, how)
}

/** Whether a value of this key is labelled. */
export function labelledIn(fields: JsonFields): (key: Uint8Array) => boolean {
  return (key) => {
    const plain = key.includes(BACKSLASH) ? decodedKey(key) : key
    return fields.at(plain, 0, plain.length).action === 'mask'
  }
}

function decodedKey(key: Uint8Array): Uint8Array {
  try {
    return Buffer.from(String(JSON.parse(`"${Buffer.from(key).toString()}"`)))
  } catch {
    return key
  }
}

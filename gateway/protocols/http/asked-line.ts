import type { Redactor } from '../../message.ts'
import type { Reading } from './dialect.ts'
import { encodeRequest, type RequestHead } from './head.ts'
import { redactHead } from './redact-head.ts'

const CR = 0x0d
const VERSION = / HTTP\/1\.1$/

/** What was asked, as its tape has it, in one line: for a person who decides about more of the request's body, or about its answer. */
export function askedLine(
  head: RequestHead,
  { command, fields }: Pick<Reading, 'command' | 'fields'>,
): (redactor: Redactor) => string {
  return (redactor) => {
    if (command !== undefined) return command
    const bytes = encodeRequest({ ...head, headers: [] })
    const sink = redactor.sink(bytes.length, bytes)
    redactHead(redactor, sink, bytes, { request: true, query: (key) => fields.of(key) })
    const redacted = sink.finish().bytes
    return Buffer.from(redacted.subarray(0, redacted.indexOf(CR)))
      .toString('latin1')
      .replace(VERSION, '')
  }
}

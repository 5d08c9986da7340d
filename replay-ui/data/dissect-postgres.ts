import type { Dir } from '../../schemas/frame.ts'
import { BACKEND, cstring, cstringEnd, FRONTEND, HEADER_SIZE, int32, uint16 } from '../../schemas/views/postgres-wire.ts'
import { type Field, field, MAX_FIELDS } from './field.ts'

// Message formats: PostgreSQL manual, "Frontend/Backend Protocol", chapter "Message Formats".

const CLIENT_NAMES = namesOf(FRONTEND)
const SERVER_NAMES = namesOf(BACKEND)
const AUTHENTICATION = 0x52
/** A value longer than this is shown from its beginning; its bytes stand in the hex. */
const MAX_VALUE_SIZE = 4096

const ERROR_FIELDS: Readonly<Record<string, string>> = {
  S: 'severity',
  V: 'severity, not localised',
  C: 'sqlstate',
  M: 'message',
  D: 'detail',
  H: 'hint',
  P: 'position',
  p: 'internal position',
  q: 'internal query',
  W: 'where',
  s: 'schema',
  t: 'table',
  c: 'column',
  d: 'data type',
  n: 'constraint',
  F: 'file',
  L: 'line',
  R: 'routine',
}

export function dissectPostgres(dir: Dir, kind: string, body: Uint8Array): Field[] {
  if (kind === 'startup') return startup(body)
  const fields: Field[] = []
  let at = 0
  while (at < body.length && fields.length < MAX_FIELDS) {
    if (body.length - at < HEADER_SIZE) {
      fields.push(field(0, 'cut off', `${body.length - at} bytes of a message whose rest is in the next frame`, at, body.length))
      break
    }
    const size = 1 + int32(body, at + 1)
    if (size < HEADER_SIZE) {
      fields.push(field(0, 'not a PostgreSQL message', `${body.length - at} bytes`, at, body.length))
      break
    }
    const end = Math.min(at + size, body.length)
    message(dir, body, at, end, size, fields)
    at = end
  }
  if (at < body.length && fields.length >= MAX_FIELDS)
    fields.push(field(0, 'not decoded', `${body.length - at} more bytes, in the hex`, at, body.length))
  return fields
}

function message(dir: Dir, body: Uint8Array, at: number, end: number, size: number, fields: Field[]): void {
  const type = body[at] ?? 0
  const letter = String.fromCharCode(type)
  const name = (dir === 'in' ? CLIENT_NAMES : SERVER_NAMES).get(type) ?? (type === AUTHENTICATION ? 'authentication' : 'message')
  const cut = end < at + size ? `, ${at + size - end} of them in the next frame` : ''
  fields.push(field(0, `${letter} ${name}`, `${size} bytes${cut}`, at, end))
  const add = (label: string, value: string, from: number, to: number): void => {
    if (from < to || value !== '') fields.push(field(1, label, value, Math.min(from, end), Math.min(to, end)))
  }
  const from = at + HEADER_SIZE
  if (dir === 'in') clientFields(type, body, from, end, add, fields)
  else serverFields(type, body, from, end, add, fields)
}

type Add = (label: string, value: string, from: number, to: number) => void

function clientFields(type: number, body: Uint8Array, from: number, end: number, add: Add, fields: Field[]): void {
  switch (type) {
    case FRONTEND.query:
      text('sql', body, from, end, add)
      break
    case FRONTEND.parse:
      text('sql', body, text('statement', body, from, end, add), end, add)
      break
    case FRONTEND.bind: {
      const formatsAt = text('statement', body, text('portal', body, from, end, add), end, add)
      const formats = uint16(body, formatsAt)
      add('parameter formats', String(formats), formatsAt, formatsAt + 2 + 2 * formats)
      values('parameter', body, formatsAt + 2 + 2 * formats, end, add, fields)
      break
    }
    case FRONTEND.execute: {
      const limitAt = text('portal', body, from, end, add)
      add('row limit', limitOf(int32(body, limitAt)), limitAt, limitAt + 4)
      break
    }
    case FRONTEND.describe:
    case FRONTEND.close:
      add('what', body[from] === 0x53 ? 'statement' : 'portal', from, from + 1)
      text('name', body, from + 1, end, add)
      break
    case FRONTEND.copyFail:
      text('reason', body, from, end, add)
      break
    default:
      rest(body, from, end, add)
  }
}

function serverFields(type: number, body: Uint8Array, from: number, end: number, add: Add, fields: Field[]): void {
  switch (type) {
    case BACKEND.rowDescription:
      columns(body, from, end, add, fields)
      break
    case BACKEND.dataRow:
      values('column', body, from, end, add, fields)
      break
    case BACKEND.commandComplete:
      text('tag', body, from, end, add)
      break
    case BACKEND.readyForQuery:
      add('transaction', String.fromCharCode(body[from] ?? 0), from, from + 1)
      break
    case BACKEND.parameterStatus:
      text('value', body, text('setting', body, from, end, add), end, add)
      break
    case BACKEND.error:
    case BACKEND.notice:
      for (let at = from; at < end && body[at] !== 0; ) {
        const letter = String.fromCharCode(body[at] ?? 0)
        const next = cstringEnd(body, at + 1, end)
        const to = next < 0 ? end : next + 1
        add(`${letter} ${ERROR_FIELDS[letter] ?? 'field'}`, valueText(body, at + 1, next < 0 ? end : next), at, to)
        at = to
      }
      break
    case BACKEND.notification: {
      add('process', String(int32(body, from)), from, from + 4)
      text('payload', body, text('channel', body, from + 4, end, add), end, add)
      break
    }
    case BACKEND.backendKeyData:
      add('process', String(int32(body, from)), from, from + 4)
      add('secret key', 'not shown', from + 4, end)
      break
    case AUTHENTICATION:
      add('request', String(int32(body, from)), from, from + 4)
      break
    default:
      rest(body, from, end, add)
  }
}

/** RowDescription: count, then per column name, table oid, attribute, type oid, size, modifier, format. */
function columns(body: Uint8Array, from: number, end: number, add: Add, fields: Field[]): void {
  const count = uint16(body, from)
  add('columns', String(count), from, from + 2)
  let at = from + 2
  for (let index = 0; index < count && at < end && fields.length < MAX_FIELDS; index += 1) {
    const nameEnd = cstringEnd(body, at, end)
    if (nameEnd < 0) break
    const about = nameEnd + 1
    const format = uint16(body, about + 16) === 1 ? 'binary' : 'text'
    const value = `${valueText(body, at, nameEnd)}  (table ${int32(body, about)}, type ${int32(body, about + 6)}, ${format})`
    fields.push(field(2, `column ${index + 1}`, value, at, Math.min(about + 18, end)))
    at = about + 18
  }
}

/** Count, then per value its length (-1: NULL) and bytes: DataRow's columns and Bind's parameters. */
function values(label: string, body: Uint8Array, from: number, end: number, add: Add, fields: Field[]): void {
  if (from + 2 > end) return
  const count = uint16(body, from)
  add(`${label}s`, String(count), from, from + 2)
  let at = from + 2
  for (let index = 0; index < count && at + 4 <= end && fields.length < MAX_FIELDS; index += 1) {
    const size = int32(body, at)
    const to = Math.min(at + 4 + Math.max(size, 0), end)
    const value = size < 0 ? 'NULL' : valueText(body, at + 4, to)
    fields.push(field(2, `${label} ${index + 1}`, value, at, to))
    at = to
  }
}

function startup(body: Uint8Array): Field[] {
  if (body.length < 8) return [field(0, 'start-up', 'cut off', 0, body.length)]
  const version = int32(body, 4)
  const fields = [
    field(0, 'start-up', `${body.length} bytes`, 0, body.length),
    field(1, 'protocol', `${version >>> 16}.${version & 0xffff}`, 4, 8),
  ]
  for (let at = 8; at < body.length && body[at] !== 0; ) {
    const nameEnd = cstringEnd(body, at, body.length)
    const valueEnd = nameEnd < 0 ? -1 : cstringEnd(body, nameEnd + 1, body.length)
    if (valueEnd < 0) break
    fields.push(field(2, cstring(body, at, body.length), valueText(body, nameEnd + 1, valueEnd), at, valueEnd + 1))
    at = valueEnd + 1
  }
  return fields
}

/** Adds the NUL-terminated text at `from`, and tells where the next thing begins. */
function text(label: string, body: Uint8Array, from: number, end: number, add: Add): number {
  const stop = cstringEnd(body, from, end)
  const to = stop < 0 ? end : stop
  add(label, valueText(body, from, to), from, stop < 0 ? end : stop + 1)
  return Math.min(to + 1, end)
}

function rest(body: Uint8Array, from: number, end: number, add: Add): void {
  if (from < end) add('data', valueText(body, from, end), from, end)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function valueText(body: Uint8Array, from: number, to: number): string {
  const cut = Math.min(to, from + MAX_VALUE_SIZE)
  const more = to > cut ? ` ... (${to - cut} more bytes)` : ''
  try {
    return utf8.decode(body.subarray(from, cut), { stream: to > cut }) + more
  } catch {
    return `not UTF-8, ${to - from} bytes`
  } finally {
    // A character cut at the end must not reach the next text.
    utf8.decode(new Uint8Array(0), { stream: false })
  }
}

function limitOf(limit: number): string {
  return limit === 0 ? 'none' : String(limit)
}

function namesOf(codes: Readonly<Record<string, number>>): Map<number, string> {
  return new Map(
    Object.entries(codes).map(([name, code]) => [code, name.replace(/[A-Z]/g, (upper) => ` ${upper.toLowerCase()}`)]),
  )
}

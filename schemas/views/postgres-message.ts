import { hexOf } from '../bytes.ts'
import { BACKEND, cstring, cstringEnd, FRONTEND, HEADER_SIZE, int32, uint16 } from './postgres-wire.ts'
import type { Cell, Shown } from './view.ts'

export type Side = 'client' | 'server'

/** Where something was masked, in offsets of the message's bytes. */
export interface MaskedSpan {
  readonly from: number
  readonly to: number
  readonly entity: string
  readonly rule: string
}

/** What RowDescription says of a column. `binary` only where it says so: a statement described before Bind does not know yet. */
export interface ViewColumn {
  readonly name: string
  readonly typeOid: number
  readonly binary: boolean
}

interface MessageView {
  readonly shown: readonly Shown[]
  /** The columns of the rows that follow, when this message tells them. */
  readonly columns?: readonly ViewColumn[]
}

const SILENT: MessageView = { shown: [] }
const TRANSACTION: Readonly<Record<string, string>> = { I: 'idle', T: 'in transaction', E: 'in failed transaction' }

/** One whole message, type byte and length word included, in people's terms. Truncated fields read as empty, never throw. */
export function viewMessage(
  side: Side,
  bytes: Uint8Array,
  spans: readonly MaskedSpan[],
  columns: readonly ViewColumn[],
): MessageView {
  return side === 'client' ? clientMessage(bytes, spans) : serverMessage(bytes, spans, columns)
}

/** StartupMessage: length word, protocol version, then names and values, each a string, ended by an empty name (manual, "Message Formats"). */
export function viewStartup(bytes: Uint8Array): Shown[] {
  const end = bytes.length
  const shown: Shown[] = [{ show: 'word', label: 'startup', text: `protocol ${uint16(bytes, 4)}.${uint16(bytes, 6)}` }]
  for (let at = 8; at < end && bytes[at] !== 0; ) {
    const nameEnd = cstringEnd(bytes, at, end)
    const valueEnd = nameEnd < 0 ? -1 : cstringEnd(bytes, nameEnd + 1, end)
    if (valueEnd < 0) break
    shown.push({ show: 'word', label: 'startup', text: `${cstring(bytes, at, end)} = ${cstring(bytes, nameEnd + 1, end)}` })
    at = valueEnd + 1
  }
  return shown
}

function clientMessage(bytes: Uint8Array, spans: readonly MaskedSpan[]): MessageView {
  const end = bytes.length
  const first = cstring(bytes, HEADER_SIZE, end)
  const secondAt = cstringEnd(bytes, HEADER_SIZE, end) + 1
  switch (bytes[0]) {
    case FRONTEND.query:
      return one({ show: 'statement', label: 'query', text: first })
    case FRONTEND.parse:
      return one({ show: 'statement', label: named('parse', first), text: cstring(bytes, secondAt, end) })
    case FRONTEND.bind: {
      const statement = cstring(bytes, secondAt, end)
      const text = parameters(bytes, cstringEnd(bytes, secondAt, end) + 1, spans)
      return one({ show: 'word', label: named(named('bind', statement), first, '->'), text })
    }
    case FRONTEND.execute: {
      const limit = secondAt + 4 <= end ? int32(bytes, secondAt) : 0
      return word(named('execute', first), limit === 0 ? '' : `at most ${limit} rows`)
    }
    case FRONTEND.describe:
    case FRONTEND.close: {
      const what = bytes[HEADER_SIZE] === 0x53 ? 'statement' : 'portal'
      return word(bytes[0] === FRONTEND.close ? 'close' : 'describe', `${what} ${cstring(bytes, HEADER_SIZE + 1, end)}`.trimEnd())
    }
    case FRONTEND.copyData:
      return { shown: copyRows(bytes, spans) }
    case FRONTEND.copyDone:
      return word('copy done', '')
    case FRONTEND.copyFail:
      return word('copy failed', first)
    case FRONTEND.terminate:
      return word('terminate', '')
    case FRONTEND.functionCall:
      return word('function call', `oid ${int32(bytes, HEADER_SIZE)}`)
    case FRONTEND.sync:
    case FRONTEND.flush:
      return SILENT
    default:
      return one({ show: 'bytes', label: `client message ${letter(bytes)}`, size: bytes.length })
  }
}

function serverMessage(bytes: Uint8Array, spans: readonly MaskedSpan[], columns: readonly ViewColumn[]): MessageView {
  const end = bytes.length
  switch (bytes[0]) {
    case BACKEND.rowDescription: {
      const described = readColumns(bytes)
      return { shown: [{ show: 'columns', names: described.map(({ name }) => name) }], columns: described }
    }
    case BACKEND.dataRow:
      return one({ show: 'row', cells: readCells(bytes, HEADER_SIZE, spans, columns) })
    case BACKEND.copyData:
      return { shown: copyRows(bytes, spans) }
    case BACKEND.commandComplete:
      return word('complete', cstring(bytes, HEADER_SIZE, end))
    case BACKEND.error:
      return word('error', fieldsOf(bytes))
    case BACKEND.notice:
      return word('notice', fieldsOf(bytes))
    case BACKEND.notification: {
      const channelAt = HEADER_SIZE + 4
      const payload = cstring(bytes, cstringEnd(bytes, channelAt, end) + 1, end)
      return word(`notification ${cstring(bytes, channelAt, end)}`, payload)
    }
    case BACKEND.parameterStatus: {
      const value = cstring(bytes, cstringEnd(bytes, HEADER_SIZE, end) + 1, end)
      return word('setting', `${cstring(bytes, HEADER_SIZE, end)} = ${value}`)
    }
    case BACKEND.readyForQuery:
      return word('ready', TRANSACTION[String.fromCharCode(bytes[HEADER_SIZE] ?? 0)] ?? 'unknown state')
    case BACKEND.copyIn:
    case BACKEND.copyOut:
    case BACKEND.copyBoth:
      return word(bytes[0] === BACKEND.copyIn ? 'copy in' : 'copy out', `${bytes[HEADER_SIZE] === 1 ? 'binary' : 'text'} follows`)
    case BACKEND.emptyQuery:
      return word('complete', 'empty query')
    case BACKEND.portalSuspended:
      return word('suspended', 'row limit of Execute reached')
    case BACKEND.parseComplete:
    case BACKEND.bindComplete:
    case BACKEND.closeComplete:
    case BACKEND.noData:
    case BACKEND.copyDone:
    case BACKEND.parameterDescription:
    case BACKEND.backendKeyData:
    case 0x52: // Authentication: nothing in it is for the eye
      return SILENT
    default:
      return one({ show: 'bytes', label: `server message ${letter(bytes)}`, size: bytes.length })
  }
}

/** RowDescription: count, then per column name, table oid, attribute, type oid, size, modifier, format (manual, "Message Formats"). */
function readColumns(bytes: Uint8Array): ViewColumn[] {
  const columns: ViewColumn[] = []
  let at = HEADER_SIZE + 2
  for (let left = uint16(bytes, HEADER_SIZE); left > 0 && at < bytes.length; left--) {
    const nameEnd = cstringEnd(bytes, at, bytes.length)
    if (nameEnd < 0) break
    const typeAt = nameEnd + 1 + 6
    columns.push({
      name: cstring(bytes, at, bytes.length),
      typeOid: int32(bytes, typeAt),
      binary: uint16(bytes, typeAt + 10) === 1,
    })
    at = typeAt + 12
  }
  return columns
}

/** Count, then per value its length (-1: NULL) and bytes: the layout of DataRow, and of Bind's parameters. */
function readCells(bytes: Uint8Array, from: number, spans: readonly MaskedSpan[], columns: readonly ViewColumn[]): Cell[] {
  const cells: Cell[] = []
  let at = from + 2
  for (let left = uint16(bytes, from); left > 0 && at + 4 <= bytes.length; left--) {
    const size = int32(bytes, at)
    const end = at + 4 + Math.max(size, 0)
    // A value masked to NULL is noted where its length stands, so the length belongs to the cell.
    const span = spanIn(spans, at, end)
    const text = size < 0 ? null : valueText(bytes.subarray(at + 4, end), columns[cells.length])
    cells.push(maskedCell(text, span))
    at = end
  }
  return cells
}

function spanIn(spans: readonly MaskedSpan[], from: number, to: number): MaskedSpan | undefined {
  return spans.find((span) => span.from < to && span.to > from)
}

function maskedCell(text: string | null, span: MaskedSpan | undefined): Cell {
  return span === undefined ? { text } : { text, masked: span.entity, rule: span.rule }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const SHORT_SIZE = 24

/** Text where it is text; numbers of the plain binary types where the server said binary; else hex, as bytea prints. */
function valueText(value: Uint8Array, column: ViewColumn | undefined): string {
  if (column?.binary === true) {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
    if (column.typeOid === 21 && value.length === 2) return String(view.getInt16(0))
    if (column.typeOid === 23 && value.length === 4) return String(view.getInt32(0))
    if (column.typeOid === 20 && value.length === 8) return String(view.getBigInt64(0))
    if (column.typeOid === 16 && value.length === 1) return value[0] === 0 ? 'f' : 't'
    if (column.typeOid === 701 && value.length === 8) return String(view.getFloat64(0))
  }
  const short = shortText(value)
  if (short !== undefined) return short
  try {
    const text = utf8.decode(value)
    // Binary integers and the like decode as UTF-8 now and then; a NUL never stands in PostgreSQL text.
    if (!text.includes('\0')) return text
  } catch {
    // Not UTF-8: shown as bytes, below.
  }
  return `\\x${hexOf(value)}`
}

/** Most values are a few characters of ASCII, which a decoder takes longer to be asked for than to read. */
function shortText(value: Uint8Array): string | undefined {
  if (value.length > SHORT_SIZE) return undefined
  let text = ''
  for (const byte of value) {
    if (byte === 0 || byte > 0x7f) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}

function parameters(bytes: Uint8Array, formatsAt: number, spans: readonly MaskedSpan[]): string {
  if (formatsAt <= 0 || formatsAt + 2 > bytes.length) return ''
  const valuesAt = formatsAt + 2 + 2 * uint16(bytes, formatsAt)
  const cells = readCells(bytes, valuesAt, spans, [])
  return cells.map(({ text }, index) => `$${index + 1} = ${text === null ? 'NULL' : `'${text}'`}`).join(', ')
}

/** CopyData of the text formats is lines; of the binary one, bytes. */
function copyRows(bytes: Uint8Array, spans: readonly MaskedSpan[]): Shown[] {
  const text = valueText(bytes.subarray(HEADER_SIZE), undefined).replace(/\r?\n$/, '')
  const span = spanIn(spans, 0, bytes.length)
  return [{ show: 'row', cells: [maskedCell(text, span)] }]
}

/** ErrorResponse and NoticeResponse: fields by letter, each a string; shown as psql shows them. */
function fieldsOf(bytes: Uint8Array): string {
  const fields = new Map<string, string>()
  for (let at = HEADER_SIZE; at < bytes.length && bytes[at] !== 0; ) {
    const end = cstringEnd(bytes, at + 1, bytes.length)
    if (end < 0) break
    fields.set(String.fromCharCode(bytes[at] ?? 0), cstring(bytes, at + 1, bytes.length))
    at = end + 1
  }
  const severity = fields.get('V') ?? fields.get('S') ?? ''
  const parts = [`${severity} ${fields.get('C') ?? ''}: ${fields.get('M') ?? ''}`.trim()]
  for (const [field, name] of [
    ['D', 'DETAIL'],
    ['H', 'HINT'],
  ] as const) {
    const text = fields.get(field)
    if (text !== undefined) parts.push(`${name}: ${text}`)
  }
  return parts.join('\n')
}

function one(shown: Shown): MessageView {
  return { shown: [shown] }
}

function word(label: string, text: string): MessageView {
  return one({ show: 'word', label, text })
}

function named(label: string, name: string, join = ''): string {
  return name === '' ? label : `${label} ${join}${name}`
}

function letter(bytes: Uint8Array): string {
  return String.fromCharCode(bytes[0] ?? 0)
}

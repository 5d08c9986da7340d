import { serialize } from 'pg-protocol'
import { type ColumnOrigin, describedBy, readOrigins } from '../../gateway/protocols/postgres/columns.ts'
import type { CopyLines } from '../../gateway/protocols/postgres/copy-fields.ts'
import { BACKEND, FRONTEND, message, nulTerminated } from '../../gateway/protocols/postgres/messages.ts'
import { errorResponse, noticeResponse } from '../../gateway/protocols/postgres/refuse.ts'
import type { ColumnJudge } from '../../gateway/protocols/postgres/reply-reader.ts'
import { sqlReader } from '../../gateway/protocols/postgres/sql-reader.ts'
import { PostgresWire, type PostgresWireParts } from '../../gateway/protocols/postgres/wire.ts'

/** What a client says. */
export const says = {
  query: (text: string): Buffer => serialize.query(text),
  parse: (name: string, text: string): Buffer => serialize.parse({ name, text }),
  /** `formats`: of the result, one per column or one for all. */
  bind: (portal: string, statement: string, values: readonly string[] = [], formats: readonly number[] = []): Buffer => {
    const parts = [nulTerminated(portal), nulTerminated(statement), int16(0), int16(values.length)]
    for (const value of values) parts.push(cell(value))
    parts.push(int16(formats.length), ...formats.map(int16))
    return Buffer.from(message(FRONTEND.bind, ...parts))
  },
  describe: (type: 'S' | 'P', name = ''): Buffer => serialize.describe({ type, name }),
  execute: (portal = '', rows = 0): Buffer => Buffer.from(message(FRONTEND.execute, nulTerminated(portal), int32Of(rows))),
  close: (type: 'S' | 'P', name = ''): Buffer => serialize.close({ type, name }),
  sync: (): Buffer => Buffer.from(serialize.sync()),
  flush: (): Buffer => Buffer.from(serialize.flush()),
  copyData: (text: string | Uint8Array): Buffer => Buffer.from(message(FRONTEND.copyData, Buffer.from(text))),
  copyDone: (): Buffer => Buffer.from(message(FRONTEND.copyDone)),
  copyFail: (why: string): Buffer => Buffer.from(message(FRONTEND.copyFail, nulTerminated(why))),
  terminate: (): Buffer => Buffer.from(message(FRONTEND.terminate)),
}

export interface Column {
  readonly name: string
  readonly table?: number
  readonly attribute?: number
  readonly type?: number
  readonly format?: number
}

/** What a server answers. */
export const answers = {
  parsed: (): Uint8Array => message(BACKEND.parseComplete),
  bound: (): Uint8Array => message(BACKEND.bindComplete),
  closed: (): Uint8Array => message(BACKEND.closeComplete),
  noData: (): Uint8Array => message(BACKEND.noData),
  noParameters: (): Uint8Array => message(BACKEND.parameterDescription, int16(0)),
  columns: (...columns: readonly Column[]): Uint8Array =>
    message(
      BACKEND.rowDescription,
      int16(columns.length),
      ...columns.flatMap(({ name, table = 0, attribute = 0, type = 25, format = 0 }) => [
        nulTerminated(name),
        int32Of(table),
        int16(attribute),
        int32Of(type),
        Buffer.from([255, 255, 255, 255, 255, 255]),
        int16(format),
      ]),
    ),
  row: (...cells: readonly (string | Uint8Array | null)[]): Uint8Array =>
    message(BACKEND.dataRow, int16(cells.length), ...cells.map((value) => (value === null ? int32Of(-1) : cell(value)))),
  done: (tag = 'SELECT 1'): Uint8Array => message(BACKEND.commandComplete, nulTerminated(tag)),
  suspended: (): Uint8Array => message(BACKEND.portalSuspended),
  empty: (): Uint8Array => message(BACKEND.emptyQuery),
  ready: (status = 'I'): Uint8Array => message(BACKEND.readyForQuery, Buffer.from(status)),
  error: (text = 'no', code = '42601'): Uint8Array => errorResponse({ severity: 'ERROR', code, message: text }),
  fatal: (text: string): Uint8Array => errorResponse({ severity: 'FATAL', code: '57P01', message: text }),
  notice: (text: string): Uint8Array => noticeResponse({ severity: 'NOTICE', code: '00000', message: text }),
  copyIn: (): Uint8Array => message(BACKEND.copyIn, Buffer.from([0, 0, 1, 0, 0])),
  copyOut: (format = 0, count = 1): Uint8Array =>
    message(
      BACKEND.copyOut,
      Buffer.concat([Buffer.of(format), int16(count), ...Array.from({ length: count }, () => int16(format))]),
    ),
  copyData: (text: string | Uint8Array): Uint8Array => message(BACKEND.copyData, Buffer.from(text)),
  copyDone: (): Uint8Array => message(BACKEND.copyDone),
  setting: (name: string, value: string): Uint8Array =>
    message(BACKEND.parameterStatus, nulTerminated(name), nulTerminated(value)),
  notification: (channel: string, payload: string): Uint8Array =>
    message(BACKEND.notification, int32Of(7), nulTerminated(channel), nulTerminated(payload)),
  value: (text: string): Uint8Array => message(BACKEND.functionCallResponse, cell(text)),
}

/** Number of a table whose every column is labelled, and of one with no labels. */
export const LABELLED = 4711
export const PLAIN = 4712

export const TEXT_LINES: CopyLines = { format: 'text', delimiter: 9, quote: 0x22, escapeByte: 0x22, nullText: Buffer.from('\\N') }

/** Labels by table; what is computed is labelled where the text names `customers` or cannot be read. */
export const testColumns: ColumnJudge = {
  described(bytes, from, to, sql) {
    const origins = readOrigins(bytes, from, to)
    const tainted = sql === '?' || /customers/.test(sql)
    const labelled = (origin: ColumnOrigin): { label: string; entity: string } | undefined =>
      origin.table === LABELLED || (origin.table === 0 && tainted) ? { label: 'pii.name', entity: 'name' } : undefined
    return describedBy(origins, origins.map(labelled))
  },
  labelsTouched: () => [],
  writesFromMasked: () => false,
  copy: (_sql, format, count) => ({ lines: format === 'binary' ? format : TEXT_LINES, count, columns: [] }),
  complaint: () => undefined,
  parameter: () => undefined,
  notification: () => undefined,
  executed: () => undefined,
  rested: () => undefined,
  edition: undefined,
  pending: () => undefined,
}

export function testWire(parts: Partial<PostgresWireParts> = {}): PostgresWire {
  return new PostgresWire({
    reader: sqlReader,
    columns: testColumns,
    place: ['app', 'shop'],
    cancelUpstream: () => undefined,
    ...parts,
  })
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function int32Of(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value | 0)
  return bytes
}

function cell(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int32Of(bytes.length), bytes])
}

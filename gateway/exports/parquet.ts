import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer'
import type { SessionDetail, StatementRow } from '../../schemas/api.ts'

type Cell = string | number | bigint | Date | null
type Type = 'STRING' | 'INT64' | 'TIMESTAMP'

/** Name, type, and what of a statement it has; the names are those of the table in CSV. */
const COLUMNS: readonly (readonly [string, Type, (row: StatementRow, session: SessionDetail) => Cell])[] = [
  ['session', 'STRING', (row) => row.session],
  ['frame', 'INT64', (row) => BigInt(row.frame)],
  ['part', 'INT64', (row) => BigInt(row.part)],
  ['last_frame', 'INT64', (row) => (row.lastFrame === null ? null : BigInt(row.lastFrame))],
  ['started_at', 'TIMESTAMP', (row, session) => new Date(Date.parse(session.startedAt) + row.atUs / 1_000)],
  ['at_us', 'INT64', (row) => BigInt(row.atUs)],
  ['duration_us', 'INT64', (row) => (row.durationUs === null ? null : BigInt(row.durationUs))],
  ['identity', 'STRING', (_row, session) => session.identity.subject],
  ['target', 'STRING', (_row, session) => session.target.name],
  ['kind', 'STRING', (row) => row.kind],
  ['text', 'STRING', (row) => row.text],
  ['fingerprint', 'STRING', (row) => row.fingerprint],
  ['objects', 'STRING', (row) => row.objects.join(' ')],
  ['rows', 'INT64', (row) => BigInt(row.rows)],
  ['bytes_out', 'INT64', (row) => BigInt(row.bytesOut)],
  ['masked', 'INT64', (row) => BigInt(row.masked)],
  ['verdict', 'STRING', (row) => row.verdict],
  ['rules', 'STRING', (row) => row.rules.join(' ')],
  ['approval', 'STRING', (row) => row.approval],
  ['outcome', 'STRING', (row) => row.outcome],
]

/** Statements as a table of Parquet, held in memory; `derived` is its metadata. The same statements make the same bytes. */
export function statementsParquet(session: SessionDetail, rows: readonly StatementRow[], derived: string): Uint8Array {
  const columnData = COLUMNS.map(
    ([name, type, cell]): ColumnSource => ({ name, type, data: rows.map((row) => cell(row, session)) }),
  )
  return new Uint8Array(
    parquetWriteBuffer({ columnData, createdBy: 'sallyport', kvMetadata: [{ key: 'derived', value: derived }] }),
  )
}

import { type CsvCell, csvRecord } from '../../schemas/csv.ts'
import { SESSION_COLUMNS } from './population-rows.ts'

/** The last four are for whoever reviews. */
const COLUMNS = [
  'identity',
  'kind',
  'principal',
  'target',
  'sessions',
  'first_at',
  'last_at',
  'statements',
  'rows',
  'masked',
  'block',
  'hold',
  'still_needed',
  'reviewer',
  'reviewed_at',
  'rationale',
] as const

const SUMS = ['statements', 'rows', 'masked', 'block', 'hold'] as const

/** Who used what in the period, a row for each identity and target: for a review to be written into. `rows`: of the population. */
export function accessReview(rows: readonly (readonly CsvCell[])[]): string {
  const at = (row: readonly CsvCell[], column: (typeof SESSION_COLUMNS)[number]): CsvCell => row[SESSION_COLUMNS.indexOf(column)]
  const groups = new Map<string, (readonly CsvCell[])[]>()
  for (const row of rows) {
    const key = JSON.stringify([at(row, 'identity'), at(row, 'target')])
    const group = groups.get(key) ?? []
    groups.set(key, group)
    group.push(row)
  }
  const records = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => {
      const first = group.find((row) => at(row, 'kind') !== undefined) ?? group[0] ?? []
      const times = group.map((row) => String(at(row, 'opened_at'))).sort()
      return csvRecord([
        at(first, 'identity'),
        at(first, 'kind'),
        at(first, 'principal'),
        at(first, 'target'),
        group.length,
        times[0],
        times.at(-1),
        ...SUMS.map((column) => group.reduce((sum, row) => sum + Number(at(row, column) ?? 0), 0)),
        null,
        null,
        null,
        null,
      ])
    })
  return csvRecord(COLUMNS) + records.join('')
}

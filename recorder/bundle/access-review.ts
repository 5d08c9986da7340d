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
  'blocked',
  'cut',
  'held',
  'still_needed',
  'reviewer',
  'reviewed_at',
  'rationale',
] as const

const SUMS = ['statements', 'rows', 'masked', 'blocked', 'cut', 'held'] as const

interface Group {
  readonly identity: CsvCell
  readonly target: CsvCell
  /** Of the first session whose recording says it. */
  kind: CsvCell
  principal: CsvCell
  sessions: number
  first: string
  last: string
  readonly sums: number[]
}

/** Who used what in the period, a row for each identity and target: for a review to be written into. */
export class AccessReview {
  readonly #groups = new Map<string, Group>()

  /** `row`: of the population. */
  add(row: readonly CsvCell[]): void {
    const at = (column: (typeof SESSION_COLUMNS)[number]): CsvCell => row[SESSION_COLUMNS.indexOf(column)]
    const [identity, target] = [at('identity'), at('target')]
    const opened = String(at('opened_at'))
    const key = JSON.stringify([identity, target])
    const group = this.#groups.get(key) ?? {
      identity,
      target,
      kind: undefined,
      principal: undefined,
      sessions: 0,
      first: opened,
      last: opened,
      sums: SUMS.map(() => 0),
    }
    this.#groups.set(key, group)
    group.sessions += 1
    if (group.kind === undefined) {
      group.kind = at('kind')
      group.principal = at('principal')
    }
    if (opened < group.first) group.first = opened
    if (opened > group.last) group.last = opened
    for (const [index, column] of SUMS.entries()) group.sums[index] = (group.sums[index] ?? 0) + Number(at(column) ?? 0)
  }

  csv(): string {
    const records = [...this.#groups]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { identity, kind, principal, target, sessions, first, last, sums }]) =>
        csvRecord([identity, kind, principal, target, sessions, first, last, ...sums, null, null, null, null]),
      )
    return csvRecord(COLUMNS) + records.join('')
  }
}

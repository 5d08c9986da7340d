import type { TapeState } from '../../schemas/bundle.ts'
import { type CsvCell, csvRecord } from '../../schemas/csv.ts'
import { AccessReview } from './access-review.ts'
import { SESSION_COLUMNS } from './population-rows.ts'

const POLICY_AT = SESSION_COLUMNS.indexOf('policy')

/**
 * The sessions of a bundle, taken in one by one, in the order of their ids. Of each it keeps its record as text, and what is added up: tens of thousands
 * of rows of thirty cells would be most of what a bundle holds in memory. (Not as small buffers: each would keep the whole pool it was cut from.)
 */
export class Population {
  readonly ids: string[] = []
  readonly review = new AccessReview()
  /** Sessions by the policy they began under. */
  readonly policies = new Map<string, number>()
  readonly #records: string[] = []
  readonly #states = new Map<string, TapeState>()

  /** `row`: of SESSION_COLUMNS. */
  add(row: readonly CsvCell[], state: TapeState): void {
    const id = String(row[0])
    this.ids.push(id)
    if (state !== 'whole') this.#states.set(id, state)
    this.#records.push(csvRecord(row))
    this.review.add(row)
    const policy = String(row[POLICY_AT] ?? '')
    this.policies.set(policy, (this.policies.get(policy) ?? 0) + 1)
  }

  stateOf(id: string): TapeState {
    return this.#states.get(id) ?? 'whole'
  }

  /** The table's records, without its head. */
  records(): Iterable<string> {
    return this.#records
  }
}

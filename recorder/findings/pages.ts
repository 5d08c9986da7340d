import { before, DAY_MS, type Detector, type Draft, number } from './detector.ts'
import { ofStatement, Places, perSession, type StatementRow, statements } from './statements.ts'

/** Kinds of statements of one session that are looked at side by side; with more, those of which there was only one are forgotten. */
const SIDE_BY_SIDE = 200_000
/** Numbers of a text that may be the one that grows. */
const MAX_NUMBERS = 50

/** S3: one statement after another that differ in where they begin, page after page. */
export const paginationWalk: Detector = (queries, { from, to }, { params }) => {
  const { pages = 0, rows: least = 0 } = params
  // Sessions that began before.
  const wider = { from: before(from, DAY_MS), to }
  return perSession(
    statements(queries, wider, 'r.fingerprint is not null and r.rows > 1'),
    ({ fingerprint }) => String(fingerprint),
    {
      begin: (row) => new Walk(row),
      add: (walk, row) => walk.add(row),
      end({ all, object, walks }) {
        if (all.count < pages || all.rows < least || !walks) return []
        const summary = `${all.count} pages of ${object ?? 'an answer'}, one after another: ${number(all.rows)} rows`
        return [all.draft({ value: all.count, threshold: pages, unit: 'pages', summary, object })]
      },
    },
    { most: SIDE_BY_SIDE, idle: ({ all }) => all.count === 1, left: notFollowed },
  )
}

/** What the limit has left out is a finding: whoever asks in so many kinds may hide a walk among them. */
function notFollowed(first: StatementRow, count: number): Draft {
  return {
    family: first.family,
    target: first.target,
    object: first.session,
    value: count,
    threshold: 0,
    unit: 'kinds',
    summary: `more than ${number(SIDE_BY_SIDE)} kinds of statements in one session: ${number(count)} that had come once were not followed, and pages among them may be missed`,
    baseline: null,
    coverage: null,
    contributions: [ofStatement(first)],
  }
}

/** Statements of one kind: what of their numbers grows from each to the next. */
class Walk {
  readonly all = new Places()
  readonly object: string | null
  readonly #usualRows: number
  #usual = 0
  #parametered = true
  #last: readonly number[] = []
  /** Of as many numbers as each text has: how often it grew. */
  #grown: number[] = []

  constructor({ objects, rows }: StatementRow) {
    this.object = objects[0] ?? null
    this.#usualRows = rows
  }

  add(row: StatementRow): void {
    const numbers = (row.text.match(/(?<![\w$])\d+\b/g) ?? []).slice(0, MAX_NUMBERS).map(Number)
    const last = this.#last
    this.#grown =
      this.all.count === 0
        ? numbers.map(() => 0)
        : this.#grown.slice(0, numbers.length).map((times, at) => times + ((numbers[at] ?? 0) > (last[at] ?? 0) ? 1 : 0))
    this.#last = numbers
    if (row.rows === this.#usualRows) this.#usual += 1
    this.#parametered &&= /\$\d/.test(row.text)
    this.all.add(row)
  }

  /** Nine of ten go on where another number in the text only grows; where values are parameters, nine of ten bring the same number of rows. */
  get walks(): boolean {
    const { count } = this.all
    return this.#grown.some((times) => times >= 0.9 * (count - 1)) || (this.#parametered && this.#usual >= 0.9 * count)
  }
}

import { ESTIMATE_ERROR_PERCENT, EXACT_KEYS } from '../../schemas/api-names.ts'
import type { Queries } from '../catalog/database.ts'
import { KeySketch } from '../catalog/sketch.ts'
import { before, DAY_MS, type Detector, type Draft, HOUR_MS, number, tableRows, type Window } from './detector.ts'
import { grouped, ofPull, type PullRow, pullsOf } from './evidence.ts'

const WEEK_MS = 7 * DAY_MS

/** S1: rows of one object within an hour, a day or a week, over several sessions, none of which was large by itself. */
export const stitchedRows: Detector = async (queries, window, { params }) => {
  const { rowsHour = 0, rowsDay = 0, rowsWeek = 0, sessions: least = 0 } = params
  const spans = [
    { ms: HOUR_MS, most: rowsHour, name: 'an hour' },
    { ms: DAY_MS, most: rowsDay, name: 'a day' },
    { ms: WEEK_MS, most: rowsWeek, name: 'a week' },
  ]
  // A stretch of a week has a part in eight days, one of a day in two.
  const all = { ...window, from: before(window.from, WEEK_MS) }
  const most = await candidates(queries, all, 'max(rows) >= $3 or max(two) >= $4 or max(eight) >= $5', [
    rowsHour,
    rowsDay,
    rowsWeek,
  ])
  const groups: (readonly PullRow[])[] = []
  for (const group of most) groups.push(await pullsOf(queries, group, all))
  return groups.flatMap((pulls): Draft[] => {
    // The shortest time says the most.
    for (const { ms, most, name } of spans) {
      // What one statement took is another finding.
      const small = pulls.filter(({ largest_rows }) => largest_rows < most)
      const some = stretch(small, ms, most, least)
      const [first] = some
      if (first === undefined) continue
      const rows = some.reduce((sum, pull) => sum + pull.rows, 0)
      const sessions = new Set(some.map(({ session }) => session)).size
      return [
        {
          family: first.family,
          target: first.target,
          object: first.object,
          value: rows,
          threshold: most,
          unit: 'rows',
          summary: `${number(rows)} rows of ${first.object} in ${sessions} sessions within ${name}`,
          baseline: null,
          coverage: null,
          contributions: some.map(ofPull),
        },
      ]
    }
    return []
  })
}

/** The stretch within `ms` that took the most, if that is enough. Pulls are in the order of time. */
function stretch(pulls: readonly PullRow[], ms: number, rows: number, sessions: number): readonly PullRow[] {
  let best: readonly [number, number, number] = [0, 0, 0]
  let [from, sum] = [0, 0]
  for (const [to, pull] of pulls.entries()) {
    sum += pull.rows
    for (; pull.hour.getTime() - (pulls[from]?.hour.getTime() ?? 0) >= ms; from += 1) sum -= pulls[from]?.rows ?? 0
    if (sum > best[2]) best = [from, to + 1, sum]
  }
  const some = pulls.slice(best[0], best[1])
  return best[2] >= rows && new Set(some.map(({ session }) => session)).size >= sessions ? some : []
}

/** S2: how many different rows of one object left over several sessions, and what part of it that is. */
export const stitchedKeys: Detector = async (queries, window, { params, config }) => {
  const { percentOfTable = 0, keys: most = 0, sessions: fewest = 0, floorKeys = 0, windowDays = 0 } = params
  const all = { ...window, from: before(window.from, (windowDays - 1) * DAY_MS) }
  const groups = await candidates(queries, all, 'max(eight) >= $3', [floorKeys])
  const drafts: Draft[] = []
  // Numbers alone: most objects have many readers.
  const known = new Map<string, ReadonlyMap<string, number>>()
  for (const group of groups) {
    const { family, target, object } = group
    const size = tableRows(config, target, object)
    const id = JSON.stringify([target, object])
    const seen = known.get(id) ?? (size === undefined ? await knownKeys(queries, group) : new Map<string, number>())
    known.set(id, seen)
    // There are no more keys than rows: most of the many are told by that.
    const least = Math.min(most, ((size ?? Math.min(...seen.values())) * percentOfTable) / 100)
    if (group.eight < least) continue
    const taken = await sketched(queries, group, all, windowDays)
    if (taken === undefined) continue
    // Keys are counted by the day their session began.
    const pulls = await pullsOf(queries, group, taken, 'begun')
    const rows = pulls.reduce((sum, pull) => sum + pull.rows, 0)
    // An estimate may be of more rows than left.
    const keys = Math.min(rows, taken.keys)
    if (keys < Math.max(floorKeys, least)) continue
    const of = size ?? seen.get(taken.keyed) ?? 0
    const exact = taken.keys <= EXACT_KEYS
    const percent = Math.min(100, (100 * keys) / Math.max(1, of))
    // What only one ever read is all of what is known: without its size no share of it means anything.
    const judged = size !== undefined || of > keys * 1.05
    if (!(judged && percent >= percentOfTable) && keys < most) continue
    const byShare = judged && percent >= percentOfTable
    const sessions = [...new Set(pulls.map(({ session }) => session))]
    if (sessions.length < fewest) continue
    const share = judged
      ? `, ${percent.toFixed(1)} % of ${size === undefined ? `the ${number(of)} ever seen` : `its ${number(of)}`}`
      : ''
    drafts.push({
      family,
      target,
      object,
      value: byShare ? percent : keys,
      threshold: byShare ? percentOfTable : most,
      unit: byShare ? '% of the table' : 'keys',
      summary: `${exact ? '' : 'about '}${number(keys)} different rows of ${object}${share}, in ${sessions.length} sessions of at most ${number(largest(pulls))} rows each (${number(rows)} rows in all)`,
      baseline: null,
      coverage: {
        keys,
        errorPercent: exact ? 0 : ESTIMATE_ERROR_PERCENT,
        keyed: taken.keyed,
        of: judged ? of : null,
        source: size === undefined ? 'seen' : 'configuration',
      },
      contributions: pulls.map(ofPull),
    })
  }
  return drafts
}

function largest(pulls: readonly PullRow[]): number {
  const bySession = grouped(pulls, ({ session }) => session).map((own) => own.reduce((sum, { rows }) => sum + rows, 0))
  return Math.max(...bySession)
}

interface Candidate extends Pick<PullRow, 'family' | 'target' | 'object'> {
  /** The most rows of eight days in a row. */
  readonly eight: number
}

/** Objects of which an actor took enough; `two`, `eight`: rows of so many days up to one. */
async function candidates(
  queries: Queries,
  { from, to }: Window,
  enough: string,
  values: readonly number[],
): Promise<readonly Candidate[]> {
  const { rows } = await queries.query<Candidate>(
    `with days as (
       select family, target, object, day, sum(rows) as rows from catalog.daily
       where day >= ($1::timestamptz at time zone 'UTC')::date and day < ($2::timestamptz at time zone 'UTC')::date group by family, target, object, day),
     sums as (
       select family, target, object, rows,
         sum(rows) over (partition by family, target, object order by day range between interval '1 day' preceding and current row) as two,
         sum(rows) over (partition by family, target, object order by day range between interval '7 days' preceding and current row) as eight
       from days)
     select family, target, object, max(eight)::bigint as eight from sums group by family, target, object having ${enough}
     order by family, target, object`,
    [from, to, ...values],
  )
  return rows
}

interface Taken {
  readonly keyed: string
  readonly keys: number
  readonly from: Date
  readonly to: Date
}

/** The days, so many in a row, in which the most different keys left, by the kind of key that counts the most: each is a lower bound. */
async function sketched(
  queries: Queries,
  { family, target, object }: Pick<PullRow, 'family' | 'target' | 'object'>,
  { from, to }: Window,
  days: number,
): Promise<Taken | undefined> {
  const { rows } = await queries.query<{ day: Date; keyed: string; keys: Uint8Array }>(
    `select day::timestamp at time zone 'UTC' as day, keyed, keys from catalog.daily_keys
     where family = $1 and target = $2 and object = $3
       and day >= ($4::timestamptz at time zone 'UTC')::date and day < ($5::timestamptz at time zone 'UTC')::date order by keyed, day`,
    [family, target, object, from, to],
  )
  const spans = grouped(rows, ({ keyed }) => keyed).flatMap((own) =>
    own.map((last): Taken => {
      const end = new Date(last.day.getTime() + DAY_MS)
      const begin = before(end, days * DAY_MS)
      const some = own.filter(({ day }) => day >= begin && day < end)
      return { keyed: last.keyed, keys: merged(some.map(({ keys }) => keys)), from: begin, to: end }
    }),
  )
  // The first of equals.
  return spans.sort((a, b) => b.keys - a.keys || a.from.getTime() - b.from.getTime())[0]
}

/** All keys there ever were of an object, by the kind of key. */
async function knownKeys(
  queries: Queries,
  { target, object }: Pick<PullRow, 'target' | 'object'>,
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await queries.query<{ keyed: string; keys: Uint8Array }>(
    'select keyed, keys from catalog.object_keys where target = $1 and object = $2',
    [target, object],
  )
  return new Map(rows.map(({ keyed, keys }) => [keyed, new KeySketch(keys).estimate]))
}

function merged(packed: readonly Uint8Array[]): number {
  const all = new KeySketch()
  for (const each of packed) all.merge(new KeySketch(each))
  return all.estimate
}

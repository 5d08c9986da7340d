import type { Queries } from '../catalog/database.ts'
import { before, DAY_MS, type Detector, type Draft, number, tableRows, type Window } from './detector.ts'
import { type DailyRow, dailySums, grouped, ofPull, pullsOf } from './evidence.ts'
import { Places, perSession, type StatementRow, statements } from './statements.ts'

/** V1: one statement, by rows, bytes, or its share of a table whose size is configured. */
export const largePull: Detector = (queries, window, { params, config }) => {
  const { rows: most = 0, bytes = 0, percentOfTable = 0, floorRows = 0 } = params
  const found = statements(queries, window, 'r.rows >= least($3::bigint, $4::bigint) or r.bytes_out >= $5', [
    most,
    floorRows,
    bytes,
  ])
  const measured = (row: StatementRow): Measured | undefined => {
    const object = row.objects[0] ?? null
    const size = object === null ? undefined : tableRows(config, row.target, object)
    const share = size === undefined || row.rows < floorRows ? 0 : (100 * row.rows) / size
    const measures = [
      { value: row.rows, threshold: most, unit: 'rows' },
      { value: row.bytes_out, threshold: bytes, unit: 'bytes' },
      { value: share, threshold: percentOfTable, unit: '% of the table' },
    ]
    const [measure] = measures
      .filter(({ value, threshold }) => value >= threshold)
      .sort((x, y) => y.value / y.threshold - x.value / x.threshold)
    return measure === undefined ? undefined : { row, object, share, ...measure }
  }
  return perSession(found, ({ objects }) => objects[0] ?? '', {
    begin: (): { all: Places; worst: Measured | undefined } => ({ all: new Places(), worst: undefined }),
    add(own, row) {
      const each = measured(row)
      if (each === undefined) return
      own.all.add(row)
      if (own.worst === undefined || each.value / each.threshold > own.worst.value / own.worst.threshold) own.worst = each
    },
    end({ all, worst }) {
      if (worst === undefined) return []
      const { row, object, share, value, threshold, unit } = worst
      const of = share === 0 ? '' : `, ${share.toFixed(1)} % of it`
      const again = all.count === 1 ? '' : `, and ${all.count - 1} more in this session`
      const summary = `${number(row.rows)} rows${of}, ${number(row.bytes_out)} bytes of ${object ?? 'an answer'} in one statement${again}`
      return [all.draft({ value, threshold, unit, summary, object })]
    },
  })
}

interface Measured extends Pick<Draft, 'value' | 'threshold' | 'unit' | 'object'> {
  readonly row: StatementRow
  readonly share: number
}

type Day = Pick<DailyRow, 'family' | 'target' | 'rows' | 'bytes_out' | 'masked'> & { readonly day: number }

/** V2: a day's bytes against the actor's own active days (robust z of the logarithm). */
export const baselineBreak: Detector = async (queries, window, { params }) => {
  const { z: least = 0, floorBytes = 0, activeDays = 0, historyDays = 0 } = params
  const groups = await days(queries, { ...window, from: before(window.from, historyDays * DAY_MS) })
  const found = groups.flatMap((own) =>
    own.flatMap((day, index) => {
      const history = own.slice(0, index).filter((each) => each.day >= day.day - historyDays)
      if (!within(day, window.from) || day.bytes_out < floorBytes || history.length < activeDays) return []
      const { median, mad } = usual(history.map(({ bytes_out }) => Math.log1p(bytes_out)))
      const z = (Math.log1p(day.bytes_out) - median) / (1.4826 * mad + 0.1)
      return z < least ? [] : [{ day, z, median, mad, days: history.length }]
    }),
  )
  return Promise.all(
    found.map(({ day, z, median, mad, days: count }) =>
      draftOf(queries, day, {
        value: z,
        threshold: least,
        unit: 'z',
        summary: `${number(day.bytes_out)} bytes in a day, usually ${number(Math.expm1(median))}`,
        baseline: { days: count, medianLn: median, madLn: mad },
      }),
    ),
  )
}

/** V3: a day's rows against the days of everybody else at this target. */
export const peerBreak: Detector = async (queries, window, { params }) => {
  const { times = 0, peers = 0, floorRows = 0, historyDays = 0 } = params
  const all = (await days(queries, { ...window, from: before(window.from, historyDays * DAY_MS) })).flat()
  const found = grouped(all, ({ target }) => target).flatMap((here) => {
    const families = new Set(here.map(({ family }) => family)).size
    if (families - 1 < peers) return []
    const sorted = here.toSorted((a, b) => a.rows - b.rows)
    const places = new Map<string, number[]>()
    for (const [place, { family }] of sorted.entries()) places.set(family, [...(places.get(family) ?? []), place])
    return here.flatMap((day) => {
      if (!within(day, window.from) || day.rows < floorRows) return []
      const own = places.get(day.family) ?? []
      const count = sorted.length - own.length
      let place = Math.min(count - 1, Math.floor(count * 0.99))
      // Of the days of others: one further for each of their own before it.
      for (const each of own) if (each <= place) place += 1
      const p99 = sorted[place]?.rows ?? 0
      const threshold = Math.max(floorRows, times * p99)
      return day.rows <= threshold ? [] : [{ day, threshold, p99, days: count }]
    })
  })
  return Promise.all(
    found.map(({ day, threshold, p99, days: count }) =>
      draftOf(queries, day, {
        value: day.rows,
        threshold,
        unit: 'rows',
        summary: `${number(day.rows)} rows in a day; of ${count} days of others 99 % had ${number(p99)} at most`,
        baseline: { days: count, p99 },
      }),
    ),
  )
}

/** S4: days that are each a little above what is usual, added up (CUSUM). */
export const lowAndSlow: Detector = async (queries, window, { params }) => {
  const { cusum = 0, slack = 0, activeDays = 0, historyDays = 0 } = params
  const groups = await days(queries, { ...window, from: before(window.from, 2 * historyDays * DAY_MS) })
  const found = groups.flatMap((own) => {
    let sum = 0
    let since = 0
    return own.flatMap((day, index) => {
      const history = own.slice(0, index).filter((each) => each.day >= day.day - historyDays)
      if (history.length < activeDays) return []
      const { median, mad } = usual(history.map(({ rows }) => Math.log1p(rows)))
      if (sum === 0) since = index
      sum = Math.max(0, sum + (Math.log1p(day.rows) - median) / (1.4826 * mad + 0.1) - slack)
      if (sum <= cusum || !within(day, window.from)) return []
      const value = sum
      sum = 0
      return [{ day, some: own.slice(since, index + 1), value, median, mad, days: history.length }]
    })
  })
  return Promise.all(
    found.map(({ day, some, value, median, mad, days: count }) => {
      const rows = some.reduce((all, each) => all + each.rows, 0)
      return draftOf(
        queries,
        day,
        {
          value,
          threshold: cusum,
          unit: 'cusum',
          summary: `${number(rows)} rows over ${some.length} days, each above what is usual (${number(Math.expm1(median))})`,
          baseline: { days: count, medianLn: median, madLn: mad },
        },
        some[0]?.day,
      )
    }),
  )
}

/** M3: masked values in a day, of one object. */
export const maskedSweep: Detector = async (queries, window, { params }) => {
  const { masked: least = 0 } = params
  const groups = await dailySums(queries, wholeDays(window), 'apart', 'sum(masked) >= $3', [least])
  return Promise.all(
    groups.flat().map((row) => {
      const { object, masked } = row
      const measure = {
        value: masked,
        threshold: least,
        unit: 'masked values',
        summary: `${number(masked)} masked values of ${object} in a day`,
        baseline: null,
      }
      return draftOf(queries, { ...row, day: dayOf(row.day) }, measure, dayOf(row.day), object)
    }),
  )
}

/** A2: rows that left outside the configured hours. */
export const offHours: Detector = async (queries, window, { params, config }) => {
  const { workHours } = config
  if (workHours === undefined) return []
  const { zone, from, to, days: workDays = [1, 2, 3, 4, 5] } = workHours
  const local = `(s.started_at + r.at_us * interval '1 microsecond') at time zone $4`
  const { rows: least = 0 } = params
  const found = new Map<string, Places>()
  for await (const row of statements(
    queries,
    window,
    `r.rows >= $3 and not (extract(isodow from ${local})::int = any($5::int[]) and (${local})::time >= $6::time and (${local})::time < $7::time)`,
    [1, zone, [...workDays], from, to],
  )) {
    const id = JSON.stringify([row.family, row.target, dayOf(row.at)])
    const all = found.get(id) ?? new Places()
    found.set(id, all)
    all.add(row)
  }
  return [...found.values()]
    .filter(({ rows }) => rows >= least)
    .map((all) =>
      all.draft({
        value: all.rows,
        threshold: least,
        unit: 'rows',
        summary: `${number(all.rows)} rows outside ${from}-${to} ${zone}`,
        object: null,
      }),
    )
}

/** With what the actor took from `since` (the day itself, where none is given) to the end of the day. */
async function draftOf(
  queries: Queries,
  { family, target, day }: Pick<Day, 'family' | 'target' | 'day'>,
  measure: Pick<Draft, 'value' | 'threshold' | 'unit' | 'summary' | 'baseline'>,
  since = day,
  object: string | null = null,
): Promise<Draft> {
  const pulls = await pullsOf(
    queries,
    { family, target, object },
    { from: new Date(since * DAY_MS), to: new Date((day + 1) * DAY_MS) },
  )
  return { family, target, object, ...measure, coverage: null, contributions: pulls.map(ofPull) }
}

/** Days of each actor at each target, oldest first. */
async function days(queries: Queries, window: Window): Promise<readonly (readonly Day[])[]> {
  const groups = await dailySums(queries, wholeDays(window), 'together')
  return groups.map((own) => own.map((row) => ({ ...row, day: dayOf(row.day) })))
}

/** A day of which only a part is looked at is no day. */
function wholeDays({ from, to }: Window): Window {
  return { from: new Date(Math.floor(from.getTime() / DAY_MS) * DAY_MS), to }
}

function within({ day }: Day, from: Date): boolean {
  return (day + 1) * DAY_MS > from.getTime()
}

function dayOf(at: Date): number {
  return Math.floor(at.getTime() / DAY_MS)
}

/** Median, and median distance from it. */
function usual(values: readonly number[]): { readonly median: number; readonly mad: number } {
  const median = middle(values)
  return { median, mad: middle(values.map((value) => Math.abs(value - median))) }
}

function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2
}

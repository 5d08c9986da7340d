import { before, DAY_MS, type Detector, type Draft, number, tableRows } from './detector.ts'
import { grouped, ofPull, ofStatement, type PullRow, pullGroups, statements } from './evidence.ts'

/** V1: one statement, by rows, bytes, or its share of a table whose size is configured. */
export const largePull: Detector = async (queries, window, { params, config }) => {
  const { rows: most = 0, bytes = 0, percentOfTable = 0, floorRows = 0 } = params
  const found = await statements(queries, window, 'r.rows >= least($3::bigint, $4::bigint) or r.bytes_out >= $5', [
    most,
    floorRows,
    bytes,
  ])
  const large = found.flatMap((row) => {
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
    return measure === undefined ? [] : [{ row, object, share, ...measure }]
  })
  return grouped(large, ({ row, object }) => JSON.stringify([row.session, object])).flatMap((own): Draft[] => {
    const [worst] = [...own].sort((x, y) => y.value / y.threshold - x.value / x.threshold)
    if (worst === undefined) return []
    const { row, object, share, value, threshold, unit } = worst
    const of = share === 0 ? '' : `, ${share.toFixed(1)} % of it`
    const again = own.length === 1 ? '' : `, and ${own.length - 1} more in this session`
    return [
      {
        family: row.family,
        target: row.target,
        object,
        value,
        threshold,
        unit,
        summary: `${number(row.rows)} rows${of}, ${number(row.bytes_out)} bytes of ${object ?? 'an answer'} in one statement${again}`,
        baseline: null,
        coverage: null,
        contributions: own.map((each) => ofStatement(each.row)),
      },
    ]
  })
}

interface Day {
  readonly family: string
  readonly target: string
  readonly day: number
  readonly rows: number
  readonly bytes: number
  readonly masked: number
  readonly pulls: readonly PullRow[]
}

/** V2: a day's bytes against the actor's own active days (robust z of the logarithm). */
export const baselineBreak: Detector = async (queries, window, { params }) => {
  const { z: least = 0, floorBytes = 0, activeDays = 0, historyDays = 0 } = params
  const groups = await days(queries, { ...window, from: before(window.from, historyDays * DAY_MS) })
  return groups.flatMap((own) =>
    own.flatMap((day, index): Draft[] => {
      const history = own.slice(0, index).filter((each) => each.day >= day.day - historyDays)
      if (!within(day, window.from) || day.bytes < floorBytes || history.length < activeDays) return []
      const { median, mad } = usual(history.map(({ bytes }) => Math.log1p(bytes)))
      const z = (Math.log1p(day.bytes) - median) / (1.4826 * mad + 0.1)
      if (z < least) return []
      return [
        draftOf(day, null, z, least, 'z', `${number(day.bytes)} bytes in a day, usually ${number(Math.expm1(median))}`, {
          days: history.length,
          medianLn: median,
          madLn: mad,
        }),
      ]
    }),
  )
}

/** V3: a day's rows against the days of everybody else at this target. */
export const peerBreak: Detector = async (queries, window, { params }) => {
  const { times = 0, peers = 0, floorRows = 0, historyDays = 0 } = params
  const all = (await days(queries, { ...window, from: before(window.from, historyDays * DAY_MS) })).flat()
  return grouped(all, ({ target }) => target).flatMap((here) =>
    here.flatMap((day): Draft[] => {
      if (!within(day, window.from) || day.rows < floorRows) return []
      const others = here.filter(({ family }) => family !== day.family)
      if (new Set(others.map(({ family }) => family)).size < peers) return []
      const sorted = others.map(({ rows }) => rows).sort((a, b) => a - b)
      const p99 = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0
      const threshold = Math.max(floorRows, times * p99)
      if (day.rows <= threshold) return []
      return [
        draftOf(
          day,
          null,
          day.rows,
          threshold,
          'rows',
          `${number(day.rows)} rows in a day; of ${others.length} days of others 99 % had ${number(p99)} at most`,
          {
            days: others.length,
            p99,
          },
        ),
      ]
    }),
  )
}

/** S4: days that are each a little above what is usual, added up (CUSUM). */
export const lowAndSlow: Detector = async (queries, window, { params }) => {
  const { cusum = 0, slack = 0, activeDays = 0, historyDays = 0 } = params
  const groups = await days(queries, { ...window, from: before(window.from, 2 * historyDays * DAY_MS) })
  return groups.flatMap((own) => {
    let sum = 0
    let since = 0
    return own.flatMap((day, index): Draft[] => {
      const history = own.slice(0, index).filter((each) => each.day >= day.day - historyDays)
      if (history.length < activeDays) return []
      const { median, mad } = usual(history.map(({ rows }) => Math.log1p(rows)))
      if (sum === 0) since = index
      sum = Math.max(0, sum + (Math.log1p(day.rows) - median) / (1.4826 * mad + 0.1) - slack)
      if (sum <= cusum || !within(day, window.from)) return []
      const some = own.slice(since, index + 1)
      const pulls = some.flatMap((each) => each.pulls)
      const value = sum
      sum = 0
      const rows = some.reduce((all, each) => all + each.rows, 0)
      return [
        draftOf(
          { ...day, pulls },
          null,
          value,
          cusum,
          'cusum',
          `${number(rows)} rows over ${some.length} days, each above what is usual (${number(Math.expm1(median))})`,
          {
            days: history.length,
            medianLn: median,
            madLn: mad,
          },
        ),
      ]
    })
  })
}

/** M3: masked values in a day, of one object. */
export const maskedSweep: Detector = async (queries, window, { params }) => {
  const { masked: least = 0 } = params
  const pulls = (await pullGroups(queries, wholeDays(window), 1)).flat()
  return grouped(pulls, (pull) => JSON.stringify([pull.family, pull.target, pull.object, dayOf(pull.hour)])).flatMap(
    (own): Draft[] => {
      const [first] = own
      const masked = own.reduce((sum, pull) => sum + pull.masked, 0)
      if (first === undefined || masked < least) return []
      const day = { family: first.family, target: first.target, day: 0, rows: 0, bytes: 0, masked, pulls: own }
      return [
        draftOf(
          day,
          first.object,
          masked,
          least,
          'masked values',
          `${number(masked)} masked values of ${first.object} in a day`,
          null,
        ),
      ]
    },
  )
}

/** A2: rows that left outside the configured hours. */
export const offHours: Detector = async (queries, window, { params, config }) => {
  const { workHours } = config
  if (workHours === undefined) return []
  const { zone, from, to, days: workDays = [1, 2, 3, 4, 5] } = workHours
  const local = `(s.started_at + r.at_us * interval '1 microsecond') at time zone $4`
  const found = await statements(
    queries,
    window,
    `r.rows >= $3 and not (extract(isodow from ${local})::int = any($5::int[]) and (${local})::time >= $6::time and (${local})::time < $7::time)`,
    [1, zone, [...workDays], from, to],
  )
  return grouped(found, (row) => JSON.stringify([row.family, row.target, dayOf(row.at)])).flatMap((own): Draft[] => {
    const [first] = own
    const rows = own.reduce((sum, row) => sum + row.rows, 0)
    const { rows: least = 0 } = params
    if (first === undefined || rows < least) return []
    return [
      {
        family: first.family,
        target: first.target,
        object: null,
        value: rows,
        threshold: least,
        unit: 'rows',
        summary: `${number(rows)} rows outside ${from}-${to} ${zone}`,
        baseline: null,
        coverage: null,
        contributions: own.map(ofStatement),
      },
    ]
  })
}

function draftOf(
  { family, target, pulls }: Pick<Day, 'family' | 'target' | 'pulls'>,
  object: string | null,
  value: number,
  threshold: number,
  unit: string,
  summary: string,
  baseline: Draft['baseline'],
): Draft {
  return { family, target, object, value, threshold, unit, summary, baseline, coverage: null, contributions: pulls.map(ofPull) }
}

/** Days of each actor at each target, oldest first. */
async function days(queries: Parameters<Detector>[0], window: Parameters<Detector>[1]): Promise<readonly (readonly Day[])[]> {
  const pulls = (await pullGroups(queries, wholeDays(window), 1)).flat()
  const byDay = grouped(pulls, ({ family, target, hour }) => JSON.stringify([family, target, dayOf(hour)])).map((own): Day => {
    const [first] = own
    const sum = (of: (pull: PullRow) => number): number => own.reduce((all, pull) => all + of(pull), 0)
    return {
      family: first?.family ?? '',
      target: first?.target ?? '',
      day: first === undefined ? 0 : dayOf(first.hour),
      rows: sum(({ rows }) => rows),
      bytes: sum(({ bytes_out }) => bytes_out),
      masked: sum(({ masked }) => masked),
      pulls: own,
    }
  })
  return grouped(byDay, ({ family, target }) => JSON.stringify([family, target])).map((own) =>
    [...own].sort((a, b) => a.day - b.day),
  )
}

/** A day of which only a part is looked at is no day. */
function wholeDays({ from, to }: Parameters<Detector>[1]): Parameters<Detector>[1] {
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

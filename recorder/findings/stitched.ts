import type { Queries } from '../catalog/database.ts'
import { KeySketch } from '../catalog/sketch.ts'
import { before, DAY_MS, type Detector, type Draft, HOUR_MS, number, tableRows, type Window } from './detector.ts'
import { grouped, ofPull, ofStatement, type PullRow, pullGroups, type StatementRow, statements } from './evidence.ts'

const WEEK_MS = 7 * DAY_MS
/** Of an estimate by 1,024 hashes; below that the count is exact. */
const ESTIMATE_ERROR_PERCENT = 3.2
const EXACT_KEYS = 1024

/** S1: rows of one object within an hour, a day or a week, over several sessions, none of which was large by itself. */
export const stitchedRows: Detector = async (queries, window, { params }) => {
  const { rowsHour = 0, rowsDay = 0, rowsWeek = 0, sessions: least = 0 } = params
  const spans = [
    { ms: HOUR_MS, most: rowsHour, name: 'an hour' },
    { ms: DAY_MS, most: rowsDay, name: 'a day' },
    { ms: WEEK_MS, most: rowsWeek, name: 'a week' },
  ]
  const groups = await pullGroups(
    queries,
    { ...window, from: before(window.from, WEEK_MS) },
    Math.min(rowsHour, rowsDay, rowsWeek),
  )
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
  const { percentOfTable = 0, keys: most = 0, sessions: least = 0, floorKeys = 0, windowDays = 0 } = params
  const groups = await pullGroups(queries, { ...window, from: before(window.from, windowDays * DAY_MS) }, floorKeys)
  const drafts: Draft[] = []
  for (const pulls of groups) {
    const [first] = pulls
    const sessions = [...new Set(pulls.map(({ session }) => session))]
    if (first === undefined || sessions.length < least) continue
    const { target, object, family } = first
    const taken = await sketched(queries, sessions, object)
    if (taken === undefined || taken.keys < floorKeys) continue
    const size = tableRows(config, target, object)
    const of = size ?? (await knownKeys(queries, target, object, taken.keyed))
    const percent = Math.min(100, (100 * taken.keys) / Math.max(1, of))
    // What only one ever read is all of what is known: without its size no share of it means anything.
    const judged = size !== undefined || of > taken.keys * 1.05
    if (!(judged && percent >= percentOfTable) && taken.keys < most) continue
    const byShare = judged && percent >= percentOfTable
    const rows = pulls.reduce((sum, pull) => sum + pull.rows, 0)
    const share = judged
      ? `, ${percent.toFixed(1)} % of ${size === undefined ? `the ${number(of)} ever seen` : `its ${number(of)}`}`
      : ''
    drafts.push({
      family,
      target,
      object,
      value: byShare ? percent : taken.keys,
      threshold: byShare ? percentOfTable : most,
      unit: byShare ? '% of the table' : 'keys',
      summary: `${number(taken.keys)} different rows of ${object}${share}, in ${sessions.length} sessions of at most ${number(largest(pulls))} rows each (${number(rows)} rows in all)`,
      baseline: null,
      coverage: {
        keys: taken.keys,
        errorPercent: taken.keys <= EXACT_KEYS ? 0 : ESTIMATE_ERROR_PERCENT,
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

interface Taken {
  readonly keyed: string
  readonly keys: number
}

/** By the kind of key that counts the most: each is a lower bound. */
async function sketched(queries: Queries, sessions: readonly string[], object: string): Promise<Taken | undefined> {
  const { rows } = await queries.query<{ keyed: string; keys: Uint8Array }>(
    'select keyed, keys from catalog.sketches where session = any($1::text[]) and object = $2 order by keyed, session',
    [sessions, object],
  )
  return grouped(rows, ({ keyed }) => keyed)
    .map((own): Taken => ({ keyed: own[0]?.keyed ?? '', keys: merged(own.map(({ keys }) => keys)) }))
    .sort((a, b) => b.keys - a.keys)[0]
}

async function knownKeys(queries: Queries, target: string, object: string, keyed: string): Promise<number> {
  const { rows } = await queries.query<{ keys: Uint8Array }>(
    `select k.keys from catalog.sketches k join catalog.sessions s on s.id = k.session
     where k.object = $1 and k.keyed = $2 and s.target = $3 order by k.session`,
    [object, keyed, target],
  )
  return merged(rows.map(({ keys }) => keys))
}

function merged(packed: readonly Uint8Array[]): number {
  const all = new KeySketch()
  for (const each of packed) all.merge(new KeySketch(each))
  return all.estimate
}

/** S3: one statement after another that differ in where they begin, page after page. */
export const paginationWalk: Detector = async (queries, window, { params }) => {
  const { pages = 0, rows: least = 0 } = params
  const found = await statements(queries, wider(window), 'r.fingerprint is not null and r.rows > 1')
  return grouped(found, ({ session, fingerprint }) => `${session} ${fingerprint}`).flatMap((own): Draft[] => {
    const [first] = own
    const rows = own.reduce((sum, each) => sum + each.rows, 0)
    if (first === undefined || own.length < pages || rows < least || !walks(own)) return []
    return [
      {
        family: first.family,
        target: first.target,
        object: first.objects[0] ?? null,
        value: own.length,
        threshold: pages,
        unit: 'pages',
        summary: `${own.length} pages of ${first.objects[0] ?? 'an answer'}, one after another: ${number(rows)} rows`,
        baseline: null,
        coverage: null,
        contributions: own.map(ofStatement),
      },
    ]
  })
}

/** Nine of ten go on where another number in the text only grows; where values are parameters, nine of ten bring the same number of rows. */
function walks(own: readonly StatementRow[]): boolean {
  const numbers = own.map(({ text }) => (text.match(/(?<![\w$])\d+\b/g) ?? []).map(Number))
  const most = Math.min(...numbers.map(({ length }) => length))
  const steps = own.length - 1
  for (let at = 0; at < most; at += 1) {
    const grows = numbers.filter((each, index) => index > 0 && (each[at] ?? 0) > (numbers[index - 1]?.[at] ?? 0)).length
    if (grows >= 0.9 * steps) return true
  }
  const usual = own[0]?.rows ?? 0
  return own.every(({ text }) => /\$\d/.test(text)) && own.filter(({ rows }) => rows === usual).length >= 0.9 * own.length
}

/** Sessions that began before. */
function wider({ from, to }: Window): Window {
  return { from: before(from, DAY_MS), to }
}

import { ApplianceError } from '../../schemas/errors.ts'
import { parseTerms, type Term } from '../../schemas/filter.ts'
import type { SearchFacets, SearchHit, SearchQuery } from '../../schemas/search.ts'
import { cursorOf, placeOf } from './cursor.ts'
import type { Database } from './database.ts'
import { folded } from './fold.ts'
import type { Scope } from './messages.ts'
import { spellings } from './object-names.ts'
import { LONG_US } from './schema.ts'
import { anywhere, globbed, sqlText } from './text.ts'
import { ANSWER_MS } from './timed.ts'
import { Where } from './where.ts'

const HITS_PER_PAGE = 50
/** Shown of a hit, and of it in front of the match. */
const SNIPPET_CHARS = 320
const BEFORE_CHARS = 80
/** Newest hits that facets are counted over. */
const FACET_HITS = 2_000
const FACET_VALUES = 10
const PLACE = /^([A-Za-z0-9-]{1,100}):(\d{1,16}):(\d{1,9}):([st])$/

/** Whose evidence is searched: `rows` false for those who may see statements and nothing of what was answered. */
export interface Seeker {
  readonly scope: Scope
  readonly results: boolean
}

export interface Found {
  readonly hits: readonly SearchHit[]
  readonly next: string | null
  readonly facets: SearchFacets | null
}

/** Newest session first, and in it the last frame first. Rejects API_INVALID for what is no filter, and for a foreign cursor; API_LIMITED soon after `gone`. */
export async function search(
  database: Database,
  query: SearchQuery,
  seeker: Seeker,
  nowMs: number,
  gone?: AbortSignal,
): Promise<Found> {
  const parsed = parseTerms(query.q, nowMs)
  if (!parsed.ok) throw new ApplianceError('API_INVALID', parsed.what)
  const { terms } = parsed
  const { limit = HITS_PER_PAGE, cursor } = query
  const place = cursor === undefined ? undefined : placeOf(cursor, PLACE)
  const tables = terms.flatMap(({ field, value }) => (field === 'table' && !value.includes('*') ? [value] : []))
  const spelt = await spellings(database, tables, { gone, settings: NESTED })
  const asked = { database, terms, seeker, spelt, gone }
  const hits = await ask(asked, limit + 1, place)
  const page = hits.slice(0, limit)
  const last = page.at(-1)
  const text = terms.find(({ field, not }) => field === 'text' && !not)?.value
  return {
    hits: page.map((row) => hitOf(row, text)),
    next:
      hits.length > limit && last !== undefined
        ? cursorOf(`${last.session}:${last.frame}:${last.part}:${last.place === 'statement' ? 's' : 't'}`)
        : null,
    facets: query.facets === undefined ? null : facetsOf(await ask(asked, FACET_HITS + 1, undefined, 'without')),
  }
}

interface Asked {
  readonly database: Database
  readonly terms: readonly Term[]
  readonly seeker: Seeker
  readonly spelt: Spelt
  /** Whoever waits for the answer. */
  readonly gone: AbortSignal | undefined
}

/** Both tables, each by its own key in order, so that the newest hits of a common text are found without the others. */
async function ask(
  { database, terms, seeker, spelt, gone }: Asked,
  limit: number,
  place: RegExpExecArray | undefined,
  text: 'with text' | 'without' = 'with text',
): Promise<readonly HitColumns[]> {
  const sources: Source[] = []
  const wanted = terms.filter(({ field }) => field === 'in')
  const has = (name: string): boolean => wanted.every(({ value, not }) => (value === name) !== not)
  if (has('statement')) sources.push('statements')
  // What has no text of its own is looked for among statements; rows, verdicts and tables are theirs alone.
  const texts = seeker.results && terms.some(({ field, not }) => field === 'text' && !not)
  const ofStatements = terms.some(({ field }) => STATEMENT_FIELDS.has(field))
  if (texts && !ofStatements && ['result', 'terminal', 'output', 'body'].some(has)) sources.push('texts')
  const found: HitColumns[] = []
  // One after the other, each in a transaction of its own: lists that wait are asked in between.
  for (const source of sources) {
    const where = whereOf(source, { terms, seeker, spelt }, place)
    const select = text === 'without' ? SELECTS[source].replace('r.text', `'' as text`) : SELECTS[source]
    const rows = await database.timed(
      ANSWER_MS,
      async (each, inTime) => {
        where.also(inTime('r.part'))
        const sql = `${select} ${where.sql} order by r.session desc, r.frame desc, r.part desc limit ${limit}`
        return (await each.query<HitColumns>(sql, where.values)).rows
      },
      { gone, settings: NESTED },
    )
    found.push(...rows)
  }
  return found.sort(newestFirst).slice(0, limit)
}

/**
 * Sessions are looked up for what was found, or what is theirs for each of a few: any other join walks past all of them, for a rare word too.
 * And what takes a few milliseconds waits for no other process to begin.
 */
const NESTED = 'set local enable_mergejoin = off; set local enable_hashjoin = off; set local max_parallel_workers_per_gather = 0'

type Source = 'statements' | 'texts'
const STATEMENT_FIELDS: ReadonlySet<string> = new Set([
  'table',
  'verb',
  'rule',
  'approval',
  'fingerprint',
  'verdict',
  'outcome',
  'rows',
  'bytes',
  'masked',
])

const SESSION = 's.started_at, s.subject, s.principal, s.target, s.protocol'
const SELECTS: Readonly<Record<Source, string>> = {
  statements: `select r.session, r.frame, r.part, 'statement' as place, null as first_row, r.text, r.at_us, ${SESSION},
    r.rows, r.bytes_out, r.masked, r.verdict, r.outcome, r.approval, r.objects
    from catalog.statements r join catalog.sessions s on s.id = r.session`,
  texts: `select r.session, r.frame, r.part, r.place, r.first_row, r.text, r.at_us, ${SESSION},
    null as rows, null as bytes_out, null as masked, null as verdict, null as outcome, null as approval, null as objects
    from catalog.texts r join catalog.sessions s on s.id = r.session`,
}

function whereOf(
  source: Source,
  { terms, seeker: { scope }, spelt }: Omit<Asked, 'database' | 'gone'>,
  place: RegExpExecArray | undefined,
): Where {
  const where = new Where()
  if (scope !== null) where.add('s.target = any($::text[])', [...scope])
  if (place !== undefined) {
    const [, session = '', frame, part, kind] = place
    where.add(`r.session <= $`, session)
    // Of two hits in one place the statement comes first.
    const same = source === 'statements' ? 'r.part <' : kind === 's' ? 'r.part <=' : 'r.part <'
    where.add(`r.session < $ or r.frame < ${Number(frame)} or (r.frame = ${Number(frame)} and ${same} ${Number(part)})`, session)
  }
  for (const term of terms) add(where, source, term, spelt)
  bound(where, terms)
  return where
}

/** Ids begin with the time of their session: what is too old or too new by that is not looked at, a month of it not even planned for. */
function bound(where: Where, terms: readonly Term[]): void {
  for (const { field, not, value } of terms) {
    if (not || (field !== 'since' && field !== 'until')) continue
    const at = Date.parse(value)
    // A moment in the year 10000 has no such id.
    if (field === 'until' && at < LAST_MS) where.add('r.session < $', stampOf(at + SECOND_MS))
    if (field !== 'since' || at < DAY_MS || at > LAST_MS) continue
    const [from, since] = [where.given(stampOf(at - DAY_MS)), where.given(value)]
    // Of the few that went on for longer than a day, those that went on until then.
    where.also(
      `r.session >= least(${from}, (select min(id) from catalog.sessions
         where duration_us > ${LONG_US} and started_at + duration_us * interval '1 microsecond' >= ${since}::timestamptz))`,
    )
  }
}

const SECOND_MS = 1_000
const DAY_MS = 86_400_000
const LAST_MS = Date.UTC(9999, 0)

function stampOf(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

/** Of tables that are looked for without a star, how those that were ever touched are spelt: these an index knows. */
type Spelt = Awaited<ReturnType<typeof spellings>>

const COUNTS: Readonly<Partial<Record<Term['field'], string>>> = { rows: 'r.rows', bytes: 'r.bytes_out', masked: 'r.masked' }
const GLOBS: Readonly<Partial<Record<Term['field'], string>>> = {
  session: 'r.session',
  approval: 'r.approval',
  fingerprint: 'r.fingerprint',
}
/** In any case. */
const PEOPLE: Readonly<Partial<Record<Term['field'], string>>> = {
  identity: 's.subject',
  principal: 's.principal',
  family: 'coalesce(s.principal, s.subject)',
  target: 's.target',
}
const LISTS: Readonly<Partial<Record<Term['field'], string>>> = { table: 'r.objects', verb: 'r.verbs', rule: 'r.rules' }
const NAMES: Readonly<Partial<Record<Term['field'], string>>> = {
  protocol: 's.protocol',
  state: 's.state',
  verdict: 'r.verdict',
  outcome: 'r.outcome',
}

function add(where: Where, source: Source, { field, not, op, value }: Term, spelt: Spelt): void {
  const put = (condition: string, given: unknown): void => where.add(not ? `(${condition}) is not true` : condition, given)
  const list = LISTS[field]
  const [count, glob, name, person] = [COUNTS[field], GLOBS[field], NAMES[field], PEOPLE[field]]
  if (count !== undefined) put(`${count} ${op === 'least' ? '>=' : '<='} $`, Number(value))
  else if (glob !== undefined) put(`${glob} like $`, globbed(value))
  else if (person !== undefined) put(`lower(${person}) like lower($::text)`, globbed(value))
  // What no rule says anything of is allowed.
  else if (field === 'verdict' && value === 'allow') put('r.verdict is null or r.verdict = $', value)
  else if (name !== undefined) put(`${name} = $`, value)
  else if (list !== undefined) {
    const names = field === 'table' ? spelt.get(value) : undefined
    if (names !== undefined) put(`${list} && $::text[]`, names)
    // Most have it nowhere in all of them, which is asked in a third of the time. A case, as the planner guesses of no `ilike` in it that nothing
    // is found: then it would sort everything there is.
    else
      put(
        `case when array_to_string(${list}, chr(10)) ilike '%' || $::text || '%'
           then exists (select from unnest(${list}) one where one ilike $) else false end`,
        globbed(value),
      )
  } else if (field === 'text') put('r.text ilike $', anywhere(value))
  else if (field === 'since') put(`s.started_at + r.at_us * interval '1 microsecond' >= $::timestamptz`, value)
  else if (field === 'until') put(`s.started_at + r.at_us * interval '1 microsecond' < $::timestamptz`, value)
  else if (field === 'in' && source === 'texts') put('r.place = $', value)
}

export interface HitColumns {
  readonly session: string
  readonly frame: number
  readonly part: number
  readonly place: SearchHit['place']
  readonly first_row: number | null
  readonly text: string
  readonly at_us: number
  readonly started_at: Date
  readonly subject: string
  readonly principal: string | null
  readonly target: string
  readonly protocol: SearchHit['protocol']
  readonly rows: number | null
  readonly bytes_out: number | null
  readonly masked: number | null
  readonly verdict: NonNullable<SearchHit['statement']>['verdict']
  readonly outcome: NonNullable<SearchHit['statement']>['outcome'] | null
  readonly approval: string | null
  readonly objects: string[] | null
}

function newestFirst(a: HitColumns, b: HitColumns): number {
  if (a.session !== b.session) return a.session < b.session ? 1 : -1
  if (a.frame !== b.frame) return b.frame - a.frame
  if (a.part !== b.part) return b.part - a.part
  return a.place === 'statement' ? -1 : 1
}

/** Of a row that was found by this text. */
export function hitOf(row: HitColumns, text: string | undefined): SearchHit {
  const at = text === undefined ? -1 : folded(row.text).indexOf(folded(sqlText(text)))
  const lineFrom = row.first_row === null || at < 0 ? -1 : row.text.lastIndexOf('\n', at - 1) + 1
  const from = Math.max(lineFrom, at < 0 ? 0 : Math.max(0, at - BEFORE_CHARS))
  const lineEnd = lineFrom < 0 ? -1 : row.text.indexOf('\n', at)
  const shown = row.text.slice(from, Math.min(from + SNIPPET_CHARS, lineEnd < 0 ? row.text.length : lineEnd)).toWellFormed()
  const matched =
    at < 0 || text === undefined ? null : ([at - from, Math.min(at - from + text.length, shown.length)] as [number, number])
  return {
    session: row.session,
    frame: row.frame,
    // What the database found by another rule of letters has a frame, and no row that could be the wrong one.
    row: row.first_row === null || (at < 0 && text !== undefined) ? null : row.first_row + lines(row.text, Math.max(at, 0)),
    place: row.place,
    at: new Date(row.started_at.getTime() + row.at_us / 1000).toISOString(),
    identity: row.subject,
    principal: row.principal,
    target: row.target,
    protocol: row.protocol,
    text: shown,
    match: matched,
    statement:
      row.outcome === null
        ? null
        : {
            rows: row.rows ?? 0,
            bytesOut: row.bytes_out ?? 0,
            masked: row.masked ?? 0,
            verdict: row.verdict,
            outcome: row.outcome,
            approval: row.approval,
            objects: row.objects ?? [],
          },
  }
}

function lines(text: string, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count += 1
  return count
}

function facetsOf(rows: readonly HitColumns[]): SearchFacets {
  const counted = rows.slice(0, FACET_HITS)
  const facet = (values: (row: HitColumns) => readonly (string | null)[]): { value: string; count: number }[] => {
    const counts = new Map<string, number>()
    for (const row of counted)
      for (const value of values(row)) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1)
    return [...counts]
      .sort(([a, many], [b, others]) => others - many || (a < b ? -1 : 1))
      .slice(0, FACET_VALUES)
      .map(([value, count]) => ({ value, count }))
  }
  return {
    of: counted.length,
    more: rows.length > FACET_HITS,
    identity: facet(({ subject }) => [subject]),
    target: facet(({ target }) => [target]),
    place: facet(({ place }) => [place]),
    verdict: facet(({ verdict, place }) => [place === 'statement' ? (verdict ?? 'allow') : null]),
    table: facet(({ objects }) => objects ?? []),
  }
}

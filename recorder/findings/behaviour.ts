import { Burst } from './burst.ts'
import { before, DAY_MS, type Detector, type Draft, number, tableOf } from './detector.ts'
import { perSession, type StatementRow, statements } from './statements.ts'

const MINUTE_MS = 60_000
/** Kinds of statements of a session that are looked at side by side, before those that are over are forgotten. */
const SIDE_BY_SIDE = 10_000
const DATABASE_CATALOG = `exists (select from unnest(r.objects) o where o ~* '^(information_schema\\.|pg_catalog\\.|pg_[a-z_]+$)')`

/** F1: an actor that is known for a while touches what they never did. What is sensitive counts from the first day. */
export const firstAccess: Detector = async (queries, { from, to }, { params, config }) => {
  const { learningDays = 0, rows: least = 0 } = params
  const { rows } = await queries.query<{
    family: string
    target: string
    object: string
    at: Date
    session: string
    frame: number
    known: number
    rows: number
    bytes: number
    last: number
  }>(
    `select f.family, f.target, f.object, f.at, f.session, f.frame,
       extract(epoch from f.at - o.since)::float8 as known, sum(p.rows) as rows, sum(p.bytes_out) as bytes, max(p.last_frame) as last
     from catalog.first_seen f join (select family, min(at) as since from catalog.first_seen group by family) o on o.family = f.family
       join catalog.pulls p on p.session = f.session and p.object = f.object
     where f.at >= $1 and f.at < $2 and f.object !~* '^(information_schema\\.|pg_)'
     group by f.family, f.target, f.object, f.at, f.session, f.frame, o.since order by f.at, f.session, f.object`,
    [from, to],
  )
  return rows.flatMap(({ family, target, object, at, session, frame, known, ...taken }): Draft[] => {
    const days = known / 86_400
    const sensitive = tableOf(config, target, object)?.sensitive === true
    const count = Number(taken.rows)
    if (count < least || (days < learningDays && !sensitive)) return []
    return [
      {
        family,
        target,
        object,
        value: count,
        threshold: least,
        unit: 'rows',
        summary: `${number(count)} rows of ${object}, which ${family} never touched before, known for ${number(days)} days`,
        baseline: { knownDays: Math.round(days * 10) / 10 },
        coverage: null,
        contributions: [
          {
            session,
            target,
            frame,
            lastFrame: Number(taken.last),
            at: at.toISOString(),
            rows: count,
            bytesOut: Number(taken.bytes),
            text: `first statements on ${object}`,
          },
        ],
      },
    ]
  })
}

/** E1: questions to the database's own catalog, or many tables one after another. */
export const schemaEnumeration: Detector = (queries, window, { params }) => {
  const { catalogQueries = 0, objects = 0, minutes = 0 } = params
  const found = statements(
    queries,
    window,
    `s.protocol = 'postgres' and (${DATABASE_CATALOG} or (cardinality(r.objects) > 0 and r.rows <= 10))`,
  )
  return perSession(found, () => '', {
    begin: () => ({
      asked: new Burst(minutes * MINUTE_MS, catalogQueries),
      touched: new Burst(minutes * MINUTE_MS, objects),
    }),
    add({ asked, touched }, row) {
      if (row.objects.some((object) => /^(information_schema\.|pg_)/i.test(object))) asked.add(row, [String(row.frame)])
      touched.add(row, row.objects)
    },
    end({ asked, touched }) {
      const [looked, several] = [asked.found, touched.found]
      if (looked !== undefined) {
        const { places } = looked
        return [
          places.draft({
            value: places.count,
            threshold: catalogQueries,
            unit: 'questions',
            summary: `${places.count} questions to the database's own catalog`,
            object: null,
          }),
        ]
      }
      if (several === undefined) return []
      return [
        several.places.draft({
          value: several.keys,
          threshold: objects,
          unit: 'tables',
          summary: `${several.counted} different tables looked into, a few rows each`,
          object: null,
        }),
      ]
    },
  })
}

/** E2: one route, many ids. */
export const apiEnumeration: Detector = (queries, window, { params }) => {
  const { ids = 0, minutes = 0 } = params
  const found = statements(queries, window, `s.protocol = 'http' and r.verbs && array['GET', 'HEAD', 'POST']`)
  return byFingerprint(found, new Quick(minutes, ids), ({ found: some, first }) => {
    if (some === undefined) return []
    const object = first?.objects[0]
    return [
      some.places.draft({
        value: some.keys,
        threshold: ids,
        unit: 'ids',
        summary: `${some.counted} different addresses of ${object ?? 'one route'}`,
        object: object ?? null,
      }),
    ]
  })
}

/** M1: the same question to masked data again and again, with hardly an answer: values are guessed. */
export const maskProbing: Detector = async (queries, window, { params }) => {
  const { questions = 0, minutes = 0, rows = 0 } = params
  const masked = await queries.query<{ target: string; object: string }>(
    'select distinct target, object from catalog.daily where masked > 0',
  )
  const objects = new Set(masked.rows.map(({ target, object }) => `${target} ${object}`))
  if (objects.size === 0) return []
  const found = statements(
    queries,
    window,
    `r.fingerprint is not null and r.rows <= $3 and r.outcome = 'complete' and cardinality(r.objects) > 0 and r.text ~* '\\mwhere\\M'`,
    [rows],
  )
  const isMasked = ({ target, objects: of }: StatementRow): boolean => of.some((object) => objects.has(`${target} ${object}`))
  return byFingerprint(filtered(found, isMasked), new Quick(minutes, questions), ({ found: some, first }) =>
    some === undefined
      ? []
      : [
          some.places.draft({
            value: some.places.count,
            threshold: questions,
            unit: 'questions',
            summary: `${some.places.count} questions that differ in one value, to a table with masked columns`,
            object: first?.objects[0] ?? null,
          }),
        ],
  )
}

class Quick {
  readonly ms: number
  readonly least: number

  constructor(minutes: number, least: number) {
    this.ms = minutes * MINUTE_MS
    this.least = least
  }
}

/** Different texts of one kind of statement, soon after each other. */
function byFingerprint(
  found: AsyncIterable<StatementRow>,
  { ms, least }: Quick,
  end: (burst: Burst) => readonly Draft[],
): Promise<readonly Draft[]> {
  return perSession(
    found,
    ({ fingerprint }) => String(fingerprint),
    { begin: () => new Burst(ms, least), add: (burst, row) => burst.add(row, [row.text]), end },
    { most: SIDE_BY_SIDE, idle: (burst, row) => burst.found === undefined && burst.idle(row) },
  )
}

async function* filtered(rows: AsyncIterable<StatementRow>, fits: (row: StatementRow) => boolean): AsyncGenerator<StatementRow> {
  for await (const row of rows) if (fits(row)) yield row
}

/** I1: sessions whose recording was cut: by a crash that was recovered, or for good. */
export const recordingIntegrity: Detector = async (queries, { from, to }) => {
  const { rows } = await queries.query<{
    id: string
    family: string
    target: string
    started_at: Date
    frames: number
    rows: number
    bytes_out: number
  }>(
    `select id, coalesce(principal, subject) as family, target, started_at, frames, rows, bytes_out
     from catalog.sessions where state = 'incomplete' and started_at >= $1 and started_at < $2 order by started_at, id`,
    [before(from, DAY_MS), to],
  )
  return rows.map(
    (row): Draft => ({
      family: row.family,
      target: row.target,
      object: row.id,
      value: row.frames,
      threshold: 0,
      unit: 'frames',
      summary: `the recording of ${row.id} ends without its seal, after ${number(row.frames)} frames`,
      baseline: null,
      coverage: null,
      contributions: [
        {
          session: row.id,
          target: row.target,
          frame: 0,
          lastFrame: Math.max(0, row.frames - 1),
          at: row.started_at.toISOString(),
          rows: row.rows,
          bytesOut: row.bytes_out,
          text: 'recovered, not sealed',
        },
      ],
    }),
  )
}

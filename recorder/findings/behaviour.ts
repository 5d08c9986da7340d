import { before, DAY_MS, type Detector, type Draft, number } from './detector.ts'
import { burst, grouped, ofStatement, type StatementRow, statements } from './evidence.ts'

const MINUTE_MS = 60_000
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
       coalesce(extract(epoch from f.at - (select min(o.at) from catalog.first_seen o where o.family = f.family)), 0)::float8 as known,
       sum(p.rows) as rows, sum(p.bytes_out) as bytes, max(p.last_frame) as last
     from catalog.first_seen f join catalog.pulls p on p.session = f.session and p.object = f.object
     where f.at >= $1 and f.at < $2 and f.object !~* '^(information_schema\\.|pg_)'
     group by f.family, f.target, f.object, f.at, f.session, f.frame order by f.at, f.session, f.object`,
    [from, to],
  )
  return rows.flatMap(({ family, target, object, at, session, frame, known, ...taken }): Draft[] => {
    const days = known / 86_400
    const sensitive = (config.tables ?? []).some(
      (each) => each.target === target && each.table === object && each.sensitive === true,
    )
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
export const schemaEnumeration: Detector = async (queries, window, { params }) => {
  const { catalogQueries = 0, objects = 0, minutes = 0 } = params
  const found = await statements(
    queries,
    window,
    `s.protocol = 'postgres' and (${DATABASE_CATALOG} or (cardinality(r.objects) > 0 and r.rows <= 10))`,
  )
  return grouped(found, ({ session }) => session).flatMap((own): Draft[] => {
    const asked = own.filter((row) => row.objects.some((object) => /^(information_schema\.|pg_)/i.test(object)))
    const looked = burst(asked, minutes * MINUTE_MS, catalogQueries, ({ frame }) => [String(frame)])
    if (looked !== undefined)
      return [
        draft(looked, looked.length, catalogQueries, 'questions', `${looked.length} questions to the database's own catalog`),
      ]
    const touched = burst(own, minutes * MINUTE_MS, objects, (row) => row.objects)
    if (touched === undefined) return []
    const count = new Set(touched.flatMap((row) => row.objects)).size
    return [draft(touched, count, objects, 'tables', `${count} different tables looked into, a few rows each`)]
  })
}

/** E2: one route, many ids. */
export const apiEnumeration: Detector = async (queries, window, { params }) => {
  const { ids = 0, minutes = 0 } = params
  const found = await statements(queries, window, `s.protocol = 'http' and r.verbs && array['GET', 'HEAD', 'POST']`)
  return grouped(found, ({ session, fingerprint }) => `${session} ${fingerprint}`).flatMap((own): Draft[] => {
    const some = burst(own, minutes * MINUTE_MS, ids, ({ text }) => [text])
    const count = new Set(some?.map(({ text }) => text)).size
    return some === undefined
      ? []
      : [
          draft(
            some,
            count,
            ids,
            'ids',
            `${count} different addresses of ${some[0]?.objects[0] ?? 'one route'}`,
            some[0]?.objects[0],
          ),
        ]
  })
}

/** M1: the same question to masked data again and again, with hardly an answer: values are guessed. */
export const maskProbing: Detector = async (queries, window, { params }) => {
  const { questions = 0, minutes = 0, rows = 0 } = params
  const found = await statements(
    queries,
    window,
    `r.fingerprint is not null and r.rows <= $3 and r.outcome = 'complete' and r.text ~* '\\mwhere\\M'
       and exists (select from catalog.pulls p where p.target = s.target and p.object = any(r.objects) and p.masked > 0)`,
    [rows],
  )
  return grouped(found, ({ session, fingerprint }) => `${session} ${fingerprint}`).flatMap((own): Draft[] => {
    const some = burst(own, minutes * MINUTE_MS, questions, ({ text }) => [text])
    return some === undefined
      ? []
      : [
          draft(
            some,
            some.length,
            questions,
            'questions',
            `${some.length} questions that differ in one value, to a table with masked columns`,
            some[0]?.objects[0],
          ),
        ]
  })
}

/** M2: what was refused is let through in another form. */
export const denyVariant: Detector = async (queries, window, { params }) => {
  const { minutes = 0, rows = 0 } = params
  const found = await statements(
    queries,
    { ...window, from: before(window.from, minutes * MINUTE_MS) },
    `cardinality(r.objects) > 0 and (r.outcome in ('refused', 'cut') or (r.outcome = 'complete' and r.rows >= $3))`,
    [rows],
  )
  return grouped(found, ({ family, target }) => JSON.stringify([family, target])).flatMap((own) => {
    const drafts: Draft[] = []
    const seen = new Set<string>()
    for (const [index, denied] of own.entries()) {
      if (denied.outcome === 'complete') continue
      for (const after of own.slice(index + 1)) {
        if (after.at.getTime() - denied.at.getTime() > minutes * MINUTE_MS) break
        const object = after.objects.find((each) => denied.objects.includes(each))
        if (after.outcome !== 'complete' || object === undefined || seen.has(object)) continue
        seen.add(object)
        drafts.push(
          draft(
            [denied, after],
            after.rows,
            rows,
            'rows',
            `a statement on ${object} was ${denied.outcome}; another, ${Math.round((after.at.getTime() - denied.at.getTime()) / 1000)} s later, brought ${number(after.rows)} rows`,
            object,
          ),
        )
      }
    }
    return drafts
  })
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

function draft(
  rows: readonly StatementRow[],
  value: number,
  threshold: number,
  unit: string,
  summary: string,
  object?: string,
): Draft {
  const [first] = rows
  return {
    family: first?.family ?? '',
    target: first?.target ?? '',
    object: object ?? null,
    value,
    threshold,
    unit,
    summary,
    baseline: null,
    coverage: null,
    contributions: rows.map(ofStatement),
  }
}

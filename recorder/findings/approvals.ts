import { before, DAY_MS, type Detector, type Draft } from './detector.ts'
import { grouped } from './evidence.ts'

const SHOWN_CHARS = 300

interface Decided {
  readonly decider: string
  readonly act: string
  readonly asked_at: Date
  readonly at: Date
  readonly session: string
  readonly target: string
  readonly family: string
  readonly off: boolean | null
  readonly frame: number
  readonly last: number
  readonly rows: number
  readonly bytes: number
  readonly text: string
}

/** A1: approvals that cannot have been thought over, that are always a yes, of one's own, or outside the hours. */
export const approvalAnomaly: Detector = async (queries, { from, to }, { params, config }) => {
  const { seconds = 0, hasty: leastHasty = 0, decisions: leastDecisions = 0, percent = 0, historyDays = 0 } = params
  const { zone = 'UTC', from: opens = null, to: closes = null, days = [1, 2, 3, 4, 5] } = config.workHours ?? {}
  const local = 'd.decided_at at time zone $3'
  const { rows } = await queries.query<Decided>(
    `select d.decider, d.act, d.asked_at, d.decided_at as at, s.id as session, s.target, coalesce(s.principal, s.subject) as family,
       not (extract(isodow from ${local})::int = any($4::int[]) and (${local})::time >= $5::time and (${local})::time < $6::time) as off,
       coalesce(r.frame, 0) as frame, coalesce(r.last_frame, r.frame, 0) as last, coalesce(r.rows, 0) as rows, coalesce(r.bytes_out, 0) as bytes,
       coalesce(left(r.text, ${SHOWN_CHARS}), d.request) as text
     from catalog.decisions d join catalog.sessions s on s.id = d.session
       left join catalog.statements r on r.session = d.session and r.approval = d.request
     where d.decided_at >= $1 and d.decided_at < $2 order by d.decided_at, d.request, r.frame`,
    [before(from, historyDays * DAY_MS), to, zone, [...days], opens, closes],
  )
  return grouped(rows, ({ decider, target }) => JSON.stringify([decider, target])).flatMap((all): Draft[] => {
    const approved = all.filter(({ act, at }) => act === 'approve' && at >= from)
    const own = approved.filter(({ decider, family }) => decider === family)
    const hasty = approved.filter(({ at, asked_at }) => at.getTime() - asked_at.getTime() < seconds * 1000)
    const off = config.workHours === undefined ? [] : approved.filter((each) => each.off === true)
    const yes = all.filter(({ act }) => act === 'approve').length
    const always = approved.length > 0 && all.length >= leastDecisions && (100 * yes) / all.length > percent
    const why = [
      ...(own.length === 0 ? [] : [`${own.length} of what they had asked for themselves`]),
      ...(hasty.length < leastHasty ? [] : [`${hasty.length} within ${seconds} s of the request`]),
      ...(always ? [`${yes} of ${all.length} decisions in ${historyDays} days a yes`] : []),
      ...(off.length === 0 ? [] : [`${off.length} outside the working hours`]),
    ]
    const [first] = all
    if (first === undefined || why.length === 0) return []
    const odd = new Set([...own, ...(hasty.length < leastHasty ? [] : hasty), ...(always ? approved : []), ...off])
    return [
      {
        family: first.decider,
        target: first.target,
        object: null,
        value: odd.size,
        threshold: 1,
        unit: 'approvals',
        summary: `${first.decider} approved: ${why.join('; ')}`,
        baseline: { decisions: all.length, approved: yes },
        coverage: null,
        contributions: approved
          .filter((each) => odd.has(each))
          .map(({ session, target, frame, last, at, rows: count, bytes, text }) => ({
            session,
            target,
            frame,
            lastFrame: last,
            at: at.toISOString(),
            rows: count,
            bytesOut: bytes,
            text,
          })),
      },
    ]
  })
}

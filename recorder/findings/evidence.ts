import type { Contribution } from '../../schemas/findings.ts'
import type { Queries } from '../catalog/database.ts'
import type { Window } from './detector.ts'

/** Of a statement in a finding; the replay has it whole. */
const SHOWN_CHARS = 300
/** Statements one detector looks at in one go. What is cut off is looked at in the next window. */
const MAX_STATEMENTS = 50_000

/** A pull as the catalog has it, with the moment it began. */
export interface PullRow {
  readonly session: string
  readonly family: string
  readonly subject: string
  readonly target: string
  readonly protocol: string
  readonly object: string
  readonly hour: Date
  readonly statements: number
  readonly rows: number
  readonly bytes_out: number
  readonly masked: number
  readonly largest_rows: number
  readonly first_frame: number
  readonly last_frame: number
}

/** Pulls of a window by family, target and object, each group in the order of time. Only groups that took `least` rows at least. */
export async function pullGroups(
  queries: Queries,
  { from, to }: Window,
  least: number,
): Promise<readonly (readonly PullRow[])[]> {
  const { rows } = await queries.query<PullRow>(
    `with many as (
       select family, target, object from catalog.pulls where hour >= $1 and hour < $2
       group by family, target, object having sum(rows) >= $3)
     select p.* from catalog.pulls p join many using (family, target, object)
     where hour >= $1 and hour < $2 order by family, target, object, hour, session`,
    [from, to, least],
  )
  return grouped(rows, ({ family, target, object }) => JSON.stringify([family, target, object]))
}

export function grouped<T>(rows: readonly T[], key: (row: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const id = key(row)
    const group = groups.get(id)
    if (group === undefined) groups.set(id, [row])
    else group.push(row)
  }
  return [...groups.values()]
}

export function ofPull(pull: PullRow): Contribution {
  const { session, first_frame: frame, last_frame: lastFrame, hour, rows, bytes_out: bytesOut, statements, object } = pull
  const text = `${statements} statement${statements === 1 ? '' : 's'} on ${object}`
  return { session, frame, lastFrame, at: hour.toISOString(), rows, bytesOut, text }
}

export interface StatementRow {
  readonly session: string
  readonly frame: number
  readonly last_frame: number | null
  readonly text: string
  readonly rows: number
  readonly bytes_out: number
  readonly masked: number
  readonly outcome: string
  readonly objects: string[]
  readonly verbs: string[]
  readonly fingerprint: string | null
  readonly channel: number
  readonly family: string
  readonly target: string
  readonly protocol: string
  readonly at: Date
}

/** Statements asked within the window that fit the condition, oldest first. `$3` and on are `values`. */
export async function statements(
  queries: Queries,
  { from, to }: Window,
  condition: string,
  values: readonly unknown[] = [],
): Promise<readonly StatementRow[]> {
  const { rows } = await queries.query<StatementRow>(
    `select r.session, r.frame, r.last_frame, left(r.text, ${SHOWN_CHARS}) as text, r.rows, r.bytes_out, r.masked, r.outcome, r.objects,
       r.verbs, r.fingerprint, r.channel, coalesce(s.principal, s.subject) as family, s.target, s.protocol,
       s.started_at + r.at_us * interval '1 microsecond' as at
     from catalog.sessions s join catalog.statements r on r.session = s.id
     where s.started_at < $2 and s.started_at + s.duration_us * interval '1 microsecond' >= $1
       and s.started_at + r.at_us * interval '1 microsecond' >= $1 and s.started_at + r.at_us * interval '1 microsecond' < $2
       and (${condition})
     order by at, r.session, r.frame, r.part limit ${MAX_STATEMENTS}`,
    [from, to, ...values],
  )
  return rows
}

export function ofStatement({ session, frame, last_frame, at, rows, bytes_out: bytesOut, text }: StatementRow): Contribution {
  return { session, frame, lastFrame: last_frame ?? frame, at: at.toISOString(), rows, bytesOut, text }
}

/**
 * Of rows in the order of time the first stretch within `ms` in which there are `least` different keys, with all that follows it without a
 * pause as long as that; undefined where there is none.
 */
export function burst<T extends { readonly at: Date }>(
  rows: readonly T[],
  ms: number,
  least: number,
  keys: (row: T) => readonly string[],
): readonly T[] | undefined {
  const counts = new Map<string, number>()
  const at = (index: number): number => rows[index]?.at.getTime() ?? 0
  let from = 0
  for (const [to, row] of rows.entries()) {
    for (const key of keys(row)) counts.set(key, (counts.get(key) ?? 0) + 1)
    for (; at(to) - at(from) > ms; from += 1) {
      const gone = rows[from]
      for (const key of gone === undefined ? [] : keys(gone)) {
        const left = (counts.get(key) ?? 1) - 1
        if (left === 0) counts.delete(key)
        else counts.set(key, left)
      }
    }
    if (counts.size < least) continue
    let end = to + 1
    while (end < rows.length && at(end) - at(end - 1) <= ms) end += 1
    return rows.slice(from, end)
  }
  return undefined
}

import type { Contribution } from '../../schemas/findings.ts'
import type { Queries } from '../catalog/database.ts'
import type { Window } from './detector.ts'

/** A pull as the catalog has it, with the moment it began. */
export interface PullRow {
  readonly session: string
  readonly family: string
  readonly subject: string
  readonly target: string
  readonly protocol: string
  readonly object: string
  readonly hour: Date
  /** Of the first statement of that hour. */
  readonly at: Date
  readonly statements: number
  readonly rows: number
  readonly bytes_out: number
  readonly masked: number
  readonly largest_rows: number
  readonly first_frame: number
  readonly last_frame: number
}

/** A day's sums of one actor, target and object. */
export interface DailyRow {
  readonly day: Date
  readonly family: string
  readonly target: string
  readonly object: string
  readonly rows: number
  readonly bytes_out: number
  readonly masked: number
}

/** Sums by day of a window, by family and target in the order of days; `objects` apart or together. */
export async function dailySums(
  queries: Queries,
  { from, to }: Window,
  objects: 'apart' | 'together',
  having = 'true',
  values: readonly unknown[] = [],
): Promise<readonly (readonly DailyRow[])[]> {
  const key = objects === 'apart' ? 'family, target, object' : 'family, target'
  const { rows } = await queries.query<DailyRow>(
    `select day::timestamp at time zone 'UTC' as day, ${key}, sum(rows)::bigint as rows, sum(bytes_out)::bigint as bytes_out, sum(masked)::bigint as masked
     from catalog.daily where day >= ($1::timestamptz at time zone 'UTC')::date and day < ($2::timestamptz at time zone 'UTC' + interval '1 day' - interval '1 microsecond')::date
     group by day, ${key} having ${having} order by ${key}, day`,
    [from, to, ...values],
  )
  return grouped(rows, ({ family, target, object }) => JSON.stringify([family, target, object]))
}

const WITHIN = { taken: 'p.hour', begun: 's.started_at' } as const

/** What an actor took of a target, or of one object there, within a window, or in sessions that began within it: in the order of time. */
export async function pullsOf(
  queries: Queries,
  { family, target, object }: Pick<PullRow, 'family' | 'target'> & { readonly object: string | null },
  { from, to }: Window,
  within: keyof typeof WITHIN = 'taken',
): Promise<readonly PullRow[]> {
  const { rows } = await queries.query<PullRow>(
    `select p.*, s.started_at + p.first_us * interval '1 microsecond' as at
     from catalog.pulls p join catalog.sessions s on s.id = p.session
     where p.family = $1 and p.target = $2 and ($3::text is null or p.object = $3) and p.hour >= $4 and ${WITHIN[within]} >= $4 and ${WITHIN[within]} < $5
     order by p.hour, at, p.session, p.object`,
    [family, target, object, from, to],
  )
  return rows
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
  const { session, target, first_frame: frame, last_frame: lastFrame, at, rows, bytes_out: bytesOut, statements, object } = pull
  const text = `${statements} statement${statements === 1 ? '' : 's'} on ${object}`
  return { session, target, frame, lastFrame, at: at.toISOString(), rows, bytesOut, text }
}

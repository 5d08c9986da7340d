import type { SessionRow } from '../../schemas/api.ts'
import type { Queries } from './database.ts'
import type { ObjectKeys } from './pulls.ts'
import { sqlArray } from './row-arrays.ts'
import { KeySketch } from './sketch.ts'

// Sums of pulls and unions of sketches, kept up as those are written: what is large together is found without adding up everything.

const ADDED = ['statements', 'rows', 'bytes_out', 'masked'] as const
const TAKEN = ['session', 'object', 'hour', 'family', 'subject', 'target', 'protocol', ...ADDED] as const
const REST = ['largest_rows', 'first_frame', 'last_frame', 'first_us'] as const
const COLUMNS = [...TAKEN, ...REST]
const KEY: readonly string[] = ['session', 'object', 'hour']
const DAY = `(hour at time zone 'UTC')::date`

/**
 * Writes pulls (`$1`, JSON) and adds to the sums of their days what they have more than before. One statement, so it sees the pulls as they
 * were; the same pulls again add nothing.
 */
export const PUT_PULLS = `with fresh as (
    select ${COLUMNS.join(', ')} from jsonb_populate_recordset(null::catalog.pulls, $1::jsonb)),
  old as (select p.* from catalog.pulls p join fresh f on p.session = f.session and p.object = f.object and p.hour = f.hour),
  put as (insert into catalog.pulls (${COLUMNS.join(', ')}) select ${COLUMNS.join(', ')} from fresh
    on conflict (session, object, hour) do update set (${setColumns().join(', ')}) = row(${setColumns()
      .map((column) => `excluded.${column}`)
      .join(', ')}))
  insert into catalog.daily (day, family, subject, target, object, pulls, ${ADDED.join(', ')}, largest_rows)
  select (f.hour at time zone 'UTC')::date, f.family, f.subject, f.target, f.object, count(*) filter (where o.session is null),
    ${ADDED.map((column) => `sum(f.${column} - coalesce(o.${column}, 0))`).join(', ')}, max(f.largest_rows)
  from fresh f left join old o on o.session = f.session and o.object = f.object and o.hour = f.hour group by 1, 2, 3, 4, 5 order by 1, 4, 5, 2, 3
  on conflict (day, target, object, family, subject) do update set pulls = daily.pulls + excluded.pulls,
    ${ADDED.map((column) => `${column} = daily.${column} + excluded.${column}`).join(', ')},
    largest_rows = greatest(daily.largest_rows, excluded.largest_rows)`

function setColumns(): readonly string[] {
  return COLUMNS.filter((column) => !KEY.includes(column))
}

/** The day a session began, UTC: its keys are counted there. */
export function dayOf({ startedAt }: Pick<SessionRow, 'startedAt'>): string {
  return startedAt.slice(0, 10)
}

interface Sum {
  readonly day: string
  readonly family: string
  readonly target: string
  readonly object: string
}
type Keys = Sum & Pick<ObjectKeys, 'keyed' | 'sketch'>

/** Unites sketches with what their days and objects have. The same again changes nothing. */
export async function uniteKeys(queries: Queries, all: readonly Keys[]): Promise<void> {
  await unite(queries, 'daily_keys', ['day', 'family', 'target', 'object', 'keyed'], all)
  await unite(queries, 'object_keys', ['target', 'object', 'keyed'], all)
}

async function unite(
  queries: Queries,
  table: 'daily_keys' | 'object_keys',
  key: readonly (keyof Keys)[],
  all: readonly Keys[],
): Promise<void> {
  const united = new Map<string, { readonly row: Keys; readonly sketch: KeySketch }>()
  const nameOf = (row: Readonly<Record<string, unknown>>): string => JSON.stringify(key.map((column) => row[column]))
  for (const row of all) {
    const known = united.get(nameOf({ ...row }))
    if (known !== undefined) known.sketch.merge(row.sketch)
    else united.set(nameOf({ ...row }), { row, sketch: new KeySketch(row.sketch.pack()) })
  }
  const rows = [...united.values()]
  const names = key.join(', ')
  const arrays = key.map((column, index) => `$${index + 1}::${column === 'day' ? 'date' : 'text'}[]`).join(', ')
  for (let from = 0; from < rows.length; from += ROWS) {
    const some = rows.slice(from, from + ROWS)
    const had = await queries.query<{ keys: Uint8Array } & Record<string, unknown>>(
      `select ${key.map((column) => (column === 'day' ? 'k.day::text as day' : `k.${column}`)).join(', ')}, k.keys
       from unnest(${arrays}) n(${names}) join catalog.${table} k using (${names})`,
      arraysOf(key, some),
    )
    const fresh = new Map(some.map((each) => [nameOf({ ...each.row }), each]))
    for (const { keys, ...row } of had.rows) {
      const [name, sketch] = [nameOf(row), new KeySketch(keys)]
      const one = fresh.get(name)
      if (one !== undefined && sketch.merge(one.sketch)) fresh.set(name, { row: one.row, sketch })
      else fresh.delete(name)
    }
    if (fresh.size === 0) continue
    const put = [...fresh.values()]
    await queries.query(
      `insert into catalog.${table} (${names}, keys)
       select * from unnest(${arrays}, $${key.length + 1}::bytea[])
       on conflict (${names}) do update set keys = excluded.keys`,
      [...arraysOf(key, put), sqlArray(put.map(({ sketch }) => sketch.sql()))],
    )
  }
}

/** Of one question: some megabytes of sketches. */
const ROWS = 200

function arraysOf(key: readonly (keyof Keys)[], all: readonly { readonly row: Keys }[]): string[] {
  return key.map((column) => sqlArray(all.map(({ row }) => String(row[column]))))
}

/** Sums a session has a part in. */
export async function sumsOf(queries: Queries, session: string): Promise<readonly Sum[]> {
  const { rows } = await queries.query<Sum>(
    `select distinct ${DAY}::text as day, family, target, object from catalog.pulls where session = $1
     union select (s.started_at at time zone 'UTC')::date::text, coalesce(s.principal, s.subject), s.target, k.object
       from catalog.sketches k join catalog.sessions s on s.id = k.session where k.session = $1`,
    [session],
  )
  return rows
}

/** Adds up these sums anew, from what there is now. What was ever seen of an object stays seen. */
export async function rederive(queries: Queries, sums: readonly Sum[]): Promise<void> {
  for (const { day, family, target, object } of sums) {
    const own = [day, family, target, object]
    const key = 'day = $1::date and family = $2 and target = $3 and object = $4'
    await queries.query(`delete from catalog.daily where ${key}`, own)
    await queries.query(
      `${DAILY_FROM_PULLS} where hour >= $1::date::timestamp at time zone 'UTC' and hour < ($1::date + 1)::timestamp at time zone 'UTC'
         and family = $2 and target = $3 and object = $4 ${DAILY_GROUPS}`,
      own,
    )
    await queries.query(`delete from catalog.daily_keys where ${key}`, own)
    const { rows } = await queries.query<{ keyed: string; keys: Uint8Array }>(
      `select k.keyed, k.keys from catalog.sessions s join catalog.sketches k on k.session = s.id
       where s.started_at >= $1::date::timestamp at time zone 'UTC' and s.started_at < ($1::date + 1)::timestamp at time zone 'UTC'
         and coalesce(s.principal, s.subject) = $2 and s.target = $3 and k.object = $4`,
      own,
    )
    await unite(
      queries,
      'daily_keys',
      ['day', 'family', 'target', 'object', 'keyed'],
      rows.map(({ keyed, keys }) => ({ day, family, target, object, keyed, sketch: new KeySketch(keys) })),
    )
  }
}

/** Sums of all pulls, or of some. */
export const DAILY_FROM_PULLS = `insert into catalog.daily
  select ${DAY}, family, subject, target, object, count(*), ${ADDED.map((column) => `sum(${column})`).join(', ')}, max(largest_rows)
  from catalog.pulls`
export const DAILY_GROUPS = 'group by 1, 2, 3, 4, 5'

import type { Queries } from './database.ts'
import { MONTHLY } from './schema.ts'
import { saidByWriter } from './text-index.ts'

/** Ids begin with the time of their session: `20261120T105150Z-...`. What does not look so has partitions of its own. */
const FIRST_YEAR = 2000
const YEARS = 100
const DAY_MS = 86_400_000
const BEFORE = 'before'
const AFTER = 'after'

/** Of every month there may be; an id with a thirteenth month, or none, is sorted behind the one before it. */
const MONTHS = Array.from({ length: 12 * YEARS }, (_, month) => monthName(FIRST_YEAR + Math.floor(month / 12), month % 12))

/** Name of the partition an id belongs to: `202611`. */
export function monthOf(id: string): string {
  if (id >= `${FIRST_YEAR + YEARS}01`) return AFTER
  return MONTHS.findLast((month) => month <= id) ?? BEFORE
}

/** The first month that is kept where whole months that ended longer ago are not. */
export function keptFrom(days: number, nowMs: number): string {
  return monthAt(nowMs - days * DAY_MS)
}

/** The month a moment is in. */
function monthAt(ms: number): string {
  const at = new Date(ms)
  return monthName(at.getUTCFullYear(), at.getUTCMonth())
}

function monthName(year: number, month: number): string {
  return `${year}${String(month + 1).padStart(2, '0')}`
}

function following(month: string): string {
  const [year, number] = [Number(month.slice(0, 4)), Number(month.slice(4))]
  return number === 12 ? monthName(year + 1, 0) : monthName(year, number)
}

function boundsOf(month: string): string {
  if (month === BEFORE) return `from (minvalue) to ('${FIRST_YEAR}01')`
  if (month === AFTER) return `from ('${FIRST_YEAR + YEARS}01') to (maxvalue)`
  return `from ('${month}') to ('${following(month)}')`
}

/** Months whose partitions are there, as far as was asked. */
const made = new WeakMap<Queries, Set<string>>()

/** `if not exists` lets two gateways begin at once, of which one fails: the first ends before the second looks. */
const ALONE = `select pg_advisory_xact_lock(hashtext('catalog.months'))`

/** Makes the partitions these sessions need, where there are none. Not within a transaction that writes to them. */
export async function ensureMonths(queries: Queries, ids: Iterable<string>): Promise<void> {
  const known = made.get(queries) ?? new Set()
  made.set(queries, known)
  for (const month of new Set([...ids].map(monthOf))) {
    if (known.has(month)) continue
    for (const table of MONTHLY)
      await queries.exec(
        `${ALONE}; create table if not exists catalog.${table}_${month} partition of catalog.${table} for values ${boundsOf(month)}`,
      )
    known.add(month)
    await saidByWriter(queries)
  }
}

/** Partitions were dropped: which there are is asked again. */
export function forgetMonths(queries: Queries): void {
  made.delete(queries)
}

/** Drops everything about sessions that began before this month, sums included. Ids that tell no time stay. */
export async function dropBefore(queries: Queries, month: string): Promise<readonly string[]> {
  const { rows } = await queries.query<{ name: string }>(
    `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
     join pg_namespace n on n.oid = p.relnamespace
     where n.nspname = 'catalog' and p.relname = any($1::text[]) and c.relname ~ '_[0-9]{6}$' and right(c.relname, 6) < $2 order by 1`,
    [[...MONTHLY], month],
  )
  forgetMonths(queries)
  for (const { name } of rows) await queries.exec(`drop table catalog.${name}`)
  const day = `${month.slice(0, 4)}-${month.slice(4)}-01`
  for (const table of ['daily', 'daily_keys']) await queries.query(`delete from catalog.${table} where day < $1::date`, [day])
  await queries.query(`delete from catalog.sessions where id < $1 and id >= '${FIRST_YEAR}01'`, [month])
  for (const table of ['findings', 'scans'])
    await queries.query(`delete from catalog.${table} where week < $1::timestamptz - interval '7 days'`, [`${day}T00:00:00Z`])
  return rows.map(({ name }) => name)
}

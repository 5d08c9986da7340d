import type { StatementRow } from '../../schemas/api.ts'
import type { Database, Queries } from './database.ts'
import { sqlArray } from './row-arrays.ts'
import { keptName, sqlText } from './text.ts'
import { ANSWER_MS } from './timed.ts'

/** Names that need not be written again: what agents touch are the same few. Some hundred kilobytes. */
const MAX_KNOWN = 10_000

const known = new WeakMap<Queries, Set<string>>()

/** Writes what statements touch, whatever became of them. In front of the transaction that has them: a name too many is found nowhere. */
export async function putNames(queries: Queries, statements: readonly StatementRow[]): Promise<void> {
  const own = known.get(queries) ?? new Set()
  known.set(queries, own)
  const names = new Set<string>()
  for (const { objects } of statements) for (const object of objects) if (!own.has(object)) names.add(object)
  if (names.size === 0) return
  // In one order, so that no two gateways wait for each other.
  await queries.query('insert into catalog.names select unnest($1::text[]) order by 1 on conflict do nothing', [
    sqlArray([...names]),
  ])
  if (own.size + names.size > MAX_KNOWN) own.clear()
  for (const name of names) own.add(name)
}

/** The catalog is empty: every name is written again. */
export function forgetNames(queries: Queries): void {
  known.delete(queries)
}

/**
 * How these names are spelt, by what was asked; only those that are. Rejects as `timed` does. Asked before a search, so that the planner knows how
 * common they are: it takes what it cannot know for rare, and goes through all there is of a common one.
 */
export async function spellings(
  database: Database,
  asked: readonly string[],
  options: Parameters<Database['timed']>[2],
): Promise<ReadonlyMap<string, string[]>> {
  const spelt = new Map<string, string[]>(asked.map((value) => [value, []]))
  if (spelt.size === 0) return spelt
  const { rows } = await database.timed(
    ANSWER_MS,
    (each, inTime) =>
      each.query<{ nth: number; object: string }>(
        `select nth, object from unnest($1::text[]) with ordinality given(value, nth) join catalog.names on lower(object) = lower(value)
         where ${inTime('object')}`,
        [sqlArray([...spelt.keys()].map((value) => sqlText(keptName(value))))],
      ),
    options,
  )
  const lists = [...spelt.values()]
  for (const { nth, object } of rows) lists[nth - 1]?.push(object)
  return spelt
}

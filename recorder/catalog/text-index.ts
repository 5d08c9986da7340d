import type { Queries } from './database.ts'

/**
 * What is written is first put aside and sorted into a text index by the thousand, as each word has its place there; every search walks through
 * what waits. What runs is found at once, so little waits: PostgreSQL's own 4 MiB cost a search a tenth of a second. Of old tapes there is much, and
 * a search is slower until they are in.
 */
export const PENDING = {
  live: `set local gin_pending_list_limit = '512kB'`,
  backlog: `set local gin_pending_list_limit = '16MB'; set local work_mem = '64MB'`,
} as const

/** Sorts in what waits, where the indexes are ours; else the next row that is written does. */
export async function sortIn(queries: Queries): Promise<void> {
  await queries.query(
    `select gin_clean_pending_list(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid
       join pg_namespace n on n.oid = c.relnamespace join pg_am a on a.oid = c.relam
     where n.nspname = 'catalog' and a.amname = 'gin' and c.relkind = 'i' and pg_has_role(c.relowner, 'usage')`,
  )
}

/** Indexes of a catalog from before have a bound of their own, and give it to those of new months: of partitioned ones it cannot be taken. */
export async function saidByWriter(queries: Queries): Promise<void> {
  const { rows } = await queries.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'catalog' and c.relkind = 'i' and 'gin_pending_list_limit=512' = any(c.reloptions)`,
  )
  for (const { name } of rows) await queries.exec(`alter index catalog."${name}" reset (gin_pending_list_limit)`)
}

import type { Column } from './catalog-snapshot.ts'

/**
 * Relations of the system in which values of other columns lie, and those of their columns that hold them: what the planner
 * knows of a column, and large objects (manual, "System Catalogs" and "System Views", to PostgreSQL 18).
 */
const COPIES: ReadonlyMap<string, RegExp> = new Map([
  ['pg_statistic', /^stavalues\d$/],
  ['pg_statistic_ext_data', /^stxd(mcv|expr)$/],
  ['pg_stats', /^(most_common_vals|most_common_elems|histogram_bounds|range_bounds_histogram)$/],
  ['pg_stats_ext', /^most_common_vals$/],
  ['pg_stats_ext_exprs', /^(most_common_vals|most_common_elems|histogram_bounds|range_bounds_histogram)$/],
  ['pg_largeobject', /^data$/],
])

export const COPYING_RELATIONS: readonly string[] = [...COPIES.keys()]

/** Whose values these are stands in other columns of the row, so that all of them count as labelled. */
export function holdsCopies({ schema, table, column }: Column): boolean {
  return schema === 'pg_catalog' && COPIES.get(table)?.test(column) === true
}

/**
 * Where a session finds again what it put there itself: settings, sequences, comments, locks, names of transactions. `SHOW` is
 * told by its verb.
 */
const STORES: ReadonlySet<string> = new Set(
  `pg_settings pg_file_settings pg_db_role_setting pg_sequences pg_stat_activity pg_locks pg_description pg_shdescription pg_seclabel
  pg_seclabels pg_shseclabel pg_prepared_xacts pg_prepared_statements pg_cursors pg_listening_channels`.split(/\s+/),
)
const READERS: ReadonlySet<string> = new Set(
  `current_setting currval lastval nextval pg_sequence_last_value pg_get_sequence_data pg_show_all_settings obj_description
  col_description shobj_description pg_lock_status pg_prepared_xact pg_stat_get_activity pg_listening_channels lo_get loread`.split(
    /\s+/,
  ),
)
/** Settings that a value cannot be spelled with: fixed, pinned, or one of a few words. */
const WORDS_ONLY: ReadonlySet<string> = new Set(
  `transaction_isolation transaction_read_only default_transaction_isolation server_version server_version_num server_encoding
  client_encoding standard_conforming_strings integer_datetimes is_superuser in_hot_standby DateStyle IntervalStyle`.split(/\s+/),
)

/** Whether a setting of this name takes more than a few words, so that a value could be spelled with it. */
export function isFree(setting: string): boolean {
  return !WORDS_ONLY.has(setting)
}

export interface Reads {
  readonly relations?: readonly string[]
  readonly functions?: readonly string[]
  readonly verbs?: readonly string[]
}

/** Whether a result column of a statement that reads these may be something put into such a place. */
export function readsStores({ relations = [], functions = [], verbs = [] }: Reads, column: string): boolean {
  if (verbs.includes('SHOW')) return isFree(column)
  return relations.some((name) => STORES.has(bare(name))) || functions.some((name) => READERS.has(bare(name)))
}

export function bare(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

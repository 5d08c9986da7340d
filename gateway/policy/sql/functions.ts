import type { FunctionCategory } from '../../../schemas/policy.ts'
import { BUILTIN_FUNCTIONS } from './builtin-functions.ts'

/**
 * What functions may do beside computing a result, by name; `*` at the end stands for any ending.
 * PostgreSQL 18 manual chapter 9 and appendix F, and what extensions in common use add.
 * A name may stand in several lists. Schema names do not count: an extension lives in any schema.
 */
const CATEGORIES: Readonly<Record<Exclude<FunctionCategory, 'unknown'>, string>> = {
  admin: `pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile* pg_promote pg_switch_wal pg_switch_xlog
    pg_create_restore_point pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup pg_wal_replay_pause pg_wal_replay_resume
    pg_stat_reset* pg_stat_statements_reset pg_log_backend_memory_contexts pg_log_standby_snapshot pg_import_system_collations pg_nextoid
    pg_stop_making_pinned_objects binary_upgrade_* pg_set_*_stats pg_restore_*_stats pg_clear_*_stats pg_extension_config_dump
    pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings brin_* gin_clean_pending_list amcheck bt_index_check
    bt_index_parent_check heap_force_* pg_truncate_visibility_map pg_buffercache_evict* pg_prewarm autoprewarm_*`,
  exec: `pg_background_* plsh_* sys_exec sys_eval cmd_exec exec_cmd plpython* pllua* plr_* pg_execute_server_program cron.* schedule
    schedule_in_database unschedule alter_job`,
  file: `pg_read_file* pg_read_binary_file* pg_ls_* pg_stat_file pg_file_* pg_logdir_ls lo_import* lo_export* pg_current_logfile
    file_fdw_* pg_read_server_files load_file get_raw_page page_header fsm_page_contents pg_get_wal_* pg_walfile_* pg_dump_*`,
  'large-object': 'lo_* lo loread lowrite',
  lock: 'pg_advisory_* pg_try_advisory_*',
  network: `dblink* postgres_fdw_* http http_* urlencode_http curl_* net_http_* pg_net_* table_import_from_s3 query_export_to_s3
    s3_* lambda invoke azure_storage_* blob_get blob_put blob_list create_server_* mysql_fdw_* oracle_* tds_fdw_* kafka_* smtp_*`,
  notify: 'pg_notify',
  replication: `pg_create_logical_replication_slot pg_create_physical_replication_slot pg_drop_replication_slot
    pg_copy_logical_replication_slot pg_copy_physical_replication_slot pg_replication_slot_advance pg_sync_replication_slots
    pg_logical_* pg_replication_origin_* pg_export_snapshot pg_get_replication_slots pglogical_* spock_*`,
  settings: 'set_config set_limit setseed',
  sleep: 'pg_sleep pg_sleep_for pg_sleep_until',
  'sql-in-text': `query_to_xml* cursor_to_xml* table_to_xml* schema_to_xml* database_to_xml* ts_stat ts_rewrite xpath_table crosstab*
    connectby* dblink* query_to_json* execute exec execute_query run_command_on_* pg_background_launch plpgsql_check_function*
    get_parse_errors hypopg_create_index pgr_* topology_* cron.* schedule schedule_in_database`,
  statistics: `pg_stat_get_activity pg_stat_get_backend_activity* pg_stat_get_progress_info pg_mcv_list_items pg_stat_statements
    pg_stat_statements_* pg_stat_monitor pg_store_plans pg_qualstats* pg_stat_kcache* pg_prepared_xact pg_stats_ext_mcvlist_items`,
}

const builtins = new Set(BUILTIN_FUNCTIONS)
const exact = new Map<string, FunctionCategory[]>()
const prefixes: { readonly prefix: string; readonly suffix: string; readonly category: FunctionCategory }[] = []

for (const [category, names] of Object.entries(CATEGORIES) as [Exclude<FunctionCategory, 'unknown'>, string][]) {
  for (const name of names.split(/\s+/)) {
    const star = name.indexOf('*')
    if (star >= 0) prefixes.push({ prefix: name.slice(0, star), suffix: name.slice(star + 1), category })
    else exact.set(name, [...(exact.get(name) ?? []), category])
  }
}

/** Bounds the memory of names seen; statements choose the names, so it is simply emptied when full. */
const MAX_KNOWN_NAMES = 10_000
const known = new Map<string, readonly FunctionCategory[]>()
const NONE: readonly FunctionCategory[] = []

/** The categories of a function as written (`dblink`, `ext.dblink`); empty for one of PostgreSQL's own that only computes. */
export function categoriesOf(name: string): readonly FunctionCategory[] {
  const seen = known.get(name)
  if (seen !== undefined) return seen
  if (known.size >= MAX_KNOWN_NAMES) known.clear()
  const categories = categorise(name)
  known.set(name, categories)
  return categories
}

function categorise(name: string): readonly FunctionCategory[] {
  const dot = name.lastIndexOf('.')
  const schema = name.slice(0, Math.max(0, dot))
  const bare = name.slice(dot + 1)
  const found = new Set(exact.get(bare))
  for (const { prefix, suffix, category } of prefixes) {
    // `cron.*` is written with its schema, for the bare names there say little.
    if ((prefix.includes('.') ? name : bare).startsWith(prefix) && bare.endsWith(suffix)) found.add(category)
  }
  const builtin = builtins.has(bare) && (schema === '' || schema === 'pg_catalog' || schema === 'information_schema')
  if (!builtin) found.add('unknown')
  return found.size === 0 ? NONE : [...found]
}

/** Whether the name is in one of the lists above; a column of that name may be a call in disguise (`t.pg_sleep`). */
export function isCategorised(name: string): boolean {
  return categoriesOf(name).some((category) => category !== 'unknown')
}

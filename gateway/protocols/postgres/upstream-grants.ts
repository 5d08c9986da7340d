import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import { loginUpstream } from './login.ts'
import { push } from './startup-pull.ts'
import { binaryMessage, simpleQuery } from './upstream-query.ts'

/** Something the gateway's role may do at a target that no session through it needs. */
export interface Excess {
  /** As a person names it: `superuser`, `member of pg_read_server_files`, `owner of 3 tables` ... */
  readonly right: string
  /** SQL for the target's administrator. */
  readonly cure: string
}

/** Roles whose members get at files, programs, other sessions or everybody's rows (manual, "Predefined Roles"). */
const PREDEFINED = [
  'pg_read_server_files',
  'pg_write_server_files',
  'pg_execute_server_program',
  'pg_read_all_data',
  'pg_write_all_data',
  'pg_monitor',
  'pg_read_all_settings',
  'pg_read_all_stats',
  'pg_signal_backend',
  'pg_checkpoint',
  'pg_maintain',
  'pg_create_subscription',
  'pg_use_reserved_connections',
  'pg_database_owner',
]

// One row per right: its name, how often, and what takes it away. `who` is quoted by the server.
const GRANTS = `
  WITH me AS (SELECT oid, rolname, pg_catalog.quote_ident(rolname) AS who, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication
    FROM pg_catalog.pg_roles WHERE rolname = current_user),
  own AS (SELECT c.oid, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, me
    WHERE c.relowner = me.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND n.nspname NOT LIKE 'pg\\_temp\\_%')
  SELECT 'superuser', 'ALTER ROLE ' || who || ' NOSUPERUSER' FROM me WHERE rolsuper
  UNION ALL SELECT 'BYPASSRLS: sees rows that row security hides', 'ALTER ROLE ' || who || ' NOBYPASSRLS' FROM me WHERE rolbypassrls
  UNION ALL SELECT 'CREATEROLE: makes and changes roles', 'ALTER ROLE ' || who || ' NOCREATEROLE' FROM me WHERE rolcreaterole
  UNION ALL SELECT 'CREATEDB: makes databases', 'ALTER ROLE ' || who || ' NOCREATEDB' FROM me WHERE rolcreatedb
  UNION ALL SELECT 'REPLICATION: copies the whole server', 'ALTER ROLE ' || who || ' NOREPLICATION' FROM me WHERE rolreplication
  UNION ALL SELECT 'member of ' || r.rolname, 'REVOKE ' || pg_catalog.quote_ident(r.rolname) || ' FROM ' || who FROM me, pg_catalog.pg_roles r
    WHERE r.rolname = ANY (ARRAY[${PREDEFINED.map((name) => `'${name}'`).join(', ')}]) AND NOT me.rolsuper
      AND pg_catalog.pg_has_role(me.oid, r.oid, 'MEMBER')
  UNION ALL SELECT 'owner of ' || count(*) || ' tables and views: may grant, change and drop them',
    'REASSIGN OWNED BY ' || max(who) || ' TO another_role' FROM own, me HAVING count(*) > 0
  UNION ALL SELECT 'owner of the database', 'ALTER DATABASE ' || pg_catalog.quote_ident(d.datname) || ' OWNER TO another_role'
    FROM pg_catalog.pg_database d, me WHERE d.datname = pg_catalog.current_database() AND d.datdba = me.oid
  UNION ALL SELECT 'CREATE in schema ' || n.nspname || ': may define functions and operators',
    'REVOKE CREATE ON SCHEMA ' || pg_catalog.quote_ident(n.nspname) || ' FROM ' || who || ', PUBLIC'
    FROM pg_catalog.pg_namespace n, me WHERE NOT me.rolsuper AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
      AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
  UNION ALL SELECT 'TEMPORARY: may make temporary tables and views', 'REVOKE TEMPORARY ON DATABASE ' || pg_catalog.quote_ident(d.datname) || ' FROM PUBLIC, ' || who
    FROM pg_catalog.pg_database d, me WHERE NOT me.rolsuper AND d.datname = pg_catalog.current_database()
      AND pg_catalog.has_database_privilege(d.oid, 'TEMPORARY')`

/** What the gateway's own role may do too much. Rejects like `loginUpstream`, or with a ServerError. */
export async function readExcess(target: Target, credential: Credential, signal: AbortSignal): Promise<readonly Excess[]> {
  const request = {
    database: target.database ?? target.name,
    parameters: new Map([['application_name', 'sallyport doctor']]),
    version: { major: 3, minor: 0 },
  }
  const { socket } = await loginUpstream(target, credential, request, signal)
  try {
    const { rows } = await simpleQuery(socket, GRANTS, signal)
    await push(socket, binaryMessage('X', new Uint8Array(0))) // Terminate
    return rows.map(([right, cure]) => ({ right: right ?? '', cure: cure ?? '' }))
  } finally {
    socket.destroy()
  }
}

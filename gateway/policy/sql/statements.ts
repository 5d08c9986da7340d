import type { Node } from './parse.ts'

/** What a kind of statement does, whatever stands in it. */
export interface StatementKind {
  readonly verb: string
  readonly ddl: boolean
  readonly writes: boolean
}

/** Node of the grammar -> its verb; `d` defines (changes the schema, roles or the server), `w` writes rows. */
const TABLE = `
  AlterCollationStmt=ALTER COLLATION:d AlterDatabaseRefreshCollStmt=ALTER DATABASE:d AlterDatabaseSetStmt=ALTER DATABASE:d
  AlterDatabaseStmt=ALTER DATABASE:d AlterDefaultPrivilegesStmt=ALTER DEFAULT PRIVILEGES:d AlterDomainStmt=ALTER DOMAIN:d
  AlterEnumStmt=ALTER TYPE:d AlterEventTrigStmt=ALTER EVENT TRIGGER:d AlterExtensionContentsStmt=ALTER EXTENSION:d
  AlterExtensionStmt=ALTER EXTENSION:d AlterFdwStmt=ALTER FOREIGN DATA WRAPPER:d AlterForeignServerStmt=ALTER SERVER:d
  AlterFunctionStmt=ALTER FUNCTION:d AlterObjectDependsStmt=ALTER DEPENDS:d AlterObjectSchemaStmt=ALTER SCHEMA:d
  AlterOpFamilyStmt=ALTER OPERATOR FAMILY:d AlterOperatorStmt=ALTER OPERATOR:d AlterOwnerStmt=ALTER OWNER:d
  AlterPolicyStmt=ALTER POLICY:d AlterPublicationStmt=ALTER PUBLICATION:d AlterRoleSetStmt=ALTER ROLE:d AlterRoleStmt=ALTER ROLE:d
  AlterSeqStmt=ALTER SEQUENCE:d AlterStatsStmt=ALTER STATISTICS:d AlterSubscriptionStmt=ALTER SUBSCRIPTION:d
  AlterSystemStmt=ALTER SYSTEM:d AlterTSConfigurationStmt=ALTER TEXT SEARCH:d AlterTSDictionaryStmt=ALTER TEXT SEARCH:d
  AlterTableMoveAllStmt=ALTER TABLE:d AlterTableSpaceOptionsStmt=ALTER TABLESPACE:d AlterTableStmt=ALTER TABLE:d
  AlterTypeStmt=ALTER TYPE:d AlterUserMappingStmt=ALTER USER MAPPING:d CallStmt=CALL:w CheckPointStmt=CHECKPOINT
  ClosePortalStmt=CLOSE ClusterStmt=CLUSTER:d CommentStmt=COMMENT:d CompositeTypeStmt=CREATE TYPE:d ConstraintsSetStmt=SET CONSTRAINTS
  CopyStmt=COPY CreateAmStmt=CREATE ACCESS METHOD:d CreateCastStmt=CREATE CAST:d CreateConversionStmt=CREATE CONVERSION:d
  CreateDomainStmt=CREATE DOMAIN:d CreateEnumStmt=CREATE TYPE:d CreateEventTrigStmt=CREATE EVENT TRIGGER:d
  CreateExtensionStmt=CREATE EXTENSION:d CreateFdwStmt=CREATE FOREIGN DATA WRAPPER:d CreateForeignServerStmt=CREATE SERVER:d
  CreateForeignTableStmt=CREATE FOREIGN TABLE:d CreateFunctionStmt=CREATE FUNCTION:d CreateOpClassStmt=CREATE OPERATOR CLASS:d
  CreateOpFamilyStmt=CREATE OPERATOR FAMILY:d CreatePLangStmt=CREATE LANGUAGE:d CreatePolicyStmt=CREATE POLICY:d
  CreatePublicationStmt=CREATE PUBLICATION:d CreateRangeStmt=CREATE TYPE:d CreateRoleStmt=CREATE ROLE:d CreateSchemaStmt=CREATE SCHEMA:d
  CreateSeqStmt=CREATE SEQUENCE:d CreateStatsStmt=CREATE STATISTICS:d CreateStmt=CREATE TABLE:d CreateSubscriptionStmt=CREATE SUBSCRIPTION:d
  CreateTableAsStmt=CREATE TABLE AS:dw CreateTableSpaceStmt=CREATE TABLESPACE:d CreateTransformStmt=CREATE TRANSFORM:d
  CreateTrigStmt=CREATE TRIGGER:d CreateUserMappingStmt=CREATE USER MAPPING:d CreatedbStmt=CREATE DATABASE:d DeallocateStmt=DEALLOCATE
  DeclareCursorStmt=DECLARE DefineStmt=CREATE:d DeleteStmt=DELETE:w DiscardStmt=DISCARD DoStmt=DO:w DropOwnedStmt=DROP OWNED:d
  DropRoleStmt=DROP ROLE:d DropStmt=DROP:d DropSubscriptionStmt=DROP SUBSCRIPTION:d DropTableSpaceStmt=DROP TABLESPACE:d
  DropUserMappingStmt=DROP USER MAPPING:d DropdbStmt=DROP DATABASE:d ExecuteStmt=EXECUTE ExplainStmt=EXPLAIN FetchStmt=FETCH
  GrantRoleStmt=GRANT ROLE:d GrantStmt=GRANT:d ImportForeignSchemaStmt=IMPORT FOREIGN SCHEMA:d IndexStmt=CREATE INDEX:d
  InsertStmt=INSERT:w ListenStmt=LISTEN LoadStmt=LOAD:d LockStmt=LOCK MergeStmt=MERGE:w NotifyStmt=NOTIFY PrepareStmt=PREPARE
  ReassignOwnedStmt=REASSIGN OWNED:d RefreshMatViewStmt=REFRESH MATERIALIZED VIEW:w ReindexStmt=REINDEX:d RenameStmt=ALTER RENAME:d
  RuleStmt=CREATE RULE:d SecLabelStmt=SECURITY LABEL:d SelectStmt=SELECT TransactionStmt=BEGIN TruncateStmt=TRUNCATE:w UnlistenStmt=UNLISTEN
  UpdateStmt=UPDATE:w VacuumStmt=VACUUM VariableSetStmt=SET VariableShowStmt=SHOW ViewStmt=CREATE VIEW:d`

const kinds = new Map(
  [...TABLE.matchAll(/(\w+)=([A-Z ]+?)(?::(\w+))?(?=\s+\w+=|$)/g)].map(
    ([, node = '', verb = '', flags = '']): [string, StatementKind] => [
      node,
      { verb, ddl: flags.includes('d'), writes: flags.includes('w') || flags.includes('d') },
    ],
  ),
)

/** What a statement's node is; undefined for one this list does not know, which policy then treats as dynamic. */
export function kindOf(tag: string): StatementKind | undefined {
  return kinds.get(tag)
}

/** The verb of one statement; finer than its kind where the node covers several commands. */
export function verbOf(tag: string, body: Node, kind: StatementKind): string {
  switch (tag) {
    case 'SelectStmt':
      return body['valuesLists'] === undefined ? kind.verb : 'VALUES'
    case 'DropStmt':
      return `DROP ${objectType(body['removeType'])}`
    case 'DefineStmt':
      return `CREATE ${objectType(body['kind'])}`
    case 'AlterTableStmt':
      return `ALTER ${objectType(body['objtype'])}`
    case 'CreateTableAsStmt':
      return body['objtype'] === 'OBJECT_MATVIEW' ? 'CREATE MATERIALIZED VIEW' : kind.verb
    case 'GrantStmt':
      return body['is_grant'] === true ? 'GRANT' : 'REVOKE'
    case 'GrantRoleStmt':
      return body['is_grant'] === true ? 'GRANT ROLE' : 'REVOKE ROLE'
    case 'FetchStmt':
      return body['ismove'] === true ? 'MOVE' : 'FETCH'
    case 'VacuumStmt':
      return body['is_vacuumcmd'] === true ? 'VACUUM' : 'ANALYZE'
    case 'VariableSetStmt':
      return String(body['kind']).startsWith('VAR_RESET') ? 'RESET' : 'SET'
    case 'TransactionStmt':
      return TRANSACTIONS[String(body['kind'])] ?? 'BEGIN'
    default:
      return kind.verb
  }
}

const TRANSACTIONS: Readonly<Record<string, string>> = {
  TRANS_STMT_COMMIT: 'COMMIT',
  TRANS_STMT_COMMIT_PREPARED: 'COMMIT PREPARED',
  TRANS_STMT_PREPARE: 'PREPARE TRANSACTION',
  TRANS_STMT_RELEASE: 'RELEASE',
  TRANS_STMT_ROLLBACK: 'ROLLBACK',
  TRANS_STMT_ROLLBACK_PREPARED: 'ROLLBACK PREPARED',
  TRANS_STMT_ROLLBACK_TO: 'ROLLBACK',
  TRANS_STMT_SAVEPOINT: 'SAVEPOINT',
  TRANS_STMT_START: 'BEGIN',
}

const OBJECT_NAMES: Readonly<Record<string, string>> = {
  FDW: 'FOREIGN DATA WRAPPER',
  FOREIGN_SERVER: 'SERVER',
  MATVIEW: 'MATERIALIZED VIEW',
  OPCLASS: 'OPERATOR CLASS',
  OPFAMILY: 'OPERATOR FAMILY',
  STATISTIC_EXT: 'STATISTICS',
}

function objectType(type: unknown): string {
  const name = String(type).replace(/^OBJECT_/, '')
  return OBJECT_NAMES[name] ?? (name.startsWith('TS') ? 'TEXT SEARCH' : name.replaceAll('_', ' '))
}

/** Objects a DROP, a CREATE of the DefineStmt family or an ALTER TABLE of another relation may name. */
const OBJECTS =
  `ACCESS METHOD|AGGREGATE|CAST|COLLATION|CONVERSION|DATABASE|DOMAIN|EVENT TRIGGER|EXTENSION|FOREIGN DATA WRAPPER|FOREIGN TABLE|
FUNCTION|INDEX|LANGUAGE|MATERIALIZED VIEW|OPERATOR|OPERATOR CLASS|OPERATOR FAMILY|POLICY|PROCEDURE|PUBLICATION|ROUTINE|RULE|SCHEMA|SEQUENCE|SERVER|
STATISTICS|TABLE|TEXT SEARCH|TRANSFORM|TRIGGER|TYPE|VIEW`
    .split('|')
    .map((name) => name.trim())

/** Every verb a statement may have. A rule may also name a first word alone: `DROP` is every DROP. */
export const VERBS: ReadonlySet<string> = new Set([
  ...[...kinds.values()].map(({ verb }) => verb),
  ...Object.values(TRANSACTIONS),
  ...OBJECTS.flatMap((object) => [`CREATE ${object}`, `ALTER ${object}`, `DROP ${object}`]),
  ...['CREATE MATERIALIZED VIEW', 'REVOKE', 'REVOKE ROLE', 'MOVE', 'ANALYZE', 'RESET', 'VALUES', 'UNKNOWN'],
])

/** The verbs of statements that define, and of those that write rows or define, for the check of rules. */
export const DDL_VERBS: ReadonlySet<string> = new Set([...kinds.values()].filter(({ ddl }) => ddl).map(({ verb }) => verb))
export const WRITE_VERBS: ReadonlySet<string> = new Set(
  [...kinds.values()].filter(({ writes }) => writes).map(({ verb }) => verb),
)

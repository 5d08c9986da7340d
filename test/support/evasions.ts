/** `blocked`: refused by the gateway. `held`: waits for a person, and nothing ran. `masked`: answered, without a value. `passes`: harmless, and works. */
type Fate = 'blocked' | 'held' | 'masked' | 'passes'
interface EvasionRow {
  readonly row: number
  readonly what: string
  readonly fate: Fate
  readonly statements: readonly string[]
}

/** The catalogue; its rows are numbered, and several may share a number. */
export const EVASIONS: readonly EvasionRow[] = [
  {
    row: 1,
    what: 'a server that reads strings otherwise',
    fate: 'blocked',
    statements: [
      'set standard_conforming_strings = off',
      "select set_config('standard_conforming_strings', 'off', false)",
      'alter role current_user set standard_conforming_strings = off',
      "update pg_settings set setting = 'off' where name = 'standard_conforming_strings'",
    ],
  },
  {
    row: 2,
    what: 'encodings with a backslash in them',
    fate: 'blocked',
    statements: ["set client_encoding = 'SJIS'", "set names 'BIG5'", "select set_config('client_encoding', 'GBK', false)"],
  },
  {
    row: 4,
    what: 'several statements in one',
    fate: 'held',
    statements: ['select 1; delete from doomed', 'select 1; select 2; drop table doomed', 'begin; truncate doomed; commit'],
  },
  {
    row: 5,
    what: 'spelling',
    fate: 'held',
    statements: [
      'DeLeTe/**/FrOm doomed',
      'delete -- x\nfrom doomed',
      '/* /* */ */ delete from "doomed"',
      'DELETE\tFROM\n\npublic . doomed',
      'delete from U&"\\0064oomed"',
      'drop/*!50000*/table doomed',
    ],
  },
  {
    row: 6,
    what: 'code of one’s own',
    fate: 'blocked',
    statements: [
      "do $$ begin execute 'drop table '||'doomed'; end $$",
      'do $x$ begin delete from doomed; end $x$',
      'call tidy_up()',
    ],
  },
  {
    row: 6,
    what: 'code to be called later',
    fate: 'held',
    statements: [
      "create function f() returns int language sql as 'select 1'",
      'create procedure p() language sql as $$ delete from doomed $$',
    ],
  },
  {
    row: 7,
    what: 'names for statements',
    fate: 'held',
    statements: [
      'prepare d as delete from doomed; execute d',
      'declare c cursor for select 1; delete from doomed',
      'copy (delete from doomed returning id) to stdout',
    ],
  },
  {
    row: 7,
    what: 'names nobody defined here',
    fate: 'blocked',
    statements: ['execute never_prepared', 'fetch all from never_declared'],
  },
  {
    row: 8,
    what: 'EXPLAIN that runs it',
    fate: 'held',
    statements: ['explain analyze delete from doomed', 'explain (analyze, format json) update doomed set id = 0'],
  },
  {
    row: 9,
    what: 'writing inside reading',
    fate: 'held',
    statements: [
      'with d as (delete from doomed returning id) select count(*) from d',
      'select ssn into copied from people',
      'create table copied as select ssn as harmless from people',
      'create view copied as select ssn as harmless from people',
      'create materialized view copied as select ssn as harmless from people',
      'insert into measures select replace(ssn, $$-$$, $$$$)::float8, 1 from people',
      'merge into doomed using (select 1) x on true when matched then delete',
      'update people set note = ssn',
    ],
  },
  {
    row: 10,
    what: 'another name for a table',
    fate: 'masked',
    statements: [
      'select who from contacts limit 3',
      'select mail from contacts_again limit 3',
      'select name from only people limit 3',
      'select n.name from people as n limit 3',
    ],
  },
  {
    row: 11,
    what: 'values dressed up',
    fate: 'masked',
    statements: [
      'select ssn::varchar(11) from people limit 3',
      'select name collate "C" from people limit 3',
      'select substr(ssn, 1, 11) from people limit 3',
      'select reverse(ssn) from people limit 3',
      "select encode(ssn::bytea, 'base64') from people limit 3",
      "select string_agg(ssn, ',') from people where id < 4",
      'select row_to_json(p) from people p limit 3',
      'select p::text from people p limit 3',
      'select (p).ssn from people p limit 3',
      'select array(select ssn from people limit 3)',
      "select 'x' union all select ssn from people where id < 4",
      'with recursive r(n, s) as (select 1, ssn from people where id = 1 union all select n + 1, s from r where n < 2) select s from r',
      'select name from people a full join people b using (name) where a.id < 4',
    ],
  },
  {
    row: 12,
    what: 'questions about a value',
    fate: 'passes',
    statements: ["select count(*) from people where ssn like '1%'", 'select id from people order by ssn limit 3'],
  },
  {
    row: 13,
    what: 'errors that quote a value',
    fate: 'masked',
    statements: [
      'select ssn::int from people limit 1',
      'select (row_to_json(p)::text)::int from people p limit 1',
      'select 1 / (length(name) - 10) from people',
      'select name::date from people limit 1',
    ],
  },
  {
    row: 15,
    what: 'notifications',
    fate: 'blocked',
    statements: ["select pg_notify('x', ssn) from people limit 1", "notify x, 'y'", 'listen x'],
  },
  {
    row: 16,
    what: 'settings as a place for values',
    fate: 'blocked',
    statements: [
      "select set_config('application_name', ssn, false) from people limit 1",
      "select set_config('app.x', (select ssn from people limit 1), false)",
    ],
  },
  {
    row: 17,
    what: 'values as names of columns',
    fate: 'blocked',
    statements: ["do $$ begin execute format('create temp table t as select 1 as %I', (select ssn from people limit 1)); end $$"],
  },
  {
    row: 18,
    what: 'statistics',
    fate: 'blocked',
    statements: [
      'select * from pg_stats',
      'select stavalues1 from pg_statistic',
      'select histogram_bounds from pg_catalog.pg_stats',
      'select query from pg_stat_activity',
    ],
  },
  {
    row: 19,
    what: 'large objects',
    fate: 'blocked',
    statements: ["select lo_from_bytea(0, 'x')", 'select lo_get(1)', "select lo_import('/etc/passwd')"],
  },
  {
    row: 20,
    what: 'files and programs',
    fate: 'blocked',
    statements: [
      "copy people to program 'cat'",
      "copy people to '/tmp/x'",
      "copy people from program 'id'",
      "select pg_read_file('/etc/passwd')",
      "select pg_read_binary_file('/etc/passwd')",
      "select pg_ls_dir('/')",
      "select pg_stat_file('/etc/passwd')",
    ],
  },
  {
    row: 21,
    what: 'the network',
    fate: 'blocked',
    statements: [
      "select * from dblink('host=evil', 'select 1') as t(a int)",
      'create extension dblink',
      'create server s foreign data wrapper postgres_fdw',
      "create subscription s connection 'host=evil' publication p",
      "load 'x'",
      'create language plperlu',
      "select pg_logical_emit_message(false, 'a', 'b')",
    ],
  },
  {
    row: 22,
    what: 'statements inside functions',
    fate: 'blocked',
    statements: [
      "select query_to_xml('select ssn from people', true, false, '')",
      "select table_to_xml('people', true, false, '')",
      "select database_to_xml(true, false, '')",
      "select * from ts_stat('select to_tsvector(ssn) from people')",
    ],
  },
  {
    row: 23,
    what: 'becoming somebody else',
    fate: 'blocked',
    statements: [
      'set role postgres',
      'set session authorization postgres',
      'reset role',
      "select set_config('role', 'postgres', false)",
      "select set_config('ro'||'le', 'postgres', false)",
    ],
  },
  {
    row: 23,
    what: 'giving rights away',
    fate: 'held',
    statements: [
      'grant all on people to public',
      'alter default privileges grant all on tables to public',
      'alter table people owner to current_user',
      'create role r superuser',
    ],
  },
  {
    row: 24,
    what: 'more than anybody reads',
    fate: 'blocked',
    statements: ['select a.id from measures a, measures b limit 60000'],
  },
  {
    row: 26,
    what: 'what pg_dump does',
    fate: 'blocked',
    statements: ['set row_security = off', 'lock table people in access share mode'],
  },
  {
    row: 27,
    what: 'what no grammar reads',
    fate: 'blocked',
    statements: [
      `select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`,
      `select '${'x'.repeat(1_048_576)}'`,
      'selec 1',
      'create or replace graph g',
      `select 1${' /* x */'.repeat(300)}`,
      `select ${'a'.repeat(300_000)}`,
    ],
  },
  {
    row: 28,
    what: 'COPY to the client',
    fate: 'masked',
    statements: [
      'copy people (id, name, ssn) to stdout',
      'copy (select ssn, reverse(ssn) from people) to stdout',
      'copy people to stdout (format binary)',
      'copy people to stdout (format csv, header)',
    ],
  },
]

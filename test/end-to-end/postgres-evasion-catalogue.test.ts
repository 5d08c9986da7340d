import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Client } from 'pg'
import { sqlFacts } from '../../gateway/policy/sql/facts.ts'
import { APPROVER } from '../support/gateway.ts'
import { PEOPLE_SQL } from '../support/gateway-people.ts'
import { startRig } from '../support/gateway-rig.ts'
import { startPostgres } from '../support/pg-server.ts'

// Every way round policies and masks that we know of, tried on the sample policy before a real server: what reached the
// client, and what became of the server's tables. A row's number is that of the catalogue in docs/policy.md.

/** `blocked`: refused by the gateway. `held`: waits for a person, and nothing ran. `masked`: answered, without a value. `passes`: harmless, and works. */
type Fate = 'blocked' | 'held' | 'masked' | 'passes'
interface Row {
  readonly row: number
  readonly what: string
  readonly fate: Fate
  readonly statements: readonly string[]
}

const CATALOGUE: readonly Row[] = [
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

/** Rows of the catalogue that no statement shows, and where they are tested. */
const ELSEWHERE: Readonly<Record<number, string>> = {
  3: 'test/gateway/protocols/postgres/wire.test.ts',
  14: 'test/end-to-end/postgres-leaks.test.ts',
  25: 'test/end-to-end/postgres-masking.test.ts',
}

/** Of a person, in any of the forms the statements above give them. */
const LEAKED = /zaphod\d{4}|\d{4}dohpaz|536-?22-?\d{4}|\d{4}-?22-?635|NTM2LTIyL|5a6170686f64/i

const SEED = `${PEOPLE_SQL}
create procedure tidy_up() language sql as 'delete from doomed';
`

/** The sample policy, made for these tables. */
function samplePolicy(): string {
  const sample = readFileSync(new URL('../../gateway/demo/policy.yaml', import.meta.url), 'utf8')
  return sample
    .slice(0, sample.indexOf('tests:\n'))
    .replaceAll('public.customers.', 'public.people.')
    .replace('    targets: { labels: { env: production } }\n', '')
    .replace(
      /approval: \{ groups: \[dba\], count: 1, timeout: 45s \}/,
      `approval: { groups: [${APPROVER.groups[1]}], timeout: 300ms }`,
    )
}

test('every row of the catalogue is in the table, or tested elsewhere', () => {
  const rows = new Set([...CATALOGUE.map(({ row }) => row), ...Object.keys(ELSEWHERE).map(Number)])
  assert.deepEqual(
    Array.from({ length: 28 }, (_, index) => index + 1).filter((row) => !rows.has(row)),
    [],
  )
  for (const file of Object.values(ELSEWHERE)) readFileSync(new URL(`../../${file}`, import.meta.url))
})

test('what the sample policy lets through of the evasions is what a real server may be asked', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: samplePolicy(), seed: SEED })
  if (rig === undefined) return
  const state = async (): Promise<unknown> =>
    (
      await rig.server.sql(
        `select (select count(*)::int from doomed) as doomed, (select count(*)::int from measures) as measures,
           (select count(*)::int from pg_class where relname = 'copied') as copied,
           (select count(*)::int from pg_proc where proname in ('f', 'p')) as made,
           (select md5(string_agg(p::text, ',' order by id)) from people p) as people`,
      )
    )[0]
  const before = await state()
  for (const { row, what, fate, statements } of CATALOGUE) {
    await t.test(`${row} ${what}: ${fate}`, async () => {
      for (const sql of statements) {
        const shown = sql.slice(0, 80)
        const client = new Client({
          host: '127.0.0.1',
          port: rig.tee.port,
          user: 'agent',
          password: rig.gateway.folder.keys.agent,
          database: rig.database,
        })
        client.on('error', () => undefined)
        await client.connect()
        const { got, rules } = await fateOf(client, sql)
        assert.doesNotMatch(got, LEAKED, shown)
        if (fate === 'blocked' || fate === 'held') assert.match(got, /"code":"42501"/, `${shown}: ${got.slice(0, 300)}`)
        else assert.doesNotMatch(got, /"code":"42501"/, `${shown}: ${got.slice(0, 300)}`)
        if (fate === 'masked' && (row === 10 || row === 28) && !sql.includes('binary')) assert.match(got, /MASKED/, shown)
        if (fate === 'held') assert.match(`${rules} ${got}`, /approv|A-[0-9A-Z]{8}/i, shown)
        await client.end()
      }
      assert.deepEqual(await state(), before, 'nothing changed on the server')
    })
  }
})

test('what a real server does with them, nobody standing before it, is what the policy takes them for', async (t) => {
  const server = await startPostgres()
  t.after(() => server.stop())
  await server.sql(SEED)
  const tried = CATALOGUE.filter(({ row }) => row <= 12).flatMap(({ statements }) => statements)
  let wrote = 0
  let leaked = 0
  for (const sql of [...HARMLESS, ...tried]) {
    // What would end the transaction itself leaves nothing to look at.
    if (/\bcommit\b/i.test(sql)) continue
    const rows = await server.sql(`begin; ${sql}`).catch(() => undefined)
    if (rows === undefined) continue // the server would not run it either
    if (LEAKED.test(JSON.stringify(rows))) leaked++
    const [after] = await server.sql(`begin; ${sql}; select pg_current_xact_id_if_assigned()::text as xid`)
    const facts = sqlFacts(sql)
    const taken =
      facts.writes === true ||
      facts.ddl === true ||
      facts.dynamic === true ||
      facts.function_categories?.includes('unknown') === true
    if (after?.['xid'] !== null) wrote++
    if (after?.['xid'] !== null) assert.ok(taken, `the server wrote: ${sql}`)
    if (HARMLESS.includes(sql)) assert.deepEqual([after?.['xid'], taken], [null, false], sql)
  }
  assert.ok(wrote >= 20, `${wrote} of them write`)
  assert.ok(leaked >= 10, `${leaked} of them show what the gateway masks`)
})

/** What must not be taken for more than it is. */
const HARMLESS: readonly string[] = [
  'select count(*) from people',
  "select 'delete from doomed', $$drop table doomed$$",
  'with d as (select 1 as x) select x from d',
  'declare c cursor for select id from people',
  'prepare s as select 1; execute s',
  'show server_version',
  "values (1, 'update people set id = 0')",
]

/** Everything the client was told: rows, errors, notices, data of a COPY. */
async function fateOf(client: Client, sql: string): Promise<{ readonly got: string; readonly rules: string }> {
  const told: string[] = []
  client.on('notice', (notice) => told.push(JSON.stringify({ ...notice, message: notice.message })))
  const { connection } = client as unknown as { readonly connection: NodeJS.EventEmitter }
  connection.on('copyData', ({ chunk }: { readonly chunk: Buffer }) => told.push(chunk.toString('latin1')))
  const answer = await client.query({ text: sql, rowMode: 'array' }).then(
    (result) => JSON.stringify(result, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    (error: Error) => JSON.stringify({ ...error, message: error.message }),
  )
  return { got: `${answer} ${told.join(' ')}`, rules: told.join(' ') }
}

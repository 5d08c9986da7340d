import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { detailsIn, PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type Rig, startRig } from '../support/gateway-rig.ts'

// Values of labelled columns that PostgreSQL keeps, or lets be kept, in other places than tables.

/** `public.parts.name` and `docs.secret` are labelled as well; what is labelled of `parts` lies in its partitions. */
const POLICY = PEOPLE_POLICY.replace(
  'columns: [public.people.name]',
  'columns: [public.people.name, public.parts.name, public.docs.secret, public.renamed.name]',
)

const SEED = `${PEOPLE_SQL}
create table parts (id int, name text) partition by list (id);
create table parts_1 partition of parts for values in (1);
create table apart (name text, id int);
insert into parts values (1, 'Zaphod7777');
insert into apart values ('Zaphod8888', 2);
alter table parts attach partition apart for values in (2);
create table docs (id int, secret jsonb);
insert into docs select id, jsonb_build_object('n', to_number(replace(ssn, '-', ''), '999999999')::bigint) from people;
create view kept as select histogram_bounds::text as hb from pg_stats where attname = 'name';
create view spelled as select stavalues1::text as x from pg_statistic;
create statistics pairs (mcv) on name, email from people;
create function as_box(text) returns bigint language sql immutable as 'select to_number(replace($1, ''-'', ''''), ''999999999'')::bigint';
create function sum_of(text, text) returns bigint language sql immutable as 'select to_number(replace($1, ''-'', ''''), ''999999999'')::bigint';
create function abs(text) returns bigint language sql immutable as 'select to_number(replace($1, ''-'', ''''), ''999999999'')::bigint';
create function upper(int) returns text language sql stable as 'select name from people where id = $1';
create cast (text as bigint) with function as_box(text) as implicit;
create operator + (leftarg = text, rightarg = text, function = sum_of);
create view folded as select upper(7) as x, id from measures;
create sequence counted;
create table audit (id int);
create rule also as on insert to audit do also select name from people limit 1;
create table renamed (id int, name text);
insert into renamed values (1, 'Zaphod7001');
alter table people add constraint later unique (name) deferrable initially deferred;
analyze;
`

const LEAKED = /zaphod\d{3,}|536-?22-?\d{3,}|5360?22\d{4}/i

async function connect(rig: Rig): Promise<Client> {
  const { port } = rig.tee
  const password = rig.gateway.folder.keys.agent
  const client = new Client({ host: '127.0.0.1', port, user: 'agent', password, database: rig.database })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** What the client was given, errors included. */
async function answer(client: Client, text: string): Promise<string> {
  return client.query({ text, rowMode: 'array' }).then(
    (result) => JSON.stringify([result].flat().map(({ rows }) => rows)),
    (error: Error) => JSON.stringify({ ...error, message: error.message }),
  )
}

test('values of labelled columns that lie, or were put, outside of tables are masked', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: POLICY, seed: SEED })
  if (rig === undefined) return

  await t.test('values kept outside of tables are masked like the columns they come from', async (t) => {
    const client = await connect(rig)
    const parts: Readonly<Record<string, readonly string[]>> = {
      'the planner’s statistics': [
        "select most_common_vals, histogram_bounds from pg_stats where tablename = 'people'",
        "select upper(histogram_bounds::text) from pg_stats where attname = 'name'",
        "select s from pg_stats s where attname = 'name'",
        'select stavalues1, stavalues2::text from pg_statistic where starelid = $$people$$::regclass and staattnum = 2',
        'select most_common_vals from pg_stats_ext',
        'select hb from kept',
        'select x from spelled',
        'copy (select histogram_bounds from pg_stats) to stdout',
        "select unnest(histogram_bounds::text::text[]) from pg_stats where tablename = 'people' and attname = 'name'",
      ],
      'partitions and their parent': [
        'select name from parts',
        'select name from parts_1',
        'select name from only apart',
        'select upper(name) from apart',
        'select * from apart',
        'copy apart to stdout',
      ],
      documents: [
        'select secret from docs limit 1',
        "select secret->'n' from docs limit 1",
        "select (secret->>'n')::bigint from docs limit 1",
        "select secret['n'] from docs limit 1",
        'select v from docs, jsonb_each(secret) e(k, v) limit 1',
        "select jsonb_path_query_first(secret, '$.n') from docs limit 1",
        "select min((secret->'n')::numeric) from docs",
      ],
      'casts, operators and functions of somebody that bear PostgreSQL’s names': [
        'select bit_or(ssn) from people where id = 1',
        'select ssn + email from people limit 1',
        'select abs(ssn) from people limit 1',
        'select upper(7)',
        'select x from folded limit 1',
        'explain (verbose, costs off) select x from folded',
        'insert into audit values (1)',
      ],
    }
    for (const [what, statements] of Object.entries(parts)) {
      await t.test(what, async () => {
        for (const sql of statements) assert.doesNotMatch(await answer(client, sql), LEAKED, sql)
      })
    }
    await t.test('the rest of the statistics passes', async () => {
      assert.match(
        await answer(client, "select tablename, attname, n_distinct from pg_stats where attname = 'ssn'"),
        /people","ssn",-1/,
      )
    })
    await client.end()
  })

  await t.test('what dynamic code puts into settings and sequences does not come back', async () => {
    const client = await connect(rig)
    assert.equal(await answer(client, 'show work_mem'), '[[["4MB"]]]')
    const reading = 'execute $q$ select na$q$ || $q$me from peo$q$ || $q$ple limit 1 $q$ into x'
    const putting = [
      `do $$ declare x text; begin ${reading}; perform set_config('my.x', x, false); end $$`,
      `do $$ declare x text; begin ${reading}; perform set_config('application_name', x, false); end $$`,
      "do $$ begin perform setval('counted', (select to_number(replace(ssn, '-', ''), '999999999')::bigint from people where id = 1)); end $$",
    ]
    for (const sql of putting) await client.query(sql)
    for (const sql of [
      'show my.x',
      "select current_setting('my.x')",
      "select 'x' || current_setting('my.x')",
      'show application_name',
      "select setting from pg_settings where name = 'application_name'",
      "select currval('counted')",
      'select lastval()',
      "select nextval('counted')",
      'select last_value from counted',
      "select * from pg_sequences where sequencename = 'counted'",
    ])
      assert.doesNotMatch(await answer(client, sql), LEAKED, sql)
    assert.equal(await answer(client, 'show transaction_isolation'), '[[["read committed"]]]')
    await client.query("select set_config('application_name', name, false) from people limit 1")
    await client.end()
    for (const { received } of rig.tee.connections) assert.deepEqual(detailsIn(received.toString('latin1')), [])
    await rig.tee.check()
  })

  await t.test(
    'numbers of a relation newer than what is known of the target are masked, and known ones are not kept from anybody',
    async () => {
      const client = await connect(rig)
      await client.query(
        "create temp view numbers_of as select to_number(replace(ssn, '-', ''), '999999999')::bigint as n, born from people",
      )
      assert.doesNotMatch(await answer(client, 'select n from numbers_of limit 2'), LEAKED)
      await client.query('begin')
      await client.query(
        "create temp view others as select to_number(replace(ssn, '-', ''), '999999999')::bigint as n from people",
      )
      assert.doesNotMatch(await answer(client, 'select n from others limit 2'), LEAKED)
      await client.query('commit')
      await client.query('create table pg_names as select 1 as a')
      await client.query('create or replace temp view pg_people as select name from people')
      assert.doesNotMatch(await answer(client, 'select upper(name) from pg_people limit 2'), LEAKED)
      await client.query('create table fresh (id serial, n int, word text)')
      assert.equal(await answer(client, "insert into fresh (n, word) values (7, 'plain') returning id, n"), '[[[1,7]]]')
      assert.equal(await answer(client, 'select id, n, word from fresh'), '[[[1,7,"plain"]]]')
      await client.end()
    },
  )

  await t.test('an error that a commit brings in the extended protocol quotes no row', async () => {
    const client = await connect(rig)
    const text = 'update people set name = (select name from people where id = $1) where id in (1, 2)'
    await assert.rejects(client.query(text, [1]), (error: Error) => {
      assert.match(error.message, /duplicate key|MASKED/)
      assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), LEAKED)
      return true
    })
    await client.end()
  })

  await t.test('a label stays with a column that is given another name, or a table of another', async () => {
    const client = await connect(rig)
    for (const [change, read] of [
      ['alter table renamed rename column name to title', 'select title, upper(title) from renamed'],
      ['alter table renamed rename to elsewhere', 'select title, upper(title) from elsewhere'],
      ['alter table elsewhere rename column title to heading', 'copy elsewhere to stdout'],
    ] as const) {
      await client.query(change)
      assert.doesNotMatch(await answer(client, read), LEAKED, read)
    }
    assert.match(await answer(client, 'select heading from elsewhere'), /MASKED:person/)
    await client.end()
    for (const { received } of rig.tee.connections) assert.doesNotMatch(received.toString('latin1'), /Zaphod7001/)
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { SERVERS, startRig } from '../support/gateway-rig.ts'

// Whoever may define things makes something known into something else: what it shows is masked from the very next statement on.

const SEED = `${PEOPLE_SQL}
${[1, 2, 3, 4].map((n) => `create view shown${n} as select 'x'::text as a, 1 as b;`).join('\n')}
create table above (id int, name text);
create table other (id int, name text, note text);
create function of_person(int, text) returns text language sql as 'select reverse(name) from people where id = $1';
alter table people add column turned text generated always as (reverse(name)) stored;
create view turned_too as select upper(turned) as t from people;
`
const LEAKED = /zaphod\d{4}|\d{4}dohpaz/i

/** Each in a session of its own; what the last renames is there no more. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  'a view replaced': [
    'create or replace view shown1 as select reverse(name) as a, 1 as b from people',
    'select a from shown1 limit 2',
  ],
  'a view replaced in a transaction': [
    'begin',
    'create or replace view shown2 as select reverse(name) as a, 1 as b from people',
    'select upper(a) from shown2 limit 2',
  ],
  'a view replaced by code': [
    "do $$ begin execute 'create or replace view shown3 as select reverse(na'||'me) as a, 1 as b from people'; end $$",
    'select a from shown3 limit 2',
  ],
  'all in one text': [
    "do $$ begin execute 'create or replace view shown4 as select reverse(na'||'me) as a, 1 as b from people'; end $$; select a from shown4 limit 2",
  ],
  'a table put above another': ['alter table people inherit above', 'select reverse(name), name from above limit 2'],
  'a function under the name of one of PostgreSQL’s': [
    "create function md5(int) returns text language sql as 'select reverse(name) from people where id = $1'",
    'select md5(1)',
  ],
  'an operator spelled like one of PostgreSQL’s': [
    'create operator + (leftarg = int, rightarg = text, function = of_person)',
    "select 1 + 'x'::text",
  ],
  'a temporary view under a name of the system’s': [
    'create temp view pg_class as select reverse(name) as relname from people',
    'select upper(relname) from pg_class limit 2',
  ],
  'a column generated from another': ['select turned, upper(turned), length(turned || name) from people limit 2'],
  'a view of a generated column': ['select t from turned_too limit 2'],
  'a table under the name of another': [
    'alter table other rename to former',
    'alter table people rename to other',
    'select reverse(name) from other limit 2',
  ],
}

for (const from of SERVERS) {
  test(`what is defined anew shows no labelled value at the ${from} server`, async (t) => {
    await using rig = await startRig(t, from, { policy: PEOPLE_POLICY, seed: SEED })
    if (rig === undefined) return
    const connect = async (): Promise<Client> => {
      const { port } = rig.tee
      const client = new Client({ host: '127.0.0.1', port, user: 'a', password: rig.gateway.folder.keys.agent, database: 'shop' })
      await client.connect()
      return client
    }
    for (const [way, statements] of Object.entries(WAYS)) {
      await t.test(way, async () => {
        await using stack = new AsyncDisposableStack()
        const client = await connect()
        stack.defer(() => client.end())
        for (const sql of statements) {
          const result: unknown = await client.query({ text: sql, rowMode: 'array' })
          assert.doesNotMatch(JSON.stringify(result), LEAKED, sql)
        }
      })
    }
  })
}

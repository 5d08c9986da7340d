import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, Query } from 'pg'
import { PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type Rig, startRig } from '../support/gateway-rig.ts'

// Ways somebody found around masks and limits, each kept as a test.

const POLICY = `${PEOPLE_POLICY.trimEnd()}
  - id: few-rows
    on: postgres
    threshold: { rows: 1000, per: statement }
    action: block
    reason: more than 1,000 rows for one statement
`

/** The same for every test here: a process knows the catalog of a target's database by their names. */
const SEED = `${PEOPLE_SQL}
create function as_number(t text) returns bigint language sql as 'select t::bigint';
create function number_of(text, int) returns bigint language sql as 'select $1::bigint';
create operator ### (leftarg = text, rightarg = int, function = number_of);
create view numbers as select replace(ssn,'-','')::bigint as n, born + 0 as b, id from people;
create view computed as select upper(name) as x from people;
create view cuts as select split_part(name,'d',1) as x, id from people;
create view sums as select b.id, count(*) as n, sum(a.value) as s, count(b.born) as dated
  from measures a, people b where a.id = b.id group by b.id;
`

async function connect(rig: Rig): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: rig.tee.port,
    user: 'agent',
    password: rig.gateway.folder.keys.agent,
    database: rig.database,
  })
  await client.connect()
  return client
}

/** A person's name, and the digits of a social security number, in any spelling the statements below give them. */
const LEAKED = /zaphod\d{4}|\d{4}dohpaz|536-?22-?\d{4}|\d{4}-?22-?635/i

test('what a statement makes of a labelled column is masked, whatever it is called and whatever type it becomes', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: POLICY, seed: SEED })
  if (rig === undefined) return
  const client = await connect(rig)
  const statements = [
    "select replace(ssn,'-','')::bigint from people limit 2",
    "select replace(ssn,'-','')::numeric + 0 from people limit 2",
    "select to_tsvector('simple', name) from people limit 2",
    'select array(select ascii(x) from unnest(string_to_array(name, null)) x) from people limit 2',
    'select upper(n), reverse(s) from people as p(i, n, e, s) limit 2',
    'select p.row_to_json from people p limit 2',
    'select p.to_jsonb from people p limit 2',
    "select int8(replace(ssn,'-','')) from people limit 2",
    "select (replace(ssn,'-','')).int8 from people limit 2",
    "select a from json_to_record((select json_build_object('a', replace(ssn,'-','')) from people where id = 1)) as x(a bigint)",
    "select (jsonb_populate_record(null::measures, jsonb_build_object('value', replace(ssn,'-','')))).value from people limit 2",
    "select json_value(to_jsonb(replace(ssn,'-','')), '$' returning bigint) from people limit 2",
    "select z from people, xmltable('/r' passing xmlelement(name r, replace(ssn,'-','')) columns z bigint path '.') limit 2",
    // Names that other columns have, given to a labelled one by its position, to a row, and to the rows of a join.
    'select reverse(note) from people as p(id, note, e, s, c, n, b) limit 2',
    'select reverse(id::text) from (people cross join (select 1) z) as j(a, id, c, d, e, f, g, h) limit 2',
    'select reverse(value::text) from (people join (select 1 from measures limit 1) z on true) as value limit 2',
    "select reverse(value::text) from people left join (values ('x')) v(name) using (name) as value, (select 1 from measures limit 1) q limit 2",
    'update people set note = note from (select 1 from measures limit 1) q where people.id = 1 returning with (old as value) reverse(value::text)',
    'update measures set value = value where id = 1 returning (select name from people limit 1)',
    'update doomed set id = id from people where people.id = 1 returning name || reverse(ssn)',
  ]
  for (const sql of statements) {
    await t.test(sql, async () => {
      const answer = await client.query({ text: sql, rowMode: 'array' }).then(
        ({ rows }) => JSON.stringify(rows),
        (error: Error) => JSON.stringify({ ...error, message: error.message }),
      )
      assert.doesNotMatch(answer, LEAKED)
      // ascii() of the letters of a name is the name as well.
      assert.doesNotMatch(answer, /90,97,112,104/)
    })
  }
  await t.test('a constraint that fails does not show the row', async () => {
    await rig.server.sql('alter table people alter note set not null')
    await assert.rejects(client.query('update people set note = null where id = 1'), (error: Error) => {
      assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), LEAKED)
      return true
    })
  })
  await t.test('nor does one that was put off until COMMIT, nor what a DO block raises', async () => {
    await rig.server.sql('alter table people add constraint later unique (name) deferrable initially deferred')
    const raising =
      "do $$ declare x text; begin execute 'select na'||'me from peo'||'ple limit 1' into x; raise exception '%', x; end $$"
    for (const last of ['commit', 'set constraints all immediate', raising]) {
      await client.query('begin')
      await client.query('update people set name = (select name from people where id = 1) where id in (1, 2)')
      await assert.rejects(client.query(last), (error: Error) => {
        assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), LEAKED)
        return true
      })
      await client.query('rollback')
    }
  })
  await t.test('counts and sums of what is nobody’s pass', async () => {
    const { rows } = await client.query('select count(*)::int as n, (select sum(value) from measures) as s from people')
    assert.deepEqual(rows, [{ n: 400, s: 12_502_500 }])
  })
  await client.end()
})

test('numbers and dates made of a labelled column are masked through views, functions and operators, and whatever is done to them', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: PEOPLE_POLICY, seed: SEED })
  if (rig === undefined) return
  const client = await connect(rig)
  const statements = [
    "select as_number(replace(ssn,'-','')) from people limit 2",
    "select replace(ssn,'-','') ### 1 from people limit 2",
    'select n from numbers limit 2',
    'select n + 0 from numbers limit 2',
    'select sum(n) from numbers where id = 1',
    'select b, b + 0 as c from numbers limit 2',
    'select reverse(x) from computed limit 2',
    'select length(x) from cuts limit 2',
    "select (split_part(name,'d',1)).length from people limit 2",
    "select length(x) from people, split_part(name,'d',1) x limit 2",
    "select to_regtypemod('bit('||substr(replace(ssn,'-',''),1,6)||')') from people limit 2",
    "select to_regrole(replace(ssn,'-','')), to_regclass(replace(ssn,'-','')), to_regtype(replace(ssn,'-','')) from people limit 2",
    "select timestamp '2000-01-01' at time zone ('x' || substr(ssn,1,2)) from people limit 2",
    'select born + 0, max(born) over (), array[born], date_trunc($$day$$, born) from people limit 2',
    'select x from (select born - 1 as x from people) q limit 2',
    'with q (x) as (select max(born) from people) select x from q',
    "select born from people union select '1900-01-01' limit 2",
    "select greatest(born, '1900-01-01') from people limit 2",
    'select lower(daterange(born, null)), generate_series(born, born, $$1 day$$) from people limit 2',
    'select g + 0 from people as p (a, b, c, d, e, f, g) limit 2',
    'select percentile_disc(0.5) within group (order by born) from people',
  ]
  for (const sql of statements) {
    await t.test(sql, async () => {
      const { rows } = await client.query({ text: sql, rowMode: 'array' })
      assert.ok(rows.length > 0)
      for (const value of rows.flat()) if (value !== null) assert.match(String(value), /^\[MASKED:|^NULL$/)
    })
  }
  await t.test('counts, ids and what is nobody’s pass', async () => {
    const { rows } = await client.query(
      "select count(*)::int as n, count(born) as dated, bool_or(id > 3) as any from people where born > '1970-01-01'",
    )
    assert.deepEqual(rows, [{ n: 400, dated: '400', any: true }])
    assert.deepEqual((await client.query('select id + 1 as next, length(name) as l from people where id = 1')).rows, [
      { next: 2, l: 10 },
    ])
    assert.deepEqual((await client.query('select n, s, dated, n + 1 as m from sums where id = 7')).rows, [
      { n: '1', s: 7, dated: '1', m: '2' },
    ])
    assert.deepEqual((await client.query('select count(*)::int as n from numbers')).rows.length, 1)
    assert.deepEqual((await client.query('update people set born = born where id = 3 returning id')).rows, [{ id: 3 }])
  })
  await client.end()
})

test('rows of a portal taken in parts count as one statement', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: POLICY, seed: SEED })
  if (rig === undefined) return
  const client = await connect(rig)
  let count = 0
  const paged = { text: 'select id from measures', rows: 400 }
  await assert.rejects(
    new Promise((resolve, reject) => {
      const query = client.query(new Query(paged as never)) as unknown as NodeJS.EventEmitter
      query.on('row', () => {
        count += 1
      })
      query.on('end', resolve)
      query.on('error', reject)
    }),
    /more than 1,000 rows/,
  )
  assert.ok(count <= 1000, `${count} rows`)
  await client.end()
})

test('a statement too large for the event loop is judged, masked and answered like any other, however it is sent', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: POLICY, seed: SEED })
  if (rig === undefined) return
  const client = await connect(rig)
  client.on('error', (error) => t.diagnostic(String(error)))
  const ids = Array.from({ length: 4_000 }, (_, index) => index + 1).join(', ')
  const read = `select count(*)::int as n, min(name) as first from people where id in (${ids})`
  for (const query of [{ text: read }, { name: 'large', text: read }, { name: 'large', text: read }]) {
    const { rows } = await client.query(query)
    assert.equal(rows[0].n, 400)
    assert.match(rows[0].first, /^\[MASKED:/)
  }
  await client.query(`prepare again as ${read}`)
  assert.match((await client.query('execute again')).rows[0].first, /^\[MASKED:/)
  const refused = { code: '42501' }
  await assert.rejects(client.query(`copy (${read}) to program 'cat'`), refused)
  await assert.rejects(client.query({ name: 'other', text: `${read} and oops oops oops` }), refused)
  assert.deepEqual((await client.query('select 1 as alive')).rows, [{ alive: 1 }])
  await client.end()
  await rig.tee.check()
})

test('which labels a statement touches is known through views, whatever their columns are called', async (t) => {
  const policy = `${PEOPLE_POLICY.trimEnd()}
  - id: people
    on: postgres
    match: { labels: "pii.*" }
    action: block
`
  await using rig = await startRig(t, 'embedded', { policy, seed: SEED })
  if (rig === undefined) return
  const client = await connect(rig)
  for (const sql of [
    'select name from people limit 1',
    'select count(*) from people where ssn like $$1%$$',
    'select x from computed limit 1',
    'select n from numbers limit 1',
    'select * from people limit 1',
    'select p from people p limit 1',
    'table computed',
    'copy (select x from computed) to stdout',
    'prepare q as select ssn from people',
  ]) {
    await assert.rejects(client.query(sql), /rule people|people/, sql)
    await assert.rejects(client.query({ name: `s${sql.length}`, text: sql }), { code: '42501' }, sql)
  }
  for (const sql of ['select id from people limit 1', 'select value from measures limit 1', 'select count(*) from measures'])
    await client.query(sql)
  await client.end()
})

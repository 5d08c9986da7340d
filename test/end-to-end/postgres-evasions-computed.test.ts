import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { detailsIn, PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type Rig, startRig } from '../support/gateway-rig.ts'

// What a statement makes of columns: masked where it tells of a labelled one, and not where it does not.

/** The same for every test here: a process knows the catalog of a target's database by their names. */
const SEED = `${PEOPLE_SQL}
alter table people add city text default 'Oslo', add height int default 180;
create table letters (id int, bodies bytea[], doc jsonb, note text);
insert into letters select id, array[convert_to(card, 'UTF8')], jsonb_build_object('b', convert_to('to ' || card, 'UTF8')),
  'harmless \\xdeadbeefdeadbeef' from people where id < 4;
`

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

test('what a statement makes of columns is masked where it tells of a labelled one, and not where it does not', async (t) => {
  await using rig = await startRig(t, 'embedded', { policy: PEOPLE_POLICY, seed: SEED })
  if (rig === undefined) return

  await t.test('a comparison with a labelled column is not asked for in the rows themselves', async () => {
    const client = await connect(rig)
    for (const sql of [
      "select case when substr(ssn, 1, 1) = '5' then 5 end from people where id = 1",
      "select case substr(ssn, 1, 1) when '5' then 5 end from people where id = 1",
      "select ssn like '5%' from people where id = 1",
      "select (ssn > '5')::int from people where id = 1",
      "select bool_or(born > '1970-01-01') from people where id = 1",
      "select x from (select ssn like '5%' as x from people where id = 1) q",
      "select nullif(substr(ssn, 1, 1), '4') = '5' from people where id = 1",
      "select (select 5 where ssn like '5%') from people where id = 1",
    ])
      assert.match(await answer(client, sql), /^\[\[\[(null|"\[MASKED:[^"]+")\]\]\]$/, sql)
    assert.equal(await answer(client, 'select id, email is null, length(name) from people where id = 1'), '[[[1,false,10]]]')
    assert.equal(await answer(client, "select count(*)::int from people where born > '1970-01-01'"), '[[[400]]]')
    assert.equal(await answer(client, "select case when id > 3 then 'x' end, id = 1 from people where id = 7"), '[[["x",false]]]')
    await client.end()
  })

  await t.test('what names no labelled column is not masked beside one, nor is a plan', async () => {
    const client = await connect(rig)
    assert.equal(await answer(client, 'select upper(city) as town from people where id = 1 order by town'), '[[["OSLO"]]]')
    assert.equal(await answer(client, 'select town from (select upper(city) as town from people where id = 1) q'), '[[["OSLO"]]]')
    assert.equal(await answer(client, 'select sum(h)::int from (select height as h from people) q'), '[[[72000]]]')
    assert.equal(
      await answer(client, 'with q as (select height as h from people) select q.h + 1 as next from q limit 1'),
      '[[[181]]]',
    )
    const plan = await answer(client, "explain (costs off) select name from people where name = 'Ford'")
    assert.match(plan, /Seq Scan on people.*Filter: \(name = 'Ford'::text\)/)
    // A name given to a result is not a way to another meaning of it.
    for (const sql of [
      'select upper(city) as row_to_json, p.row_to_json from people p limit 1',
      'select upper(city) as p, reverse(p::text) from people p limit 1',
      'select 1 as to_jsonb, to_jsonb(q) from (select * from people) q limit 1',
      'select reverse(who) from (select name as who from people) q limit 1',
      'explain analyze select name::int from people',
    ])
      assert.doesNotMatch(await answer(client, sql), /zaphod\d{4}|\d{4}dohpaz/i, sql)
    await client.end()
  })

  await t.test('binary values are looked into where they stand inside arrays and documents', async () => {
    const client = await connect(rig)
    const text = await answer(client, 'select bodies, doc, row(id, bodies)::text from letters')
    const seen = JSON.stringify((await client.query('select bodies::text, doc::text, note from letters')).rows)
    const plain = (text + seen).replaceAll(/(?:[0-9a-f]{2}){6,}/g, (digits) => Buffer.from(digits, 'hex').toString('latin1'))
    assert.deepEqual(detailsIn(plain), [])
    assert.match(seen, /harmless .{1,2}xdeadbeefdeadbeef/)
    await client.end()
  })
})

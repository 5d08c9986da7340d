import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from 'pg'
import { assertRan, clientHere, libpqEnv, run } from '../support/clients.ts'
import { detailsIn, PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type Rig, startRig } from '../support/gateway-rig.ts'

const people = { policy: PEOPLE_POLICY, seed: PEOPLE_SQL }

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

/** Everything that reached the client, checked for what was planted, and against the tape. */
async function assertClean(rig: Rig): Promise<void> {
  for (const { received } of rig.tee.connections) {
    assert.deepEqual(detailsIn(received.toString('latin1')), [])
    assert.deepEqual(detailsIn(received.toString('utf16le')), [])
  }
  await rig.tee.check()
}

test('labelled columns are masked however a statement reaches them', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const client = await connect(rig)
  const read = async (sql: string, values: readonly unknown[] = []): Promise<string> =>
    JSON.stringify((await client.query({ text: sql, values: [...values] })).rows)
  const statements = [
    'select * from people order by id limit 3',
    'select name as harmless from people limit 3',
    'select p.name as x from people p limit 3',
    'select who from contacts limit 3',
    'select mail from contacts_again limit 3',
    'with w as (select name n from people limit 3) select n from w',
    'select n from (select name n from people) s limit 3',
    'select upper(name), reverse(reverse(name)), name || $$!$$, substr(name, 1, 20), md5(name) || name from people limit 3',
    'select name::bytea from people limit 3',
    'select array_agg(name), string_agg(name, $$,$$), min(name), json_agg(name), to_json(people.*)::text from people group by people.* limit 3',
    'select row_to_json(people) from people limit 3',
    'select people from people limit 3',
    'select people::text from people limit 3',
    'select case when id > 0 then name end from people limit 3',
    'select coalesce(null, name), greatest(name, $$a$$), format($$%s$$, name) from people limit 3',
    'select name from people union all select $$x$$ limit 3',
    'select (select name from people where id = m.id) from measures m where id < 4',
    'select t.* from people, lateral (select name) t limit 3',
    'table people limit 3',
    'values ((select name from people limit 1))',
    'insert into people (id, name) values (9001, $$Zaphod9001$$) returning name',
    'update people set note = note where id = 1 returning name',
    'delete from people where id = 9001 returning *',
    'explain (costs off) select name from people where name = $$Zaphod1001$$',
  ]
  for (const sql of statements.slice(0, -1)) {
    await t.test(sql, async () => {
      const text = await read(sql)
      assert.deepEqual(detailsIn(text), [], text)
      assert.match(text, /MASKED|null/, text)
    })
  }

  await t.test('equal values keep equal tags, so that they can be counted and joined', async () => {
    const { rows } = await client.query(
      'select name from people where id in (1, 2) union all select name from people where id = 1',
    )
    assert.equal(rows.length, 3)
    const tags = new Set(rows.map(({ name }) => name))
    assert.equal(tags.size, 2, JSON.stringify(rows))
    for (const tag of tags) assert.match(tag, /^\[MASKED:person:[0-9a-f]{12}\]$/)
  })
  await t.test('a prepared statement, by name and again', async () => {
    for (const id of [1, 2, 3]) {
      const { rows } = await client.query({ name: 'p', text: 'select name, email, ssn from people where id = $1', values: [id] })
      assert.match(JSON.stringify(rows), /MASKED:person.*MASKED:email.*MASKED:us-ssn/)
    }
  })
  await t.test('PREPARE, EXECUTE, DECLARE, FETCH', async () => {
    await client.query('prepare q as select name from people limit 2; begin; declare c cursor for select name, ssn from people')
    assert.match(await read('execute q'), /MASKED:person/)
    assert.match(await read('fetch 3 from c'), /MASKED:person.*MASKED/)
    await client.query('commit')
  })
  await t.test('detectors read what no label names', async () => {
    const text = await read('select note, card from people limit 2')
    assert.match(text, /call back about \[MASKED:card\], or write to \[MASKED:email:[0-9a-f]{12}\]/)
  })
  await t.test('a label outside text is NULL', async () => {
    assert.equal(await read('select born, id from people where id = 1'), '[{"born":null,"id":1}]')
  })
  await t.test('counts and numbers pass', async () => {
    assert.equal(await read('select count(*)::int as n, max(id) as m from people'), '[{"n":400,"m":400}]')
  })
  await client.end()
  await assertClean(rig)
})

test('errors and notices tell no values', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const client = await connect(rig)
  const notices: string[] = []
  client.on('notice', ({ message }) => notices.push(message ?? ''))
  for (const sql of [
    'select ssn::int from people',
    'select card::date from people',
    'select name::int from people',
    'select (name || $$x$$)::int from people',
    'insert into people (id, name) select 1, name from people',
    'create unique index on people ((left(email, 3)))',
    'alter table people add constraint nobody check (name = $$nobody$$)',
  ]) {
    await t.test(sql, async () => {
      await assert.rejects(client.query(sql), (error: Error) => {
        assert.deepEqual(detailsIn(JSON.stringify(error)), [], JSON.stringify(error))
        assert.deepEqual(detailsIn(error.message), [], error.message)
        return true
      })
    })
  }
  await t.test('a function raises what it read', async () => {
    await rig.server.sql(`create function tell() returns void language plpgsql as $f$ declare p people;
      begin select * into p from people limit 1; raise notice 'it is %, %', p.ssn, p.email; end $f$`)
    await client.query('select tell()')
    // What a function nobody knows says may hold anything: it is masked whole.
    assert.match(notices.join('\n'), /\[MASKED:error-value\]/)
    assert.deepEqual(detailsIn(notices.join('\n')), [])
  })
  await t.test('what only the statement itself got wrong is told as it is', async () => {
    await assert.rejects(client.query('select nmae from people'), /column "nmae" does not exist/)
    await assert.rejects(client.query('select name frm people'), /syntax error at or near "people"|POLICY|parse/i)
    await assert.rejects(client.query("select 'x'::int"), /invalid input syntax for type integer: "x"/)
  })
  await client.end()
  await assertClean(rig)
})

test('COPY is masked line by line, in text, CSV and binary', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })
  const copies = [
    'copy (select id, name, email, ssn from people where id < 4) to stdout',
    'copy people to stdout',
    'copy people (name, id) to stdout csv header',
    "copy people to stdout (format csv, delimiter ';', force_quote *)",
    'copy people to stdout (format binary)',
    'copy (select upper(name) from people) to stdout',
    'copy (select * from contacts_again) to stdout csv',
    // Of every way in which a client can choose how lines are written.
    "copy people (note, name) to stdout (format csv, escape '\\')",
    "copy people (id, card, note) to stdout (delimiter 'X')",
    "copy people (id, card, note) to stdout (delimiter '_')",
    "copy people (id, ssn, note) to stdout (delimiter '-')",
    "copy people (card, note) to stdout (format csv, quote '1', force_quote *)",
    "copy people (id, card) to stdout (format csv, null '9', delimiter E'\\x02', quote E'\\x03')",
    "copy people (id, note) to stdout (encoding 'SJIS')",
    "copy (select E'x\\n' || card, E'note\\t' || card from people) to stdout",
    'copy people (note) to stdout; copy people (name) to stdout',
  ]
  await rig.server.sql(`update people set note = 'a"' || note where id < 200`)
  for (const sql of copies) {
    await t.test(sql, async () => {
      const ran = await run(program, ['-X', '-c', sql], { env })
      assertRan(ran, 'psql')
      assert.deepEqual(detailsIn(ran.stdout), [])
      assert.deepEqual(detailsIn(ran.stdout.replaceAll('\\', '')), [])
      if (!sql.includes('binary')) assert.match(ran.stdout, /MASKED/)
    })
  }
  await assertClean(rig)
})

test('psycopg sees masks in binary results, COPY rows and cursors', async (t) => {
  const python = clientHere(t, 'psycopg')
  if (python === undefined) return
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const script = `
import psycopg
connection = psycopg.connect("", autocommit=True)
with connection.cursor(binary=True) as cursor:
    print(cursor.execute("select name, email, ssn, born, array[name], row(name, id) from people where id = %s", (1,)).fetchone())
    print(cursor.execute("select note, name::bytea from people where id = %s", (1,)).fetchone())
with connection.cursor() as cursor, cursor.copy("copy (select id, name, born from people order by id) to stdout (format binary)") as copy:
    copy.set_types(["int4", "text", "date"])
    rows = list(copy.rows())
    print(len(rows), rows[0], rows[-1])
with connection.transaction(), connection.cursor(name="c") as cursor:
    cursor.execute("select id, name from people order by id")
    print(len(cursor.fetchall()))
`
  const ran = await run(python, ['-c', script], { env: libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database }) })
  assertRan(ran, 'psycopg')
  assert.deepEqual(detailsIn(ran.stdout), [])
  assert.match(
    ran.stdout,
    /^\('\[MASKED:person:[0-9a-f]{12}\]', '\[MASKED:email:[0-9a-f]{12}\]', '\[MASKED:us-ssn\]', None, None, None\)/,
  )
  assert.match(ran.stdout, /\n400 /)
  await assertClean(rig)
})

test('what a bytea holds is found in text format as well, in rows and COPY', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  await rig.server.sql(
    "create table letters (id int, body bytea); insert into letters select id, convert_to('to ' || email, 'UTF8') from people where id < 4; insert into letters values (9, 'harmless')",
  )
  const client = await connect(rig)
  client.on('error', (error) => t.diagnostic(String(error)))
  for (const format of ['hex', 'escape']) {
    await client.query(`set bytea_output = ${format}`)
    let { rows } = await client.query('select body from letters order by id')
    // A table newer than what is known of the target is masked whole until it is known.
    while (rows[3].body === null) rows = (await client.query('select body from letters order by id')).rows
    assert.deepEqual(
      rows.map(({ body }) => (body === null ? null : body.toString())),
      [null, null, null, 'harmless'],
    )
  }
  await client.query('set bytea_output = hex')
  const program = clientHere(t, 'psql')
  if (program !== undefined) {
    const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })
    const ran = await run(program, ['-X', '-c', '\\copy letters to stdout'], { env })
    assertRan(ran, 'psql')
    const text = ran.stdout.replaceAll(/\\\\x([0-9a-f]+)/g, (_, digits: string) => Buffer.from(digits, 'hex').toString())
    assert.deepEqual(detailsIn(text), [])
    assert.match(text, /MASKED:email/)
    assert.match(text, /9\tharmless/)
  }
  await client.end()
  await assertClean(rig)
})

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Client } from 'pg'
import { assertRan, clientHere, libpqEnv, Running, run } from '../support/clients.ts'
import { APPROVER, HUMAN } from '../support/gateway.ts'
import { heldRequest, PEOPLE_POLICY, PEOPLE_SQL } from '../support/gateway-people.ts'
import { type Rig, startRig } from '../support/gateway-rig.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'
import { framesOf } from '../support/tapes.ts'

const RESET = 'truncate doomed; insert into doomed select generate_series(1, 10)'
let people: { readonly policy: string; readonly seed: string; readonly on: PgServer }

before(async () => {
  const on = await startPostgres()
  await on.sql(PEOPLE_SQL)
  people = { policy: PEOPLE_POLICY, seed: RESET, on }
})
after(() => people.on.stop())

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

async function doomedCount(rig: Rig): Promise<unknown> {
  const [row] = await rig.server.sql('select count(*)::int as n from doomed')
  return row?.['n']
}

test('a blocked statement is an error like any other, and the session goes on', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })
  const input = [
    '\\set VERBOSITY verbose',
    "copy doomed to program 'cat > /tmp/never';",
    'select 1 as alive;',
    'begin;',
    "copy doomed to program 'cat > /tmp/never';",
    '\\echo status :TRANSACTION :SQLSTATE',
    'select 2;',
    'rollback;',
    'select 3 as alive;',
    "select 4\\; copy doomed to program 'cat'\\; select 5;",
    '\\bind 1',
    'select 6 as alive;',
  ].join('\n')
  const ran = await run(program, ['-X', '-P', 'pager=off'], { env, input })
  assertRan(ran, 'psql')
  const refusals = ran.stderr.match(
    /ERROR: {2}42501: COPY with a program leaves the database\nDETAIL: .*pg\.copy-program\nHINT: {2}use COPY TO STDOUT/g,
  )
  assert.equal(refusals?.length, 3, ran.stderr)
  assert.match(ran.stderr, /25P02: current transaction is aborted/)
  assert.match(ran.stdout, /alive \n-+\n\s+1\n[\s\S]*alive \n-+\n\s+3\n/)
  assert.doesNotMatch(ran.stdout, /\n\s+[45]\n/)
  assert.match(ran.stdout, /\n\s+6\n/)
  assert.equal(await rig.tee.check(), 1)
  assert.doesNotMatch(rig.server.log(), /program/i, 'the statement reached the server')
})

test('a blocked statement in the middle of a pipeline', async (t) => {
  const python = clientHere(t, 'psycopg')
  if (python === undefined) return
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const script = `
import psycopg
connection = psycopg.connect("", autocommit=True)
outcomes = []
try:
    with connection.pipeline() as pipeline:
        one = connection.execute("select %s::int", (1,)); pipeline.sync()
        insert = connection.execute("insert into measures values (%s, 0)", (-1,))
        blocked = connection.execute("copy doomed to program 'cat'")
        skipped = connection.execute("select %s::int", (2,)); pipeline.sync()
        three = connection.execute("select %s::int", (3,))
        print("one", one.fetchone(), "three", three.fetchone())
except psycopg.Error as error:
    print("refused", error.sqlstate, error.diag.message_detail)
print("alive", connection.execute("select 4").fetchone())
print("undone", connection.execute("select count(*) from measures where id = -1").fetchone())
`
  const ran = await run(python, ['-c', script], { env: libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database }) })
  assertRan(ran, 'psycopg')
  assert.match(ran.stdout, /refused 42501 .*pg\.copy-program/)
  assert.match(ran.stdout, /alive \(4,\)\nundone \(0,\)/)
  await rig.tee.check()
})

test('a held statement tells at once, runs when approved, and only then', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const desk = await rig.gateway.desk()
  const client = await connect(rig)
  const held = heldRequest(client)
  const running = client.query('delete from doomed')
  const id = await held
  const asked = await desk.get(id)
  assert.deepEqual(
    [asked.state, asked.command, asked.requester, asked.rules],
    ['pending', 'delete from doomed', 'agent-7', ['pg.no-where']],
  )
  assert.equal(await doomedCount(rig), 10)
  await assert.rejects(desk.decide(id, { act: 'approve' }, { ...APPROVER, subject: HUMAN }), {
    code: 'APPROVAL_FORBIDDEN',
  })
  await desk.decide(id, { act: 'approve' }, APPROVER)
  assert.equal((await running).rowCount, 10)
  assert.equal((await desk.get(id)).state, 'consumed')
  await client.end()
  await rig.tee.check()
})

test('psql shows the hold; the approval command of the CLI lets it go on', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })
  const psql = new Running(program, ['-X', '-c', 'update doomed set id = id + 1'], { env, input: '' })
  const [id = ''] = await psql.says(/A-[0-9A-HJKMNP-TV-Z]{8}/)
  const main = new URL('../../gateway/main.ts', import.meta.url).pathname
  const cli = await run(process.execPath, [main, 'approvals', 'approve', id, '--config', rig.gateway.folder.config], {
    env: { SALLYPORT_KEY: rig.gateway.folder.keys.approver },
  })
  assertRan(cli, 'sallyport approvals')
  const ran = await psql.ended
  assertRan(ran, 'psql')
  assert.match(
    ran.stderr,
    /NOTICE: {2}held for approval: request A-\w+ \(a whole table\)\nHINT: {2}an approver can run: sallyport approvals approve/,
  )
  assert.match(ran.stdout, /UPDATE 10/)
  await rig.tee.check()
})

test('a rejection gives its reason, and the transaction is aborted', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const desk = await rig.gateway.desk()
  const client = await connect(rig)
  await client.query('begin')
  const held = heldRequest(client)
  const refused = assert.rejects(client.query({ text: 'delete from doomed', name: 'd' }), (error: Error & { code?: string }) => {
    assert.match(error.message, /was rejected: ask the owner first/)
    assert.equal(error.code, '42501')
    return true
  })
  await desk.decide(await held, { act: 'reject', reason: 'ask the owner first' }, APPROVER)
  await refused
  await assert.rejects(client.query('select 1'), { code: '25P02' })
  await client.query('rollback')
  assert.equal(await doomedCount(rig), 10)
  await client.end()
  await rig.tee.check()
})

test('what ran out is refused with its id; once approved, the very same statement runs once', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const desk = await rig.gateway.desk()
  const client = await connect(rig)
  const held = heldRequest(client)
  await assert.rejects(client.query('truncate doomed'), /was not approved in time/)
  const id = await held
  await desk.decide(id, { act: 'approve' }, APPROVER)
  const other = heldRequest(client)
  await assert.rejects(client.query('truncate  doomed'), /was not approved in time/, 'other bytes are another statement')
  assert.notEqual(await other, id)
  assert.equal(await doomedCount(rig), 10)
  await client.query('truncate doomed')
  assert.equal(await doomedCount(rig), 0)
  assert.equal((await desk.get(id)).state, 'consumed')
  await assert.rejects(client.query('truncate doomed'), /was not approved in time/)
  await client.end()
  await rig.tee.check()
})

test('parameters are part of what is approved', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const desk = await rig.gateway.desk()
  const client = await connect(rig)
  const text = 'update doomed set id = $1'
  const first = heldRequest(client)
  const running = client.query(text, [7])
  const id = await first
  assert.match((await desk.get(id)).command, /update doomed set id = \$1[\s\S]*7/)
  await desk.decide(id, { act: 'approve' }, APPROVER)
  assert.equal((await running).rowCount, 10)
  const second = heldRequest(client)
  const again = assert.rejects(client.query(text, [8]), /rejected/)
  const secondId = await second
  assert.notEqual(secondId, id)
  await desk.decide(secondId, { act: 'reject', reason: 'no' }, APPROVER)
  await again
  await client.end()
  await rig.tee.check()
})

test('leaving withdraws what is held at once, and not when its time is over', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const desk = await rig.gateway.desk()
  const client = await connect(rig)
  client.on('error', () => undefined)
  const held = heldRequest(client)
  client.query('delete from doomed').catch(() => undefined)
  const id = await held
  const withdrawn = desk.outcome(id, AbortSignal.timeout(1000)).then(
    () => 'decided',
    () => 'late',
  )
  const connection = rig.tee.connections.at(-1)
  assert.ok(connection)
  const socket = (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream // the driver has no public way to vanish
  const before = performance.now()
  socket.destroy()
  const session = await rig.gateway.log.sealed(connection.port)
  // A moment at rest; without it the hold would stay for its whole time.
  assert.ok(performance.now() - before < 60_000, 'it was not withdrawn, but ran out')
  assert.equal((await desk.get(id)).state, 'withdrawn')
  await withdrawn
  const frames = await framesOf(rig.gateway.folder.dataDir, session)
  assert.ok(frames.some(({ verdict }) => verdict?.act === 'hold' && verdict.approval === id))
  assert.equal(await doomedCount(rig), 10)
})

test('a cancel request withdraws what is held: Ctrl-C in psql', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const desk = await rig.gateway.desk()
  const psql = new Running(program, ['-X', '-v', 'VERBOSITY=verbose'], {
    env: libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database }),
  })
  psql.type('delete from doomed;\n')
  const [id = ''] = await psql.says(/A-[0-9A-HJKMNP-TV-Z]{8}/)
  psql.child.kill('SIGINT')
  await psql.says(/ERROR: {2}57014: request A-\w+ was withdrawn/)
  await psql.ended
  assert.equal((await desk.get(id)).state, 'withdrawn')
  assert.equal(await doomedCount(rig), 10)
  await rig.tee.check()
})

test('a cancel request reaches a statement that runs', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const psql = new Running(program, ['-X'], { env: libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database }) })
  psql.type('select pg_sleep(60);\n')
  for (let active = 0; active === 0; ) {
    const [row] = await rig.server.sql(
      `select count(*)::int as n from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`,
    )
    active = Number(row?.['n'])
  }
  psql.child.kill('SIGINT')
  await psql.says(/ERROR: {2}canceling statement due to user request/)
  psql.type('\\q\n')
  await psql.ended
  await rig.tee.check()
})

test('a row threshold cuts in the middle of the result, and the session goes on', async (t) => {
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const client = await connect(rig)
  for (const query of [
    { text: 'select id, value from measures' },
    { text: 'select id, value from measures where id > $1', values: [0] },
  ]) {
    const rows: unknown[] = []
    const { Query } = await import('pg')
    const read = new Query(query)
    const ended = new Promise<Error | undefined>((resolve) => {
      read.on('row', (row) => rows.push(row))
      read.on('error', resolve)
      read.on('end', () => resolve(undefined))
    })
    client.query(read)
    const error = await ended
    assert.equal(rows.length, 1000)
    assert.match(String(error), /more than 1,000 rows/)
    assert.equal((await client.query('select 1 as alive')).rows[0].alive, 1)
  }
  // A cancel that came late would stop what follows; often enough to meet it if there were one.
  for (let round = 0; round < 20; round += 1) {
    await client.query('begin')
    await assert.rejects(client.query('select * from measures'), /more than 1,000 rows/)
    await client.query('rollback')
    await assert.rejects(client.query('copy measures to stdout'), /more than 1,000 rows/)
    await client.query('select pg_sleep(0.003)')
  }
  assert.equal((await client.query('select count(*)::int as n from measures')).rows[0].n, 5000)
  await client.end()
  await rig.tee.check()
})

test('people whose rules differ are not cut', async (t) => {
  const program = clientHere(t, 'psql')
  if (program === undefined) return
  await using rig = await startRig(t, 'embedded', people)
  if (rig === undefined) return
  const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database, as: 'human' })
  const ran = await run(program, ['-X', '-At', '-c', 'select id from measures'], { env })
  assertRan(ran, 'psql')
  assert.equal(ran.stdout.trim().split('\n').length, 5000)
  await rig.tee.check()
})

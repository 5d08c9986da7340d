import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client, type Connection } from 'pg'
import { placesIn } from '../../gateway/places.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import type { RecordsDesk } from '../../recorder/desk/desk-records.ts'
import { clientHere, libpqEnv, run } from '../support/clients.ts'
import {
  APPROVER,
  type GatewayFolder,
  gatewayFolder,
  type RunningGateway,
  spawnGateway,
  startGateway,
  targetAt,
} from '../support/gateway.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'

/** Whole tables wait; QUICK ones a moment only, so that their approval is a grant for later. */
const POLICY = `
version: 1
defaults:
  approval: { groups: [${APPROVER.groups[1]}], count: 1, timeout: 1s }
rules:
  - id: whole
    on: postgres
    match: { verb: [DELETE, UPDATE, TRUNCATE], has_where: false }
    action: hold
    reason: a whole table
  - id: execute
    on: postgres
    match: { functions: pick }
    action: hold
    reason: it picks
  - id: prepared
    on: postgres
    match: { verb: EXECUTE }
    action: hold
    reason: a prepared statement
  - id: data
    on: postgres
    match: { kind: copy-data }
    action: hold
    reason: data comes in
`
const SLOW_POLICY = POLICY.replace('timeout: 1s', 'timeout: 10m')
/** The machine may be busy. */
const SLOW_START = { startTimeoutMs: 90_000 }
const SEED = `
drop schema if exists other cascade; create schema other;
drop table if exists stock; create table stock (id int); insert into stock select generate_series(1, 10);
create table other.stock (id int); insert into other.stock select generate_series(1, 5);
create or replace function pick(n int) returns text language sql as $$ select 'int' $$;
create or replace function pick(n text) returns text language sql as $$ select 'text' $$;
`

let server: PgServer
let gateway: RunningGateway
before(async () => {
  server = await startPostgres()
  await server.sql(SEED)
  gateway = await startGateway({ targets: [targetAt(server, { name: 'shop' })], policy: POLICY })
})
after(async () => {
  await gateway[Symbol.asyncDispose]()
  await server.stop()
})

function settingsOf({ port, folder }: RunningGateway) {
  return { host: '127.0.0.1', port, user: 'agent', password: folder.keys.agent, database: 'shop' }
}

async function connect(at: RunningGateway, settings: { readonly options?: string } = {}): Promise<Client> {
  const client = new Client({ ...settingsOf(at), ...settings })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Asks, is refused for lack of time, and has it approved: the grant that the very same thing in the very same context may use. */
async function granted(client: Client, ask: () => Promise<unknown>, desk: RecordsDesk): Promise<string> {
  const id = await refusedAs(client, ask)
  await desk.decide(id, { act: 'approve' }, APPROVER)
  return id
}

/** The id of the request that was made and not decided in time. */
async function refusedAs(client: Client, ask: () => Promise<unknown>): Promise<string> {
  const error = await ask().then(
    () => assert.fail('it ran'),
    (reason: Error) => reason,
  )
  const [id] = /A-[0-9A-HJKMNP-TV-Z]{8}/.exec(error.message) ?? []
  assert.ok(id !== undefined, error.message)
  assert.match(error.message, /not approved in time/)
  assert.ok(client !== undefined)
  return id
}

/** Sends messages as they are; resolves with the first ReadyForQuery, rejects with the first error. */
function submit(client: Client, send: (connection: Connection) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = {
      submit: send,
      handleError: reject,
      handleReadyForQuery: () => resolve(),
      ...Object.fromEntries(
        ['RowDescription', 'DataRow', 'CommandComplete', 'PortalSuspended', 'EmptyQuery'].map((what) => [
          `handle${what}`,
          () => undefined,
        ]),
      ),
    }
    client.query(query)
  })
}

async function stock(table = 'public.stock'): Promise<number> {
  const [row] = await server.sql(`select count(*)::int as n from ${table}`)
  return Number(row?.['n'])
}

const del = (client: Client) => (): Promise<unknown> => client.query('delete from stock')

test('an approval is not good under another search_path, whether the connection began with it or SET it', async () => {
  const desk = await gateway.desk()
  const plain = await connect(gateway)
  const id = await granted(plain, del(plain), desk)
  const begun = await connect(gateway, { options: '-c search_path=other' })
  assert.notEqual(await refusedAs(begun, del(begun)), id)
  const set = await connect(gateway)
  await set.query('set search_path = other')
  assert.notEqual(await refusedAs(set, del(set)), id)
  const zone = await connect(gateway)
  await zone.query("set timezone = 'Asia/Tokyo'")
  assert.notEqual(await refusedAs(zone, del(zone)), id, 'any setting is part of it')
  assert.deepEqual([await stock(), await stock('other.stock')], [10, 5])
  const same = await connect(gateway)
  await same.query('delete from stock')
  assert.equal(await stock(), 0)
  assert.equal((await desk.get(id)).state, 'consumed')
  for (const each of [plain, begun, set, zone, same]) await each.end()
  await server.sql(SEED)
})

test('a temporary object of the same name voids an approval, in both directions, and the approver is told of it', async () => {
  const desk = await gateway.desk()
  const plain = await connect(gateway)
  const id = await granted(plain, del(plain), desk)
  for (const make of [
    'create temp table stock (id int)',
    'create temp view stock as select 1 as id',
    'create table pg_temp.stock (id int)',
    'select 1 as id into temp stock',
    "do $$ begin execute 'create temp table sto' || 'ck (id int)'; end $$",
  ]) {
    const shadowing = await connect(gateway)
    await shadowing.query(make)
    const other = await refusedAs(shadowing, del(shadowing))
    assert.notEqual(other, id, make)
    assert.match((await desk.get(other)).command, /-- made, or possibly made, by this session itself: "stock"/, make)
    // Approved for the temporary one, it is nothing for the real one: neither in this session later nor in another.
    await desk.decide(other, { act: 'approve' }, APPROVER)
    await shadowing.end()
  }
  assert.equal(await stock(), 10)
  const renaming = await connect(gateway)
  await renaming.query('create temp table harmless (id int)')
  await renaming.query('alter table harmless rename to stock')
  assert.notEqual(await refusedAs(renaming, del(renaming)), id)
  await renaming.end()
  const last = await connect(gateway)
  await last.query('delete from stock')
  assert.equal((await desk.get(id)).state, 'consumed', 'the one approved for it was still there')
  await refusedAs(last, del(last))
  await last.end()
  await plain.end()
  await server.sql(SEED)
})

test('an approval for a temporary table is good in its own session, once', async () => {
  const desk = await gateway.desk()
  const client = await connect(gateway)
  await client.query('create temp table scratch as select generate_series(1, 3) as id')
  const ask = (): Promise<{ rowCount: number | null }> => client.query('delete from scratch')
  await granted(client, ask, desk)
  assert.equal((await ask()).rowCount, 3)
  await refusedAs(client, ask)
  await client.end()
})

test('what EXECUTE stands for is approved, not its name', async () => {
  const desk = await gateway.desk()
  const one = await connect(gateway)
  await one.query('prepare p as delete from other.stock where id < 3')
  const id = await granted(one, () => one.query('execute p'), desk)
  assert.match((await desk.get(id)).command, /delete from other\.stock/)
  const two = await connect(gateway)
  await two.query('prepare p as delete from public.stock where id < 3')
  assert.notEqual(await refusedAs(two, () => two.query('execute p')), id)
  assert.equal(await stock(), 10)
  await one.query('execute p')
  assert.equal(await stock('other.stock'), 3)
  await one.end()
  await two.end()
  await server.sql(SEED)
})

test('declared types of parameters are part of what is approved: they choose between functions', async () => {
  const desk = await gateway.desk()
  const client = await connect(gateway)
  const ask = (type: number) => (): Promise<unknown> =>
    submit(client, (connection) => {
      connection.parse({ name: '', text: 'select pick($1)', types: [type] as unknown as string[] }, true)
      connection.bind({ values: ['1'] }, true)
      connection.execute({ rows: '0' } as never, true)
      connection.sync()
    })
  const [int4, text] = [23, 25]
  const id = await granted(client, ask(int4), desk)
  assert.notEqual(await refusedAs(client, ask(text)), id)
  await ask(int4)()
  assert.equal((await desk.get(id)).state, 'consumed')
  await client.end()
})

test('copied data is approved as it is, not whatever comes next', async (t) => {
  const psql = clientHere(t, 'psql')
  if (psql === undefined) return
  const desk = await gateway.desk()
  const env = libpqEnv(gateway, { port: gateway.port, database: 'shop' })
  const copy = async (row: string): Promise<string> => {
    const { stderr } = await run(psql, ['-X'], {
      env: { ...env, PGSSLMODE: 'disable' },
      input: `\\copy stock from stdin\n${row}\n\\.\n`,
    })
    return /A-[0-9A-Z]{8}(?= was not approved in time)/.exec(stderr)?.[0] ?? stderr
  }
  const id = await copy('77')
  await desk.decide(id, { act: 'approve' }, APPROVER)
  assert.notEqual(await copy('666'), id)
  assert.equal(await stock('public.stock where id > 10'), 0)
  assert.doesNotMatch(await copy('77'), /ERROR/)
  assert.equal(await stock('public.stock where id = 77'), 1)
  await server.sql(SEED)
})

test('nobody waits longer than ten seconds behind locks, also where the transaction began in the same pipeline', {
  timeout: 300_000,
}, async () => {
  await using slow = await startGateway({ targets: [targetAt(server, { name: 'shop' })], policy: SLOW_POLICY })
  const client = await connect(slow)
  const startedMs = performance.now()
  await client.query('begin')
  await assert.rejects(client.query('delete from stock'), /not approved in time/)
  const waitedMs = performance.now() - startedMs
  assert.ok(waitedMs > 8_000 && waitedMs < 120_000, `${waitedMs} ms`)
  await client.query('rollback')
  await client.end()
  const piped = await connect(slow)
  const told = once(piped, 'error')
  await submit(piped, (connection) => {
    connection.query('begin')
    connection.query('delete from stock')
  })
  const [error] = await told
  assert.match(String(error), /not approved in time/)
  await piped.end()
})

test('an approval given while nobody waits is used once by whichever process comes, also after a crash', {
  timeout: 120_000,
}, async () => {
  await using folder: GatewayFolder = await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })], policy: POLICY })
  using desk = openFolderDesk(placesIn(folder.dataDir).approvals)
  const first = await spawnGateway(folder, SLOW_START)
  const client = await connect(first)
  const id = await granted(client, del(client), desk)
  await first.kill()
  {
    await using second = await spawnGateway(folder, { ...SLOW_START, workers: 2 })
    const clients = await Promise.all(Array.from({ length: 4 }, () => connect(second)))
    const ran = await Promise.allSettled(clients.map((each) => each.query('delete from stock')))
    assert.equal(ran.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await desk.get(id)).state, 'consumed')
    for (const each of clients) await each.end()
    const again = await connect(second)
    await server.sql(SEED)
    const next = await granted(again, del(again), desk)
    await again.end()
    await second.stop()
    // Another policy: what was approved under the old one is not good under it.
    await writeFile(join(folder.path, 'policy.yaml'), POLICY.replace('reason: a whole table', 'reason: all of a table'))
    await using third = await spawnGateway(folder, SLOW_START)
    const last = await connect(third)
    assert.notEqual(await refusedAs(last, del(last)), next)
    await last.end()
  }
  assert.equal(await stock(), 10)
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Client, Pool } from 'pg'
import postgres from 'postgres'
import { type Rig, SERVERS, startRig } from '../support/gateway-rig.ts'

/** Of node-postgres, but missing in its types. */
const BINARY = { binary: true }

function settings(rig: Rig): { host: string; port: number; user: string; password: string; database: string } {
  return { host: '127.0.0.1', port: rig.tee.port, user: 'agent', password: rig.gateway.folder.keys.agent, database: rig.database }
}

/** Resolves once the server is at work on such a statement. */
async function untilRunning(rig: Rig, like: string): Promise<void> {
  for (;;) {
    const [row] = await rig.server.sql(
      `select count(*)::int as n from pg_stat_activity where state = 'active' and query like '${like}'`,
    )
    if (row?.['n'] === 1) return
  }
}

for (const from of SERVERS) {
  test(`node-postgres against the ${from} server`, async (t) => {
    await using rig = await startRig(t, from)
    if (rig === undefined) return
    const connect = async (): Promise<Client> => {
      const client = new Client(settings(rig))
      await client.connect()
      t.after(() => client.end())
      return client
    }

    await t.test('simple, parameterized, prepared and binary statements', async () => {
      const client = await connect()
      const simple = await client.query('select 1 as a; select 2 as b')
      assert.deepEqual(
        [simple].flat().map(({ rows }) => rows),
        [[{ a: 1 }], [{ b: 2 }]],
      )
      const { rows } = await client.query('select id, name from customers where id = any($1) order by id', [[3, 5]])
      assert.deepEqual(rows, [
        { id: 3, name: 'customer 3' },
        { id: 5, name: 'customer 5' },
      ])
      for (const id of [7, 8]) {
        const one = await client.query({ name: 'by-id', text: 'select name from customers where id = $1', values: [id] })
        assert.equal(one.rows[0].name, `customer ${id}`)
      }
      const text = 'select $1::int8 as b, 7::int as n, true as t'
      const binary = await client.query<{ b: string; n: number; t: boolean }>({
        text,
        values: ['9007199254740993'],
        ...BINARY,
      })
      assert.deepEqual(binary.rows, [{ b: '9007199254740993', n: 7, t: true }])
      await client.end()
      assert.equal(await rig.tee.check(), 1)
    })

    await t.test('errors inside transactions, and life after them', async () => {
      const client = await connect()
      await client.query('begin')
      await assert.rejects(client.query('select $1::int', ['x']), { code: '22P02' })
      await assert.rejects(client.query('select 1'), { code: '25P02' })
      await client.query('rollback')
      assert.equal((await client.query('select 1 as a')).rows[0].a, 1)
      await client.end()
      assert.equal(await rig.tee.check(), 1)
    })

    await t.test('row limits: portals that are read in portions', async () => {
      const client = await connect()
      const { Query } = await import('pg')
      const read = new Query({ text: 'select id from orders order by id', rows: 500 } as never) as InstanceType<typeof Query> &
        NodeJS.EventEmitter
      let rows = 0
      read.on('row', () => (rows += 1))
      client.query(read as never)
      await once(read, 'end')
      assert.equal(rows, 20_000)
      await client.end()
      assert.equal(await rig.tee.check(), 1)
    })

    await t.test('notifications between two sessions', async () => {
      const [listener, speaker] = [await connect(), await connect()]
      await listener.query('listen doors')
      const heard = once(listener, 'notification')
      await speaker.query(`select pg_notify('doors', 'open')`)
      const [message] = await heard
      assert.equal(message.payload, 'open')
      await Promise.all([listener.end(), speaker.end()])
      assert.equal(await rig.tee.check(), 2)
    })

    await t.test('a pool, many sessions at once', async () => {
      const pool = new Pool({ ...settings(rig), max: 8 })
      const sums = await Promise.all(
        Array.from({ length: 40 }, (_, n) => pool.query('select sum(x)::int as s from generate_series(1, $1::int) x', [n])),
      )
      assert.deepEqual(
        sums.map(({ rows }) => rows[0].s ?? 0),
        Array.from({ length: 40 }, (_, n) => (n * (n + 1)) / 2),
      )
      await pool.end()
      assert.equal(await rig.tee.check(), 8)
    })
  })

  test(`postgres.js against the ${from} server`, async (t) => {
    await using rig = await startRig(t, from)
    if (rig === undefined) return
    const open = (options: object = {}): postgres.Sql =>
      postgres({ ...settings(rig), max: 1, onnotice: () => undefined, ...options })

    await t.test('templates, pipelined and prepared', async () => {
      const sql = open()
      const rows = await Promise.all(Array.from({ length: 30 }, (_, n) => sql`select ${n}::int + 1 as n`))
      assert.deepEqual(
        rows.map(([row]) => row?.['n']),
        Array.from({ length: 30 }, (_, n) => n + 1),
      )
      const described = await sql`select name, balance, tags from customers left join blobs using (id) where id = ${4}`.describe()
      assert.deepEqual(
        described.columns.map(({ name }) => name),
        ['name', 'balance', 'tags'],
      )
      await sql`insert into blobs ${sql({ id: 1, body: Buffer.from('body'), doc: { a: 1 } as never, tags: ['x', 'y'] })}`
      const [blob] = await sql`select * from blobs where id = 1`
      assert.deepEqual([blob?.['body'].toString(), blob?.['tags']], ['body', ['x', 'y']])
      await sql.end()
      assert.equal(await rig.tee.check(), 1)
    })

    await t.test('cursors, a failing pipeline, transactions with savepoints', async () => {
      const sql = open()
      let seen = 0
      for await (const rows of sql`select id from orders order by id`.cursor(1000)) seen += rows.length
      assert.equal(seen, 20_000)
      const outcomes = await Promise.allSettled([sql`select 1`, sql`select 1 / ${0}::int`, sql`select 3 as n`])
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      await sql.begin(async (tx) => {
        await tx`insert into blobs (id) values (77)`
        await tx.savepoint((inner) => inner`select 1 / 0`).catch(() => undefined)
        assert.equal((await tx`select count(*)::int as n from blobs where id = 77`)[0]?.['n'], 1)
      })
      await sql.end()
      assert.equal(await rig.tee.check(), 1)
    })

    await t.test('COPY both ways as streams', async () => {
      const sql = open()
      const into = await sql`copy blobs (id, tags) from stdin`.writable()
      for (let n = 100; n < 5100; n += 1) into.write(`${n}\t{a,b}\n`)
      into.end()
      await once(into, 'finish')
      assert.equal((await sql`select count(*)::int as n from blobs where id >= 100`)[0]?.['n'], 5000)
      let text = ''
      for await (const chunk of await sql`copy (select id from blobs where id between 100 and 5099 order by id) to stdout`.readable())
        text += String(chunk)
      assert.equal(text, Array.from({ length: 5000 }, (_, n) => `${n + 100}\n`).join(''))
      await sql.end()
      assert.equal(await rig.tee.check(), 1)
    })

    await t.test('cancelling what runs', async () => {
      const sql = open()
      const slow = sql`select pg_sleep(60)`
      const refused = assert.rejects(slow, { code: '57014' })
      await untilRunning(rig, 'select pg_sleep%')
      slow.cancel()
      await refused
      await sql.end()
      await rig.tee.check()
    })
  })
}

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { originOf } from '../../../../gateway/protocols/postgres/catalog-origin.ts'
import { type Snapshot, takeSnapshot } from '../../../../gateway/protocols/postgres/catalog-snapshot.ts'
import { readOrigins } from '../../../../gateway/protocols/postgres/catalog-views.ts'
import { loginUpstream } from '../../../../gateway/protocols/postgres/login.ts'
import { binaryMessage, textMessage, untilReady } from '../../../../gateway/protocols/postgres/upstream-query.ts'
import { hasDebian, startPostgres } from '../../../support/pg-server.ts'

const never = new AbortController().signal

const SCHEMA = `
  CREATE TABLE customers (id int, gone int, email text, ssn text);
  ALTER TABLE customers DROP COLUMN gone;
  CREATE VIEW plain AS SELECT id, email AS mail FROM customers;
  CREATE VIEW mixed AS SELECT mail, upper(ssn) AS loud, c AS whole FROM plain JOIN customers c USING (id);
  CREATE MATERIALIZED VIEW stored AS SELECT email FROM customers;
  CREATE FUNCTION anything() RETURNS text LANGUAGE sql AS 'SELECT 1::text';
  CREATE VIEW calling AS SELECT anything() AS said, id FROM customers;
  CREATE FUNCTION same(text, text) RETURNS text LANGUAGE sql AS 'SELECT $1';
  CREATE OPERATOR ~~> (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
  CREATE VIEW operating AS SELECT ssn ~~> email AS kept FROM customers;
  CREATE VIEW about AS SELECT relname FROM pg_catalog.pg_class;
  CREATE TABLE parent (a int, t text) PARTITION BY RANGE (a);
  CREATE TABLE part (t text, a int);
  ALTER TABLE parent ATTACH PARTITION part FOR VALUES FROM (0) TO (10);
  CREATE TABLE made (a text, b text DEFAULT 'x', c text GENERATED ALWAYS AS (lower(a) || coalesce(b, '')) STORED);
  CREATE VIEW of_made AS SELECT c FROM made;
  CREATE SCHEMA closed;
  CREATE TABLE closed.secrets (word text);
  CREATE VIEW shown AS SELECT word FROM closed.secrets;
  CREATE ROLE reader LOGIN`

for (const from of hasDebian() ? (['embedded', 'debian'] as const) : (['embedded'] as const)) {
  const server = await startPostgres({ from, hba: ['host all reader all trust', 'host all all all scram-sha-256'] })
  after(() => server.stop())
  await server.sql(SCHEMA)
  const connect = async (user = 'postgres') => {
    const target = { name: 'shop', protocol: 'postgres', host: '127.0.0.1', port: server.port, labels: {} } as const
    const request = { database: 'postgres', parameters: new Map<string, string>(), version: { major: 3, minor: 0 } }
    const { socket } = await loginUpstream(target, { user, password: server.password, tls: { mode: 'off' } }, request, never)
    after(() => socket.destroy())
    return socket
  }
  const snapshotOf = async (user?: string): Promise<Snapshot> => takeSnapshot(await connect(user), never)

  /** The origin of a statement's only result column, by the server's own RowDescription. */
  const asker = async (snapshot: Snapshot) => {
    const socket = await connect()
    return async (statement: string): Promise<unknown> => {
      const parse = binaryMessage('P', Buffer.from(`\0${statement}\0\0\0`))
      socket.write(Buffer.concat([parse, textMessage('D', 'S'), binaryMessage('S', new Uint8Array(0))]))
      let origin: unknown
      await untilReady(socket, never, ({ type, body }) => {
        const [field] = type === 'T' ? readOrigins(body) : []
        if (field !== undefined) origin = brief(originOf(snapshot, field.oid, field.attnum))
      })
      return origin
    }
  }
  const brief = (origin: ReturnType<typeof originOf>): unknown => {
    if (origin === undefined || origin === 'system') return origin
    const parts = [`${origin.table}.${origin.column}`, ...origin.also.map((column) => `= ${column.table}.${column.column}`)]
    return [...parts, ...origin.computedFrom.map(({ table }) => `< ${table}`).sort(), ...(origin.opaque ? ['?'] : [])].join(' ')
  }

  test(`${from}: a result column is traced to every column whose label concerns it`, async () => {
    const ask = await asker(await snapshotOf())
    const expected: Readonly<Record<string, unknown>> = {
      'SELECT ssn FROM customers': 'customers.ssn',
      'SELECT x.e FROM (SELECT email e FROM customers) x': 'customers.email',
      'SELECT c FROM customers c': 'customers.* < customers',
      'SELECT mail FROM plain': 'plain.mail = customers.email',
      'SELECT mail FROM mixed': 'mixed.mail = plain.mail = customers.email',
      'SELECT loud FROM mixed': 'mixed.loud < customers < plain',
      'SELECT whole FROM mixed': 'mixed.whole < customers < plain',
      'SELECT email FROM stored': 'stored.email = customers.email',
      'SELECT said FROM calling': 'calling.said < customers ?',
      'SELECT id FROM calling': 'calling.id = customers.id',
      'SELECT kept FROM operating': 'operating.kept < customers ?',
      'SELECT b FROM made': 'made.b',
      'SELECT c FROM made': 'made.c = made.a = made.b',
      'SELECT c FROM of_made': 'of_made.c = made.c = made.a = made.b',
      'SELECT relname FROM about': 'about.relname',
      'SELECT relname FROM pg_class': 'system',
      'SELECT ctid FROM customers': 'system',
      'SELECT t FROM parent': 'parent.t = part.t',
      'SELECT t FROM part': 'part.t = parent.t',
      'SELECT a FROM part': 'part.a = parent.a',
    }
    const found: Record<string, unknown> = {}
    for (const statement of Object.keys(expected)) found[statement] = await ask(statement)
    assert.deepEqual(found, expected)
  })

  test(`${from}: a role that may not look behind a view knows at least what the view reads`, async () => {
    const ask = await asker(await snapshotOf('reader'))
    assert.equal(await ask('SELECT word FROM shown'), 'shown.word < secrets')
    assert.equal(await ask('SELECT mail FROM plain'), 'plain.mail = customers.email')
  })

  test(`${from}: a view over a table that is locked for long counts as computed`, async () => {
    const snapshot = await (async () => {
      const holder = await connect()
      holder.write(textMessage('Q', 'BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE'))
      await untilReady(holder, never, () => undefined)
      const taken = await snapshotOf()
      holder.destroy()
      return taken
    })()
    const view = [...snapshot.relations.values()].find(({ table }) => table === 'stored')
    assert.equal(brief(originOf(snapshot, view?.oid ?? 0, 1)), 'stored.email < customers')
  })
}

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { tokensOf } from '../../../recorder/azure/identity.ts'
import { RecordsDesk } from '../../../recorder/desk/desk-records.ts'
import { DatabaseAskers, DatabaseRecords } from '../../../recorder/desk/records-database.ts'
import { SharedDatabase } from '../../../recorder/desk/shared-database.ts'
import { TapeNews } from '../../../recorder/desk/tape-news.ts'
import { startIdentityEndpoint, withEnv } from '../../support/azure-identity.ts'
import { hasDebian, type PgServer, startPostgres } from '../../support/pg-server.ts'
import { ask, type DeskFixture, deskContract, deskTests, newClock, refused } from './contract.ts'
import { peopleContract } from './contract-people.ts'
import { type RecordsFixture, recordsContract } from './contract-records.ts'

let server: PgServer
let areas = 0

before(async () => {
  server = await startPostgres({ from: hasDebian() ? 'debian' : 'embedded', settings: { max_connections: '200' } })
})
after(() => server?.stop())

function url(port = server.port): string {
  return `postgres://postgres:${server.password}@127.0.0.1:${port}/postgres`
}

/** A way to the server on which every NotificationResponse is lost. */
async function startDeafWay(to: number): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new AsyncDisposableStack()
  const way = createServer((client) => {
    const upstream = connect(to, '127.0.0.1')
    let rest: Buffer = Buffer.alloc(0)
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined)
      socket.on('close', () => void [client, upstream].map((each) => each.destroy()))
      sockets.defer(() => void socket.destroy())
    }
    client.pipe(upstream)
    upstream.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
        const length = 1 + rest.readUInt32BE(1)
        if (rest[0] !== 'A'.charCodeAt(0)) client.write(rest.subarray(0, length))
        rest = rest.subarray(length)
      }
    })
  })
  way.listen(0, '127.0.0.1')
  await once(way, 'listening')
  const address = way.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      await sockets.disposeAsync()
      way.close()
      await once(way, 'close')
    },
  }
}

/** Processes that share a database, each with connections of its own. */
class Processes implements AsyncDisposable {
  readonly area: string
  readonly #stack = new AsyncDisposableStack()

  constructor() {
    areas += 1
    this.area = `area-${areas}`
  }

  async connect(onError: (error: unknown) => void = (error) => assert.fail(String(error))): Promise<SharedDatabase> {
    return this.#stack.use(await SharedDatabase.open({ url: url() }, onError))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}

async function deskFixture(): Promise<DeskFixture> {
  const processes = new Processes()
  const clock = newClock()
  return {
    clock,
    async open() {
      const database = await processes.connect()
      const records = new DatabaseRecords(database, processes.area)
      return new RecordsDesk({ records, askers: new DatabaseAskers(database), now: () => clock.now })
    },
    [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose](),
  }
}

async function recordsFixture(): Promise<RecordsFixture> {
  const processes = new Processes()
  return {
    open: async () => new DatabaseRecords(await processes.connect(), processes.area),
    [Symbol.asyncDispose]: () => processes[Symbol.asyncDispose](),
  }
}

recordsContract('records in PostgreSQL', recordsFixture)
deskContract('desk in PostgreSQL', deskFixture)
peopleContract(deskTests('desk in PostgreSQL', deskFixture))

test('a database that cannot be reached is an error at once, and one that is cut off is told of, and is there again by itself', async () => {
  await refused(
    'STORE_FAILED',
    SharedDatabase.open({ url: 'postgres://x:y@127.0.0.1:1/z' }, () => undefined),
  )
  await using processes = new Processes()
  const told: unknown[] = []
  const database = await processes.connect((error) => void told.push(error))
  const records = new DatabaseRecords(database, processes.area)
  await records.create('keys/a', 'x')
  assert.equal((await records.all('keys')).size, 1)
  await server.sql(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sallyport-desk'`)
  const untilMs = performance.now() + 20_000
  const waitFor = async (what: string, done: () => Promise<boolean>): Promise<void> => {
    while (!(await done().catch(() => false))) {
      assert.ok(performance.now() < untilMs, what)
      await delay(50)
    }
  }
  await waitFor('it is told of', async () => told.length > 0)
  await server.sql(`insert into desk.records (folder, name, value) values ('${processes.area}/keys', 'b', 'y')`)
  await waitFor('what changed meanwhile is seen', async () => (await records.all('keys')).size === 2)
})

test('where answers come and notifications do not, as behind a pooler, what others change is seen within seconds and it is told of', async () => {
  await using deaf = await startDeafWay(server.port)
  await using processes = new Processes()
  const direct = new DatabaseRecords(await processes.connect(), processes.area)
  const told: string[] = []
  await using database = await SharedDatabase.open({ url: url(deaf.port) }, (error) => void told.push(String(error)))
  const records = new DatabaseRecords(database, processes.area)
  // Longer than what was read is trusted: signs of life that are answered make nothing newer.
  for (let look = 0; look < 3; look++) {
    assert.equal((await records.all('kills')).size, look)
    await direct.create(`kills/${look}`, 'x')
    const untilMs = performance.now() + 30_000
    while ((await records.all('kills')).size === look) {
      assert.ok(performance.now() < untilMs, 'what others change is seen')
      await delay(50)
    }
  }
  assert.equal(database.heardUntil(), Number.NEGATIVE_INFINITY)
  const untilMs = performance.now() + 60_000
  while (told.length === 0) {
    assert.ok(performance.now() < untilMs, 'it is told of')
    await delay(50)
  }
  assert.match(told[0] ?? '', /no notifications come.*pooler/)
})

test('the password is a token of the managed identity, over the pool and for notifications, and goes to nobody who is not verified', async () => {
  await using endpoint = await startIdentityEndpoint()
  using _ = withEnv(endpoint.env)
  const identity = { kind: 'managed' } as const
  // What Azure's server does with a token, this one does with a password.
  const { token } = await (await tokensOf(identity)).getToken('https://ossrdbms-aad.database.windows.net/.default')
  await server.sql(`create role "desk-id" superuser login password '${token}'`)
  const at = (host: string): string => `postgres://desk-id@${host}:${server.port}/postgres?sslmode=disable`
  await using database = await SharedDatabase.open({ url: at('127.0.0.1'), identity }, (error) => assert.fail(String(error)))
  assert.deepEqual(await database.query('select current_user as who'), [{ who: 'desk-id' }])
  const open = (url: string): Promise<SharedDatabase> => SharedDatabase.open({ url }, () => undefined)
  await refused(
    'CONFIG_INVALID',
    SharedDatabase.open({ url: at('db.invalid'), identity }, () => undefined),
  )
  await refused('CONFIG_INVALID', open('postgres://u:p@db.invalid/postgres'))
})

test('a role that may create nothing serves where everything is there', async () => {
  await using processes = new Processes()
  await processes.connect()
  await server.sql(`create role plain login password 'plain'; grant usage on schema desk to plain;
    grant select, insert, update, delete on all tables in schema desk to plain`)
  const plain = `postgres://plain:plain@127.0.0.1:${server.port}/postgres`
  await using database = await SharedDatabase.open({ url: plain }, (error) => assert.fail(String(error)))
  const records = new DatabaseRecords(database, 'plain')
  assert.equal(await records.create('kills/a', 'x'), true)
  await assert.rejects(database.query('create schema other'))
})

test('who hears itself trusts what it has read', async () => {
  await using processes = new Processes()
  const database = await processes.connect()
  const untilMs = performance.now() + 30_000
  const moments = new Set<number>()
  while (moments.size < 3) {
    assert.ok(performance.now() < untilMs, 'signs of life are heard')
    moments.add(database.heardUntil())
    await delay(20)
  }
  assert.ok(Math.max(...moments) <= performance.now())
})

test('a wire of a process that gives no sign of life does not keep a request open', async () => {
  await using processes = new Processes()
  const [one, gone] = [await processes.connect(), await processes.connect()]
  const open = (database: SharedDatabase): RecordsDesk =>
    new RecordsDesk({ records: new DatabaseRecords(database, processes.area), askers: new DatabaseAskers(database) })
  using desk = open(one)
  using other = open(gone)
  const { id } = await desk.request(ask())
  await other.request(ask())
  await gone[Symbol.asyncDispose]()
  await desk.withdraw(id)
  assert.equal((await desk.get(id)).state, 'withdrawn')
})

test('gateways tell each other which tapes have grown, together and nothing else', { timeout: 60_000 }, async () => {
  await using own = await SharedDatabase.open({ url: url() }, () => undefined)
  await using others = await SharedDatabase.open({ url: url() }, () => undefined)
  using telling = new TapeNews(own)
  using hearing = new TapeNews(others)
  const ids = Array.from({ length: 250 }, (_, n) => `20261120T120000Z-${'g'.repeat(40)}-${String(n).padStart(8, '0')}`)
  const heard: string[] = []
  const whole = new Promise<void>((resolve) => {
    hearing.hear((some) => {
      heard.push(...some)
      if (heard.length >= ids.length) resolve()
    })
  })
  await own.say('tapes/../../etc x 20261120T120000Z-gw1')
  for (const id of ids) {
    telling.grew(id)
    telling.grew(id)
  }
  await whole
  // Several notices come in no order.
  assert.deepEqual(heard.toSorted(), ids)
})

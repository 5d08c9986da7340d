import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { RecordsDesk } from '../../../recorder/desk/desk-records.ts'
import { DatabaseAskers, DatabaseRecords } from '../../../recorder/desk/records-database.ts'
import { SharedDatabase } from '../../../recorder/desk/shared-database.ts'
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

function url(): string {
  return `postgres://postgres:${server.password}@127.0.0.1:${server.port}/postgres`
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

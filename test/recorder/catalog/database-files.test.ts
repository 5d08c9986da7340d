import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type Database, openDatabase, type Queries } from '../../../recorder/catalog/database.ts'

let folder: string
let database: Database

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-files-'))
  database = await openDatabase({ folder: join(folder, 'pg') }, (problem) => assert.fail(problem))
})
after(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

test('whoever asks goes on while the database works', async () => {
  let [turns, done] = [0, false]
  const work = database.query('select count(*) from generate_series(1, 1000000)').finally(() => (done = true))
  for (; !done; turns += 1) await setImmediate()
  await work
  assert.ok(turns > 100, `${turns} turns of the loop`)
})

test('a transaction is one thing to others, and nothing of one that fails stays', async () => {
  await database.exec('create table public.steps (step text)')
  const steps = async (): Promise<unknown[]> =>
    (await database.query<{ step: string }>('select step from public.steps order by 1')).rows.map(({ step }) => step)
  const inside = database.transaction(async (each) => {
    await each.query('insert into public.steps values ($1)', ['1'])
    await setImmediate()
    await each.query('insert into public.steps values ($1)', ['2'])
  })
  assert.deepEqual(await steps(), ['1', '2'])
  await inside
  const failed = database.transaction(async (each) => {
    await each.query('insert into public.steps values ($1)', ['3'])
    await each.query('select 1 / $1::int', [0])
  })
  await assert.rejects(failed, { name: 'error', code: '22012' })
  assert.deepEqual(await steps(), ['1', '2'])
})

test('what a transaction sets holds for it alone, from its first question on', async () => {
  const paths = async (each: Queries): Promise<unknown> => (await each.query('show search_path')).rows
  const [before] = (await paths(database)) as readonly unknown[]
  const set = `set local search_path = 'desk'`
  assert.deepEqual(await database.transaction(paths, set), [{ search_path: 'desk' }])
  assert.deepEqual(await database.timed(60_000, paths, { settings: set }), [{ search_path: 'desk' }])
  assert.deepEqual(await paths(database), [before])
  assert.equal(await database.transaction(async () => 7, set), 7)
  await assert.rejects(database.transaction(paths, 'set local no_such.thing.at_all'), { name: 'error' })
  await assert.rejects(
    database.transaction(async () => Promise.reject(new Error('before it began'))),
    /before it began/,
  )
  assert.deepEqual(await paths(database), [before])
})

test('values come as PostgreSQL has them: numbers, moments, bytes and lists', async () => {
  const { rows } = await database.query(
    `select 9007199254740991::bigint as count, '2026-11-20Z'::timestamptz as at, '\\x00ff'::bytea as bytes, $1::text[] as list, '{"a":[1]}'::jsonb as json`,
    [['a', '"']],
  )
  assert.deepEqual(rows, [
    {
      count: 9007199254740991,
      at: new Date('2026-11-20T00:00:00Z'),
      bytes: new Uint8Array([0, 255]),
      list: ['a', '"'],
      json: { a: [1] },
    },
  ])
})

test('the log that a crash would be mended by does not grow with what is written', async () => {
  const long = async (): Promise<number> =>
    (await readdir(join(folder, 'pg', 'pg_wal'))).filter((name) => /^[0-9A-F]{24}$/.test(name)).length
  await database.exec('create table public.much (n int)')
  let most = 0
  for (let n = 0; n < 80; n += 1) {
    await database.transaction((each) => each.query('insert into public.much values ($1)', [n]))
    // Half a file of 16 MiB in each, and hardly anything to be written.
    if (n % 2 === 0) await database.exec('select pg_switch_wal()')
    most = Math.max(most, await long())
  }
  // Twice what a checkpoint comes after, as it looks now and then.
  assert.ok(most < 28, `${most} files`)
})

test('of files that open and cannot be prepared no thread is left', async (t) => {
  const place = { folder: join(folder, 'odd') }
  const problems: string[] = []
  const damaged = await openDatabase(place, (problem) => problems.push(problem))
  await damaged.exec(
    'drop table catalog.version; create view catalog.version as select 1 / (now()::date - now()::date) as version',
  )
  await damaged.close()
  const ended = t.mock.method(Worker.prototype, 'terminate')
  const anew = await openDatabase(place, (problem) => problems.push(problem))
  assert.equal(ended.mock.callCount(), 1)
  assert.equal(problems.length, 1)
  assert.deepEqual((await anew.query('select count(*) as count from catalog.version')).rows, [{ count: 1 }])
  await anew.close()
  assert.equal(ended.mock.callCount(), 2)
})

test('files that a full disk keeps from opening are not set aside as damaged, however often it is tried', async () => {
  const root = join(folder, 'full')
  await mkdir(root)
  const place = { folder: join(root, 'pg') }
  await (await openDatabase(place, assert.fail)).close()
  const module = new URL('../../../recorder/catalog/database.ts', import.meta.url).href
  const script = `
    const { openDatabase } = await import(${JSON.stringify(module)})
    for (const _try of [1, 2]) await openDatabase(${JSON.stringify(place)}, console.log).then(() => console.log('opened'), ({ code }) => console.log(code))
    process.exit()`
  // A file of more than 64 KiB is refused as one on a full disk is.
  const { stdout } = spawnSync(
    'sh',
    ['-c', 'ulimit -f 128; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script],
    { encoding: 'utf8' },
  )
  assert.match(stdout, /^(the catalog's files in .* can neither be opened nor made anew.*\nSTORE_FAILED\n){2}$/)
  assert.deepEqual(await readdir(root), ['pg'])
  await (await openDatabase(place, assert.fail)).close()
})

import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type Database, type DatabasePlace, openDatabase } from '../../recorder/catalog/database.ts'
import type { SessionDigest } from '../../recorder/catalog/digest.ts'
import { ensureMonths } from '../../recorder/catalog/months.ts'
import { findSessions, findStatements } from '../../recorder/catalog/queries.ts'
import { DAILY_FROM_PULLS, DAILY_GROUPS } from '../../recorder/catalog/rollups.ts'
import { search } from '../../recorder/catalog/search.ts'
import { storeDigests } from '../../recorder/catalog/store-rows.ts'
import { sortIn } from '../../recorder/catalog/text-index.ts'
import { topPulls } from '../../recorder/catalog/top-pulls.ts'
import { stitchedKeys, stitchedRows } from '../../recorder/findings/stitched.ts'
import type { SessionQuery } from '../../schemas/api.ts'
import { DETECTORS } from '../../schemas/findings.ts'
import { digested, framesOf } from '../support/digests.ts'
import { startPostgres } from '../support/pg-server.ts'
import { rounded } from './support.ts'

// What a list costs, and how that grows: `npm run bench -- catalog [--only postgres] [--json]`.

/** A database that is filled once and stays: a folder, or a server's URL. Without it, one that is gone in the end. */
const KEPT = process.env['BENCH_CATALOG']
/** Two sizes in one run, so that growth is measured and nothing has to be believed about the next one. */
const SIZES = (process.env['BENCH_STATEMENTS'] ?? '75000,300000').split(',').map(Number)
const STATEMENTS_PER_SESSION = 100
/** One statement in so many has a word the others do not have: twenty of ten million. */
const RARE_EVERY = 500_000
/** People who take a table apart in many small sessions: a run in which one of them is not found is void. */
const STITCHERS = 5
const STITCHED_SESSIONS = 40
/** Taken in while everything is indexed. */
const INGESTED_SESSIONS = 400
/** As the catalog writes tapes from before its start. */
const SESSIONS_A_BATCH = 25
const BEGIN_MS = Date.UTC(2026, 10, 20)
const FILLED_BY = '10.0.0.1:5000'
const MINUTE_MS = 60_000
/** Of the kernel's accounts: 100 a second. */
const TICK_US = 10_000
/** Of a machine with some memory to spare, as a server for this would have. */
const SERVER = {
  shared_buffers: '2GB',
  maintenance_work_mem: '1GB',
  work_mem: '64MB',
  effective_cache_size: '8GB',
  max_wal_size: '8GB',
}
const GOALS_AT_10_MILLION = {
  'rare text': 10,
  'newest 50': 50,
  'who took the most in a month': 200,
  'stitched pulls of a week': 2_000,
  'rows taken in in a second': 10_000,
} as const

const QUESTIONS: Readonly<Record<string, SessionQuery>> = {
  'newest 50': { limit: 50 },
  'newest 50 of some agents': { identity: 'agent-1*', limit: 50 },
  'newest 50 with a block': { verdict: 'block', limit: 50 },
  'newest 50 over 10 000 rows': { minRows: 10_000, limit: 50 },
  'rare text': { text: 'zebrafish', limit: 50 },
  'text nobody wrote': { text: 'quagga', limit: 50 },
  'text everybody wrote': { text: 'customer', limit: 50 },
  'two letters beside a space': { text: 'ab ', limit: 50 },
}

interface Times {
  /** What it takes when nobody else wants the processor, or nearly. */
  readonly bestMs: number
  readonly p50ms: number
  readonly maxMs: number
}

export async function bench({
  rounds,
  only = 'pglite',
  progress,
}: {
  rounds: number
  only?: string
  progress: (line: string) => void
}): Promise<object> {
  await using stack = new AsyncDisposableStack()
  const database = await openDatabase(KEPT === undefined ? await fresh(only, stack) : placeOf(KEPT), progress)
  try {
    const bySize: Record<number, { readonly fillS: number; readonly ingest: object; readonly questions: Record<string, Times> }> =
      {}
    let have = await filled(database)
    for (const size of SIZES) {
      progress(`filling to ${size} statements ...`)
      const begun = performance.now()
      if (have < size) await fill(database, have, size)
      have = Math.max(have, size)
      const fillS = rounded((performance.now() - begun) / 1000)
      const questions = await ask(database, rounds)
      bySize[size] = { fillS, questions, ingest: await ingest(database, size) }
      progress(JSON.stringify(bySize[size]))
    }
    const [small, large] = [SIZES.at(0) ?? 0, SIZES.at(-1) ?? 0]
    const p50 = (size: number, question: string): number => bySize[size]?.questions[question]?.p50ms ?? Number.NaN
    return {
      on: only,
      rounds,
      statementsPerSession: STATEMENTS_PER_SESSION,
      bySize,
      /** How much longer each takes where there is so many times as much. 1: it does not matter how much there is. */
      growth: {
        statements: rounded(large / small),
        ...Object.fromEntries(
          Object.keys(QUESTIONS).map((question) => [question, rounded(p50(large, question) / p50(small, question))]),
        ),
      },
      goalsAt10Million: GOALS_AT_10_MILLION,
      note: 'Measured at these sizes only. What grows by about 1 is a matter of an index and holds beyond; what grows with the statements does not.',
    }
  } finally {
    await database.close()
  }
}

async function fresh(only: string, stack: AsyncDisposableStack): Promise<DatabasePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-catalog-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  if (only !== 'postgres') return { folder: join(folder, 'pg') }
  const server = stack.use(await startPostgres({ tls: false, settings: SERVER }))
  return { url: `postgres://postgres:${server.password}@127.0.0.1:${server.port}/postgres` }
}

function placeOf(kept: string): DatabasePlace {
  return kept.startsWith('postgres') ? { url: kept } : { folder: kept }
}

/** Statements of an earlier run, in a database that was kept. */
async function filled(database: Database): Promise<number> {
  const { rows } = await database.query<{ count: number }>(
    `select count(*)::int as count from catalog.sessions where client = '${FILLED_BY}'`,
  )
  return (rows[0]?.count ?? 0) * STATEMENTS_PER_SESSION
}

/** Sessions as they come from tapes: described, written, indexed. Each has a hundred statements with ten rows; a row of the catalog is one of its tables. */
async function ingest(database: Database, size: number): Promise<object> {
  const tables = ['orders', 'customers', 'invoices', 'stock'] as const
  const sessions = Array.from({ length: INGESTED_SESSIONS }, (_, n) => {
    const asked = Array.from({ length: STATEMENTS_PER_SESSION }, (_, each) => {
      const table = tables[each % 4] ?? 'orders'
      const ref = createHash('md5').update(`${size} ${n} ${each}`).digest('hex')
      return {
        text: `SELECT id, city FROM ${table} JOIN customer c USING (id) WHERE ref = '${ref}'`,
        table,
        ids: Array.from({ length: 10 }, (_, row) => n * 1000 + each * 10 + row),
      }
    })
    const who = { subject: `agent-${n % 40}`, principal: `person-${n % 300}` }
    return framesOf((Date.now() % 10_000) * 10_000 + n, BEGIN_MS + n * MINUTE_MS, asked, who)
  })
  const [begun, cpu, serverCpu] = [performance.now(), process.cpuUsage(), await serverCpuUs(database)]
  let rows = 0
  let writing = Promise.resolve()
  for (let from = 0; from < INGESTED_SESSIONS; from += SESSIONS_A_BATCH) {
    // As the catalog does: described one by one, while those before are written.
    const digests: SessionDigest[] = []
    for (const session of sessions.slice(from, from + SESSIONS_A_BATCH)) {
      digests.push(digested(session))
      await setImmediate()
    }
    await writing
    writing = storeDigests(database, digests, 'backlog')
    // A session; each of its statements, with a stretch of text; of each of its four tables what was taken, and its keys.
    rows += digests.length * (1 + 2 * STATEMENTS_PER_SESSION + 2 * tables.length)
  }
  await writing
  await sortIn(database)
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return {
    rows,
    rowsPerSecond: rounded(rows / seconds),
    /** Of this process: with PGlite all there is, with a server what is not the server's. */
    cpuUsPerRow: rounded((user + system) / rows),
    serverCpuUsPerRow: rounded(((await serverCpuUs(database)) - serverCpu) / rows),
  }
}

/** Numbers of /proc/<pid>/stat behind the name, which may have spaces: state, parent, ... */
async function statOf(pid: number): Promise<readonly number[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
}

/** Of a server on this machine (Linux) and all its processes, also those that have ended; 0 without one. */
async function serverCpuUs(database: Database): Promise<number> {
  const { rows } = await database.query<{ pid: number }>('select pid from pg_stat_activity where pid <> 0')
  const stats = await Promise.all(rows.map(({ pid }) => statOf(pid)))
  const parent = stats.map((fields) => fields[1] ?? 0).find((pid) => pid > 0) ?? 0
  const [, , , , , , , , , , , , , cutime = 0, cstime = 0] = await statOf(parent)
  return (cutime + cstime + stats.reduce((sum, fields) => sum + (fields[11] ?? 0) + (fields[12] ?? 0), 0)) * TICK_US
}

async function ask(database: Database, rounds: number): Promise<Record<string, Times>> {
  const took = new Map<string, number[]>()
  const timed = async (name: string, question: () => Promise<unknown>): Promise<void> => {
    const begun = performance.now()
    await question()
    took.set(name, [...(took.get(name) ?? []), performance.now() - begun])
  }
  // Once for nothing: plans and pages are as warm as those of a catalog that runs.
  for (let round = -1; round < rounds; round += 1) {
    if (round === 0) took.clear()
    for (const [name, query] of Object.entries(QUESTIONS)) await timed(name, () => findSessions(database, query, null))
    await timed('newest 50 of one target', () => findSessions(database, { limit: 50 }, ['target-3']))
    const everybody = { scope: null, results: true }
    const find = (q: string): Promise<unknown> => search(database, { q }, everybody, Date.now())
    await timed('search: rare text', () => find('zebrafish'))
    await timed('search: newest 50 of a common text', () => find('customer'))
    await timed('search: text nobody wrote', () => find('quagga'))
    await timed('search: common text, one table, one actor', () => find('customer table:stock identity:agent-7'))
    const month = { since: '2026-11-20T00:00:00Z', until: '2026-12-20T00:00:00Z' }
    await timed('who took the most in a month', () => topPulls(database, month, null))
    const week = { from: new Date(Date.UTC(2026, 10, 23)), to: new Date(Date.UTC(2026, 10, 30)) }
    await timed('stitched pulls of a week', async () => {
      const setting = { params: DETECTORS['stitched-rows'].params, config: {}, earlier: new Map() }
      const found = await stitchedRows(database, week, setting)
      if (found.length !== STITCHERS) throw new Error(`of ${STITCHERS} who took a table apart ${found.length} were found: void`)
    })
    await timed('stitched keys of a week', () =>
      stitchedKeys(database, week, { params: DETECTORS['stitched-keys'].params, config: {}, earlier: new Map() }),
    )
    await timed('200 statements of a session', () => findStatements(database, idOf(7), { limit: 200 }))
  }
  return Object.fromEntries(
    [...took].map(([name, values]) => {
      const sorted = values.sort((a, b) => a - b)
      return [
        name,
        {
          bestMs: rounded(sorted[0] ?? Number.NaN),
          p50ms: rounded(sorted[sorted.length >> 1] ?? Number.NaN),
          maxMs: rounded(sorted.at(-1) ?? Number.NaN),
        },
      ]
    }),
  )
}

/** A session a minute. */
function idOf(session: number): string {
  const stamp = new Date(BEGIN_MS + session * MINUTE_MS).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  return `${stamp}-gw1-${String(session).padStart(8, '0')}`
}
const AT = `(timestamptz '2026-11-20Z' + s * interval '1 minute')`
/** The same in SQL, of the session `s`. */
const ID = `to_char(${AT} at time zone 'UTC', 'YYYYMMDD"T"HH24MISS"Z"') || '-gw1-' || lpad(s::text, 8, '0')`

/** Sessions and statements as the catalog has them, made by the database itself: what is measured is the asking. */
async function fill(database: Database, have: number, want: number): Promise<void> {
  await database.exec('drop index if exists catalog.statements_text')
  const [first, end] = [have / STATEMENTS_PER_SESSION, want / STATEMENTS_PER_SESSION]
  const ids = [idOf(end - 1)]
  // One of each day, and so of each month.
  for (let at = first; at < end; at += 1_440) ids.push(idOf(at))
  await ensureMonths(database, ids)
  await database.query(
    `insert into catalog.sessions
      select ${ID}, case when s % 500 = 0 then 'live' else 'sealed' end, 'gw1',
        'agent-' || s % 40, 'agent', 'ada@example.com', '["agents"]', 'target-' || s % 8, 'postgres', 'shop', '{}', '${FILLED_BY}',
        ${AT}, ${AT} + interval '1 minute', 'client.left',
        60000000, 300, $3, case when s % 90 = 0 then 20000 else s % 900 end, 4000, 90000, s % 30, 100, s % 5, (s % 70 = 0)::int,
        (s % 60 = 0)::int, 'SELECT 1', '{}'
      from generate_series($1::int, $2::int) s`,
    [first, end - 1, STATEMENTS_PER_SESSION],
  )
  await database.query(
    `insert into catalog.statements
      select ${ID}, 10 + n % $3, 0, 0, 'query',
        'SELECT ' || (array['id, name', 'count(*)', 'amount, city', 'email'])[1 + n % 4] || ' FROM '
          || (array['orders', 'customers', 'invoices', 'stock'])[1 + n % 4] || ' JOIN customer c USING (id) WHERE ref = '''
          || md5(n::text) || '''' || case when n % ${RARE_EVERY} = 0 then ' -- zebrafish' else '' end,
        false, n % $3 * 100000, 900, 11 + n % $3, n % 50, 900, n % 3, case when n % 70 = 0 then 'block' end, '{}', null, 'complete',
        array[(array['orders', 'customers', 'invoices', 'stock'])[1 + n % 4]], '{SELECT}', md5((n % 400)::text)
      from generate_series($1::int, $2::int) n, lateral (select n / $3 as s) of`,
    [have, want - 1, STATEMENTS_PER_SESSION],
  )
  // What a session took of its four tables, in the hour it ran.
  await database.query(
    `insert into catalog.pulls
      select ${ID}, t, date_trunc('hour', ${AT}),
        'person-' || s % 300, 'agent-' || s % 40, 'target-' || s % 8, 'postgres', $3 / 4, s % 900, s % 900 * 50, 3, 40, 10, 110, 0
      from generate_series($1::int, $2::int) s, unnest(array['orders', 'customers', 'invoices', 'stock']) t`,
    [first, end - 1, STATEMENTS_PER_SESSION],
  )
  await database.exec(
    `insert into catalog.names select unnest(array['orders', 'customers', 'invoices', 'stock']) on conflict do nothing`,
  )
  if (have === 0) await plant(database)
  await database.exec(`truncate catalog.daily; ${DAILY_FROM_PULLS} ${DAILY_GROUPS}`)
  await database.exec(`create index statements_text on catalog.statements using gin (text gin_trgm_ops); analyze`)
}

/** Who takes the customers apart, and keys of what everybody read in the days that are looked through. */
async function plant(database: Database): Promise<void> {
  const planted = `(select at, n, to_char(at at time zone 'UTC', 'YYYYMMDD"T"HH24MISS"Z"') || '-gw2-' || lpad(n::text, 8, '0') as id
      from generate_series(0, ${STITCHERS * STITCHED_SESSIONS - 1}) n, lateral (select timestamptz '2026-11-25Z' + n * interval '6 minutes' as at) of) own`
  await database.exec(
    `insert into catalog.sessions
      select id, 'sealed', 'gw2', 'agent-99', 'agent', 'stitcher-' || n % ${STITCHERS}, '["agents"]', 'target-1', 'postgres', 'shop', '{}', '10.0.0.2:5000',
        at, at + interval '5 minutes', 'client.left', 300000000, 300, 4, 800, 40000, 90000, 800, 4, 0, 0, 0, 'SELECT 1', '{}'
      from ${planted};
    insert into catalog.pulls
      select id, 'customers', date_trunc('hour', at), 'stitcher-' || n % ${STITCHERS}, 'agent-99', 'target-1', 'postgres', 4, 800, 40000, 800, 200, 10, 90, 0
      from ${planted}`,
  )
  await database.exec(
    `insert into catalog.daily_keys
      select day, family, target, object, 'id', string_agg(key, '' order by key) from (
        select distinct (hour at time zone 'UTC')::date as day, family, target, object from catalog.pulls where hour < '2026-11-30Z') each,
        lateral (select decode(substr(md5(family || day || n), 1, 12), 'hex') as key from generate_series(1, 200) n) keys
      group by day, family, target, object;
    insert into catalog.object_keys
      select target, object, 'id', string_agg(key, '' order by key) from (select distinct target, object from catalog.pulls) each,
        lateral (select decode('00' || substr(md5(n::text), 1, 10), 'hex') as key from generate_series(1, 1024) n) keys
      group by target, object`,
  )
}

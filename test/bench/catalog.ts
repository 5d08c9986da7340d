import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '../../recorder/catalog/database.ts'
import { findSessions, findStatements } from '../../recorder/catalog/queries.ts'
import { search } from '../../recorder/catalog/search.ts'
import { topPulls } from '../../recorder/catalog/top-pulls.ts'
import { stitchedRows } from '../../recorder/findings/stitched.ts'
import type { SessionQuery } from '../../schemas/api.ts'
import { DETECTORS } from '../../schemas/findings.ts'
import { rounded } from './support.ts'

// What a list costs, and how that grows: `npm run bench -- catalog [--json]`.

/** `BENCH_CATALOG_URL` measures a server instead of files of its own: an empty database that is thrown away. Two sizes in one run, so that growth is measured and nothing has to be believed about the next one. */
const SIZES = (process.env['BENCH_STATEMENTS'] ?? '75000,300000').split(',').map(Number)
const STATEMENTS_PER_SESSION = 100
/** One statement in so many has a word no other has. */
const RARE_EVERY = 25_000
const GOALS_AT_10_MILLION = {
  'rare text': 10,
  'newest 50': 50,
  'who took the most in a month': 200,
  'stitched pulls of a week': 2_000,
} as const

const QUESTIONS: Readonly<Record<string, SessionQuery>> = {
  'newest 50': { limit: 50 },
  'newest 50 of some agents': { identity: 'agent-1*', limit: 50 },
  'newest 50 with a block': { verdict: 'block', limit: 50 },
  'newest 50 over 10 000 rows': { minRows: 10_000, limit: 50 },
  'rare text': { text: 'zebrafish 1', limit: 50 },
  'text nobody wrote': { text: 'quagga', limit: 50 },
  'text everybody wrote': { text: 'customer', limit: 50 },
  'two letters': { text: 'ab', limit: 50 },
}

interface Times {
  readonly p50ms: number
  readonly maxMs: number
}

export async function bench({ rounds, progress }: { rounds: number; progress: (line: string) => void }): Promise<object> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-catalog-bench-'))
  const url = process.env['BENCH_CATALOG_URL']
  const database = await openDatabase(url === undefined ? { folder: join(folder, 'pg') } : { url }, progress)
  try {
    const bySize: Record<number, { readonly fillS: number; readonly questions: Record<string, Times> }> = {}
    let have = 0
    for (const size of SIZES) {
      progress(`filling to ${size} statements ...`)
      const begun = performance.now()
      await fill(database, have, size)
      have = size
      const fillS = rounded((performance.now() - begun) / 1000)
      bySize[size] = { fillS, questions: await ask(database, rounds) }
      progress(JSON.stringify(bySize[size]))
    }
    const [small, large] = [SIZES.at(0) ?? 0, SIZES.at(-1) ?? 0]
    const p50 = (size: number, question: string): number => bySize[size]?.questions[question]?.p50ms ?? Number.NaN
    return {
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
    await rm(folder, { recursive: true, force: true })
  }
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
    await timed('search: rare text', () => find('"zebrafish 1"'))
    await timed('search: newest 50 of a common text', () => find('customer'))
    await timed('search: text nobody wrote', () => find('quagga'))
    await timed('search: common text, one table, one actor', () => find('customer table:stock identity:agent-7'))
    const month = { since: '2026-11-20T00:00:00Z', until: '2026-12-20T00:00:00Z' }
    await timed('who took the most in a month', () => topPulls(database, month, null))
    const from = new Date(Date.UTC(2026, 10, 23))
    await timed('stitched pulls of a week', () =>
      stitchedRows(
        database,
        { from, to: new Date(Date.UTC(2026, 10, 30)) },
        { params: DETECTORS['stitched-rows'].params, config: {}, earlier: new Map() },
      ),
    )
    await timed('200 statements of a session', () => findStatements(database, idOf(7), { limit: 200 }))
  }
  return Object.fromEntries(
    [...took].map(([name, values]) => {
      const sorted = values.sort((a, b) => a - b)
      return [name, { p50ms: rounded(sorted[sorted.length >> 1] ?? Number.NaN), maxMs: rounded(sorted.at(-1) ?? Number.NaN) }]
    }),
  )
}

const idOf = (session: number): string => `20261120T105150Z-gw1-${String(session).padStart(8, '0')}`

/** Sessions and statements as the catalog has them, made by the database itself: what is measured is the asking. */
async function fill(database: Database, have: number, want: number): Promise<void> {
  await database.exec('drop index if exists catalog.statements_text')
  await database.query(
    `insert into catalog.sessions
      select '20261120T105150Z-gw1-' || lpad(s::text, 8, '0'), case when s % 500 = 0 then 'live' else 'sealed' end, 'gw1',
        'agent-' || s % 40, 'agent', 'ada@example.com', '["agents"]', 'target-' || s % 8, 'postgres', 'shop', '{}', '10.0.0.1:5000',
        timestamptz '2026-11-20' + s * interval '1 minute', timestamptz '2026-11-20' + s * interval '2 minutes', 'client.left',
        60000000, 300, $3, case when s % 90 = 0 then 20000 else s % 900 end, 4000, 90000, s % 30, 100, s % 5, (s % 70 = 0)::int,
        (s % 60 = 0)::int, 'SELECT 1', '{}'
      from generate_series($1::int, $2::int) s`,
    [have / STATEMENTS_PER_SESSION, want / STATEMENTS_PER_SESSION - 1, STATEMENTS_PER_SESSION],
  )
  await database.query(
    `insert into catalog.statements
      select '20261120T105150Z-gw1-' || lpad((n / $3)::text, 8, '0'), 10 + n % $3, 0, 0, 'query',
        'SELECT ' || (array['id, name', 'count(*)', 'amount, city', 'email'])[1 + n % 4] || ' FROM '
          || (array['orders', 'customers', 'invoices', 'stock'])[1 + n % 4] || ' JOIN customer c USING (id) WHERE ref = '''
          || md5(n::text) || '''' || case when n % ${RARE_EVERY} = 0 then ' -- zebrafish ' || n / ${RARE_EVERY} else '' end,
        false, n % $3 * 100000, 900, 11 + n % $3, n % 50, 900, n % 3, case when n % 70 = 0 then 'block' end, '{}', null, 'complete',
        array[(array['orders', 'customers', 'invoices', 'stock'])[1 + n % 4]], '{SELECT}', md5((n % 400)::text)
      from generate_series($1::int, $2::int) n`,
    [have, want - 1, STATEMENTS_PER_SESSION],
  )
  // What a session took of its four tables, in the hour it ran.
  await database.query(
    `insert into catalog.pulls
      select '20261120T105150Z-gw1-' || lpad(s::text, 8, '0'), t, date_trunc('hour', timestamptz '2026-11-20' + s * interval '1 minute'),
        'person-' || s % 300, 'agent-' || s % 40, 'target-' || s % 8, 'postgres', $3 / 4, s % 900, s % 900 * 50, 3, 40, 10, 110, 0
      from generate_series($1::int, $2::int) s, unnest(array['orders', 'customers', 'invoices', 'stock']) t`,
    [have / STATEMENTS_PER_SESSION, want / STATEMENTS_PER_SESSION - 1, STATEMENTS_PER_SESSION],
  )
  await database.exec('create index statements_text on catalog.statements using gin (text gin_trgm_ops); analyze')
}

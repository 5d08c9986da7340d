import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { placesIn } from '../../gateway/places.ts'
import { type GatewayFolder, gatewayFolder, spawnGateway, targetAt } from '../support/gateway.ts'
import { hasDebian, type PgServer, startPostgres } from '../support/pg-server.ts'
import { ConsoleLoad, type LoadAnswer } from './console-load.ts'
import { cpuMs, median, rounded } from './support.ts'

// What the console costs those whose queries pass the same process: `npm run bench -- console [--json]`.

const SECONDS_PER_RUN = 5
const CLIENTS = 8
/** A pace everything keeps up with: what is measured then is who waits for whom, and not how a full machine is shared. */
const QUERIES_PER_SECOND = 400
/** Sessions recorded before, for the console to show: many short ones, some with a result of megabytes. */
const SHORT_SESSIONS = 60
const LONG_SESSIONS = 4
/** Recorded before each run under load, and taken into the catalog while it is measured. */
const IMPORTED = { short: 30, long: 1 } as const
const ROWS = 100_000

const POLICY = `version: 1
labels:
  pii.email: { columns: ["public.people.email"], entity: email }
rules:
  - { id: no-program, on: postgres, match: { copy: { target: [program, file] } }, action: block, reason: "no programs, no files" }
  - { id: no-unbounded-delete, on: postgres, match: { verb: [DELETE, UPDATE], has_where: false }, action: block, reason: "name the rows" }
`

/** Who works meanwhile. `elsewhere` is the very same load on another process of this machine: what it takes is CPU, not turns of our loop. */
const SUBJECTS = ['no console', 'console, nobody looks', 'load elsewhere', 'load here'] as const
type SubjectName = (typeof SUBJECTS)[number]

interface Run {
  readonly qps: number
  readonly p50us: number
  readonly p99us: number
  readonly maxUs: number
  readonly cpuUsPerQuery: number
  readonly answers: readonly LoadAnswer[]
  readonly events: number
}

interface Gateway extends AsyncDisposable {
  readonly folder: GatewayFolder
  readonly port: number
  readonly pid: number
  readonly consolePort: number
}

export async function bench({ rounds, progress }: { rounds: number; progress: (line: string) => void }): Promise<object> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(
    await startPostgres({
      from: hasDebian() ? 'debian' : 'embedded',
      settings: { max_connections: '200', shared_buffers: '256MB' },
    }),
  )
  progress('seeding')
  await server.sql(
    `CREATE TABLE ledger AS SELECT n AS id, 'ledger ' || n % 1000 AS note, md5(n::text) AS hash FROM generate_series(1, ${ROWS}) n`,
  )
  await server.sql('ALTER TABLE ledger ADD PRIMARY KEY (id); ANALYZE ledger')
  const bare = stack.use(await gateway(server, 'bare'))
  const here = stack.use(await gateway(server, 'here'))
  const elsewhere = stack.use(await gateway(server, 'elsewhere'))
  for (const each of [here, elsewhere]) await record(each, { short: SHORT_SESSIONS, long: LONG_SESSIONS })
  const runs = new Map<SubjectName, Run[]>(SUBJECTS.map((name) => [name, []]))
  const measure = (name: SubjectName): Promise<Run> => {
    switch (name) {
      case 'no console':
        return run(bare, undefined)
      case 'console, nobody looks':
        return run(here, undefined)
      case 'load elsewhere':
        return run(here, { asked: elsewhere, bare })
      case 'load here':
        return run(here, { asked: here, bare })
      default:
        return name satisfies never
    }
  }
  progress('warming up')
  for (const name of SUBJECTS) await measure(name)
  for (let round = 0; round < rounds; round += 1) {
    for (const name of SUBJECTS) runs.get(name)?.push(await measure(name))
    progress(`round ${round + 1}: ${SUBJECTS.map((name) => `${name} p99 ${runs.get(name)?.at(-1)?.p99us} us`).join(', ')}`)
  }
  for (const [name, samples] of runs) {
    const slow = samples.find(({ qps }) => qps < 0.8 * QUERIES_PER_SECOND)
    if (slow !== undefined)
      throw new Error(`${name} kept up with ${slow.qps} queries a second only: the machine is not quiet enough`)
  }
  const p99Of = (name: SubjectName): number => median((runs.get(name) ?? []).map(({ p99us }) => p99us))
  const answers = (runs.get('load here') ?? []).flatMap((each) => each.answers)
  return {
    rounds,
    secondsPerRun: SECONDS_PER_RUN,
    clients: CLIENTS,
    subjects: Object.fromEntries(
      [...runs].map(([name, samples]) => [
        name,
        {
          queriesPerSecond: Math.round(median(samples.map(({ qps }) => qps))),
          p50us: Math.round(median(samples.map(({ p50us }) => p50us))),
          p99us: Math.round(p99Of(name)),
          maxUs: Math.round(median(samples.map(({ maxUs }) => maxUs))),
          cpuUsPerQuery: rounded(median(samples.map(({ cpuUsPerQuery }) => cpuUsPerQuery))),
        },
      ]),
    ),
    p99HereToElsewhere: rounded(p99Of('load here') / p99Of('load elsewhere')),
    p99HereToIdle: rounded(p99Of('load here') / p99Of('console, nobody looks')),
    api: {
      answersPerSecond: rounded(answers.length / (rounds * SECONDS_PER_RUN)),
      eventsPerSecond: rounded(
        (runs.get('load here') ?? []).reduce((sum, { events }) => sum + events, 0) / (rounds * SECONDS_PER_RUN),
      ),
      byQuestion: byQuestion(answers),
    },
  }
}

function byQuestion(answers: readonly LoadAnswer[]): object {
  const kinds = [...new Set(answers.map(({ what }) => what))].sort()
  return Object.fromEntries(
    kinds.map((kind) => {
      const took = answers.filter(({ what }) => what === kind).map(({ tookMs }) => tookMs)
      return [kind, { p50ms: rounded(at(took, 0.5)), p99ms: rounded(at(took, 0.99)) }]
    }),
  )
}

async function gateway(server: PgServer, name: string): Promise<Gateway> {
  const withConsole = name !== 'bare'
  const folder = await gatewayFolder({
    gateway: name,
    targets: [targetAt(server, { name: 'shop' })],
    policy: POLICY,
    console: withConsole,
  })
  const running = await spawnGateway(folder)
  const url = withConsole ? String((await running.log.until((line) => line['msg'] === 'console is served'))['url']) : undefined
  return {
    folder,
    port: running.port,
    pid: running.pid,
    consolePort: url === undefined ? 0 : Number(new URL(url).port),
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** Short sessions of 20 statements, and long ones with a result of megabytes. */
async function record(
  { folder, port }: Gateway,
  { short, long }: { readonly short: number; readonly long: number },
): Promise<void> {
  for (let session = 0; session < short + long; session += 1) {
    const client = new Client({ host: '127.0.0.1', port, user: 'agent', password: folder.keys.agent, database: 'shop' })
    await client.connect()
    for (let statement = 0; statement < 20; statement += 1)
      await client.query(`SELECT * FROM ledger WHERE note = 'ledger ${(session * 20 + statement) % 1000}' LIMIT 5`)
    if (session < long) await client.query('SELECT * FROM ledger')
    await client.end()
  }
}

/** Tapes the asked console has never seen; resolves with what puts them into its store. */
async function fresh(bare: Gateway, asked: Gateway): Promise<() => Promise<void>> {
  const tapes = join(placesIn(bare.folder.dataDir).store, 'tapes')
  const before = new Set(await readdir(tapes).catch(() => []))
  await record(bare, IMPORTED)
  const names = (await readdir(tapes)).filter((name) => !before.has(name))
  return async () => {
    for (const name of names)
      await cp(join(tapes, name), join(placesIn(asked.folder.dataDir).store, 'tapes', name), { recursive: true })
  }
}

/** Paced queries through one gateway, while a console is asked and imports tapes, or nobody's is. */
async function run(through: Gateway, load: { readonly asked: Gateway; readonly bare: Gateway } | undefined): Promise<Run> {
  const over = new AbortController()
  const bring = load === undefined ? undefined : await fresh(load.bare, load.asked)
  using people = load === undefined ? undefined : new ConsoleLoad(load.asked.consolePort, load.asked.folder.keys.human)
  const loading = people?.run(over.signal)
  loading?.catch(() => undefined)
  const folder = await mkdtemp(join(tmpdir(), 'bench-console-'))
  try {
    await writeFile(join(folder, 'one.sql'), `\\set id random(1, ${ROWS})\nSELECT note, hash FROM ledger WHERE id = :id;\n`)
    const before = cpuMs(through.pid)
    const queries = pgbench(through, folder)
    queries.catch(() => undefined)
    await bring?.()
    await queries
    const used = cpuMs(through.pid) - before
    over.abort()
    const { answers, events } = (await loading) ?? { answers: [], events: 0 }
    const times: number[] = []
    // client, transaction, time (us), script, time_epoch, time_us, schedule lag
    for (const file of (await readdir(folder)).filter((name) => name.startsWith('log')))
      for (const line of (await readFile(join(folder, file), 'utf8')).trim().split('\n')) times.push(Number(line.split(' ')[2]))
    return {
      qps: times.length / SECONDS_PER_RUN,
      p50us: at(times, 0.5),
      p99us: at(times, 0.99),
      maxUs: at(times, 1),
      cpuUsPerQuery: (used * 1000) / times.length,
      answers,
      events,
    }
  } finally {
    over.abort()
    await rm(folder, { recursive: true, force: true })
  }
}

async function pgbench(through: Gateway, folder: string): Promise<void> {
  const numbers = { '-c': CLIENTS, '-j': 1, '-T': SECONDS_PER_RUN, '-R': QUERIES_PER_SECOND, '-p': through.port }
  const args = ['-n', '-M', 'prepared', '-f', 'one.sql', '-l', '--log-prefix=log', '-h', '127.0.0.1', '-U', 'agent']
  const child = spawn(
    'pgbench',
    [...args, ...Object.entries(numbers).flatMap(([name, value]) => [name, String(value)]), 'shop'],
    {
      cwd: folder,
      env: { ...process.env, PGPASSWORD: through.folder.keys.agent, PGSSLMODE: 'disable' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`pgbench ended with ${code}: ${said.slice(-2000)}`)
}

/** The value at this share of the sorted values. */
function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { hasDebian, startPostgres } from '../support/pg-server.ts'
import { BARE_POLICY, direct, pgbouncer, type Subject, sallyport } from './postgres-subjects.ts'
import { cpuMs, median, rounded, rssKib } from './support.ts'

const SECONDS_PER_RUN = 3
/** Of each of eight clients. V8 goes on compiling for some 50,000 queries, the first 15,000 of which cost more than twice as much. */
const WARM_UP_QUERIES = 6_000
/** Results of 100 MB: the gateway's first takes twice the time of its sixth. */
const WARM_UP_TRANSFERS = 5
const SCALE = 10 // 1 M accounts
const IDLE_SESSIONS = 200
/** Of these at once: a gateway turns away the oldest of a hundred that have not proved who they are. */
const CONNECTING_AT_ONCE = 50
const MODES = ['simple', 'extended', 'prepared'] as const
const CLIENTS = [1, 8] as const

/** What may be asked for alone (`--only small,idle`). */
const PARTS: readonly string[] = ['small', 'bulk', 'beside', 'idle']

interface Beside {
  readonly p50us: number
  readonly p99us: number
}

interface Sample {
  readonly tps: number
  readonly p50us: number
  readonly cpuUsPerQuery: number | undefined
}

/** pgbench select-only and bulk results: direct, through pgbouncer, and through the gateway with everything on. */
export async function bench({
  rounds,
  only,
  progress,
}: {
  readonly rounds: number
  readonly only?: string
  readonly progress: (line: string) => void
}): Promise<object> {
  const parts = only === undefined ? PARTS : only.split(',')
  const unknown = parts.find((part) => !PARTS.includes(part))
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}: ${PARTS.join(', ')}`)
  const modes = parts.includes('small') ? MODES : []
  const transfers = parts.includes('bulk') ? Object.entries(BULK) : []
  await using server = await startPostgres({
    from: hasDebian() ? 'debian' : 'embedded',
    hba: ['host all all 127.0.0.1/32 trust'],
    settings: { max_connections: '1000', shared_buffers: '512MB' },
  })
  progress('seeding 1 M accounts')
  await server.sql("CREATE ROLE bench LOGIN SUPERUSER PASSWORD 'bench'; ")
  await server.sql('CREATE DATABASE bench OWNER bench')
  await run(
    'pgbench',
    ['-i', '-q', '-s', String(SCALE), '-h', server.host, '-p', String(server.port), '-U', 'bench', 'bench'],
    {},
  )
  await server.sql(CANARIES, 'bench')

  await using stack = new AsyncDisposableStack()
  const subjects: Subject[] = [direct(server)]
  if (await exists('pgbouncer')) subjects.push(stack.use(await pgbouncer(server)))
  else progress('pgbouncer is not installed: its column is missing')
  subjects.push(stack.use(await sallyport(server)))
  subjects.push(stack.use(await sallyport(server, { name: 'sallyport-disk', durability: 'disk' })))
  for (const subject of subjects) if (subject.name.startsWith('sallyport')) await canary(subject)
  // Last and without its canary: nothing in it looks for one.
  subjects.push(stack.use(await sallyport(server, { name: 'sallyport-bare', policy: BARE_POLICY })))

  // What runs compiled to machine code only after a while is measured as it runs for hours: every subject alike gets this, discarded.
  progress(`warming up: ${8 * WARM_UP_QUERIES} queries of each small mode and ${WARM_UP_TRANSFERS} bulk results for each subject`)
  for (const subject of subjects) {
    for (const mode of modes) await pgbench(subject, mode, 8, ['-t', String(WARM_UP_QUERIES)])
    for (const [, sql] of transfers) for (let run = 0; run < WARM_UP_TRANSFERS; run++) await transfer(subject, sql)
  }

  const small: Record<string, Record<string, object>> = {}
  for (const mode of modes) {
    for (const clients of CLIENTS) {
      const cell = `${mode} c${clients}`
      const samples = await interleaved(subjects, rounds, (subject) => pgbench(subject, mode, clients))
      small[cell] = summary(samples)
      progress(`${cell}: ${JSON.stringify(small[cell])}`)
    }
  }
  const bulk: Record<string, Record<string, object>> = {}
  for (const [name, sql] of transfers) {
    const samples = await interleaved(subjects, rounds, (subject) => transfer(subject, sql))
    const reference = median((samples.get('pgbouncer') ?? samples.get('direct') ?? []).map(({ mbPerS }) => mbPerS))
    bulk[name] = Object.fromEntries(
      [...samples].map(([subject, runs]) => {
        const mbPerS = median(runs.map((sample) => sample.mbPerS))
        return [
          subject,
          {
            mbPerS: rounded(mbPerS),
            vsReference: rounded(mbPerS / reference),
            ...cpu(
              runs.map((sample) => sample.cpuMsPerMb),
              'cpuMsPerMb',
            ),
          },
        ]
      }),
    )
    progress(`${name}: ${JSON.stringify(bulk[name])}`)
  }
  const beside: Record<string, object> = {}
  const besides = parts.includes('beside') ? await interleaved(subjects, rounds, besideBulk) : new Map<string, Beside[]>()
  const besideReference = median((besides.get('pgbouncer') ?? besides.get('direct') ?? []).map(({ p99us }) => p99us))
  for (const [subject, runs] of besides) {
    const p99us = median(runs.map((sample) => sample.p99us))
    beside[subject] = {
      p50us: Math.round(median(runs.map((sample) => sample.p50us))),
      p99us: Math.round(p99us),
      p99vsReference: rounded(p99us / besideReference),
    }
  }
  if (besides.size > 0) progress(`small queries beside a bulk result: ${JSON.stringify(beside)}`)
  const idling = parts.includes('idle') ? subjects.filter(({ pid }) => pid !== undefined) : []
  const idleKib = Object.fromEntries(await Promise.all(idling.map(async (subject) => [subject.name, await idle(subject)])))
  return {
    rounds,
    secondsPerRun: SECONDS_PER_RUN,
    warmUpQueries: 8 * WARM_UP_QUERIES,
    reference: subjects.some(({ name }) => name === 'pgbouncer') ? 'pgbouncer' : 'direct',
    small,
    bulk,
    besideBulk: beside,
    idleKibPerSession: idleKib,
  }
}

const BULK = {
  'SELECT 1M rows': 'SELECT * FROM pgbench_accounts',
  'COPY 1M rows': 'COPY pgbench_accounts TO STDOUT',
}

/** A subject that lets a planted value through has failed, whatever its speed. The SSN is made here so that no file holds one. */
const CANARIES = `CREATE TABLE people (id int, note text, email text);
INSERT INTO people SELECT 1, 'call ' || (219)::text || '-' || (9 * 1)::text || (9)::text || '-' || (9999 - 1234)::text, 'canary' || chr(64) || 'example.com'`

/** The driver tells of a lost connection by an event beside the rejection: without a listener that alone would end the run. */
async function connected(subject: Subject): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port: subject.port,
    database: subject.database,
    user: subject.env['PGUSER'],
    password: subject.env['PGPASSWORD'],
  })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function canary(subject: Subject): Promise<void> {
  const client = await connected(subject)
  const { rows } = await client.query<{ note: string; email: string }>('SELECT note, email FROM people')
  await client.end()
  const text = JSON.stringify(rows)
  if (!text.includes('MASKED') || /canary@|\d{3}-\d\d-\d{4}/.test(text))
    throw new Error(`${subject.name} let a canary through: the run is void`)
}

async function interleaved<T>(
  subjects: readonly Subject[],
  rounds: number,
  measure: (subject: Subject) => Promise<T>,
): Promise<Map<string, T[]>> {
  const samples = new Map<string, T[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      try {
        samples.get(subject.name)?.push(await measure(subject))
      } catch (cause) {
        const ending = subject.ending?.() ?? 'its process runs'
        throw new Error(`${subject.name} failed in round ${round + 1} (${ending}): ${String(cause)}`, { cause })
      }
    }
  }
  return samples
}

function summary(samples: ReadonlyMap<string, readonly Sample[]>): Record<string, object> {
  const tpsOf = (name: string): number => median((samples.get(name) ?? []).map(({ tps }) => tps))
  const reference = samples.has('pgbouncer') ? tpsOf('pgbouncer') : tpsOf('direct')
  const directP50 = median((samples.get('direct') ?? []).map(({ p50us }) => p50us))
  return Object.fromEntries(
    [...samples].map(([name, runs]) => [
      name,
      {
        tps: Math.round(tpsOf(name)),
        vsReference: rounded(tpsOf(name) / reference),
        addedP50us: Math.round(median(runs.map(({ p50us }) => p50us)) - directP50),
        ...cpu(
          runs.map(({ cpuUsPerQuery }) => cpuUsPerQuery),
          'cpuUsPerQuery',
        ),
      },
    ]),
  )
}

function cpu(values: readonly (number | undefined)[], name: string): Record<string, number> {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? {} : { [name]: rounded(median(known)) }
}

async function pgbench(
  subject: Subject,
  mode: string,
  clients: number,
  options: readonly string[] = ['-T', String(SECONDS_PER_RUN)],
): Promise<Sample> {
  const before = subject.pid === undefined ? 0 : cpuMs(subject.pid)
  const output = await run(
    'pgbench',
    [...options, '-n', '-S', '-M', mode, '-c', String(clients), '-h', '127.0.0.1', '-p', String(subject.port), subject.database],
    subject.env,
  )
  const count = Number(/transactions actually processed: (\d+)/.exec(output)?.[1])
  const used = subject.pid === undefined ? undefined : cpuMs(subject.pid) - before
  return {
    tps: Number(/tps = ([\d.]+)/.exec(output)?.[1]),
    // pgbench prints the mean; with one client and no think time it is within a few percent of the median.
    p50us: Number(/latency average = ([\d.]+) ms/.exec(output)?.[1]) * 1000,
    cpuUsPerQuery: used === undefined ? undefined : (used * 1000) / count,
  }
}

async function transfer(
  subject: Subject,
  sql: string,
): Promise<{ readonly mbPerS: number; readonly cpuMsPerMb: number | undefined }> {
  const client = await connected(subject)
  const before = subject.pid === undefined ? 0 : cpuMs(subject.pid)
  const started = performance.now()
  let bytes = 0
  // The driver would parse every row; only the bytes count here, so they are taken off its socket.
  const { connection } = client as unknown as {
    readonly connection: { readonly stream: NodeJS.ReadableStream; query(text: string): void }
  }
  connection.stream.removeAllListeners('data')
  const ready = new Promise<void>((resolve, reject) => {
    let tail = Buffer.alloc(0)
    connection.stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      tail = Buffer.concat([tail, chunk]).subarray(-6)
      if (tail[0] === 0x5a && tail.readUInt32BE(1) === 5) resolve()
    })
    connection.stream.once('error', reject)
    connection.stream.once('close', () => reject(new Error(`${subject.name} hung up after ${bytes} bytes of a bulk result`)))
  })
  connection.query(sql)
  await ready
  const seconds = (performance.now() - started) / 1000
  const megabytes = bytes / 1e6
  connection.stream.removeAllListeners('data')
  const used = subject.pid === undefined ? undefined : cpuMs(subject.pid) - before
  await client.end().catch(() => undefined)
  if (megabytes < 50) throw new Error(`${subject.name} sent ${megabytes} MB of a bulk result: the run is void`)
  return { mbPerS: megabytes / seconds, cpuMsPerMb: used === undefined ? undefined : used / megabytes }
}

/** One client's small queries while another reads one bulk result after the other, through the same subject. */
async function besideBulk(subject: Subject): Promise<Beside> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-log-'))
  let over = false
  const stream = async (): Promise<void> => {
    while (!over) await transfer(subject, BULK['SELECT 1M rows'])
  }
  const streaming = stream()
  try {
    await Promise.race([
      pgbench(subject, 'prepared', 1, ['-T', String(SECONDS_PER_RUN), '-l', `--log-prefix=${join(folder, 'log')}`]),
      streaming,
    ])
    const times: number[] = []
    for (const file of await readdir(folder)) {
      // client, transaction, time (us), script, time_epoch, time_us
      for (const line of (await readFile(join(folder, file), 'utf8')).trim().split('\n')) times.push(Number(line.split(' ')[2]))
    }
    if (times.length < 100)
      throw new Error(`${subject.name} answered ${times.length} small queries beside a bulk result: the run is void`)
    times.sort((a, b) => a - b)
    const at = (share: number): number => times[Math.floor(share * times.length)] ?? Number.NaN
    return { p50us: at(0.5), p99us: at(0.99) }
  } finally {
    over = true
    await streaming.catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  }
}

/** KiB of resident memory a connected and idle session costs the process in between. */
async function idle(subject: Subject): Promise<number> {
  if (subject.pid === undefined) return 0
  const warm = await connected(subject)
  const before = rssKib(subject.pid)
  const clients: Client[] = []
  while (clients.length < IDLE_SESSIONS)
    clients.push(...(await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, () => connected(subject)))))
  const after = rssKib(subject.pid)
  await Promise.all([warm, ...clients].map((client) => client.end()))
  return rounded((after - before) / IDLE_SESSIONS)
}

async function exists(program: string): Promise<boolean> {
  return run(program, ['--version'], {}).then(
    () => true,
    () => false,
  )
}

async function run(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${output.slice(-2000)}`)
  return output
}

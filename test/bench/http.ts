import { Agent, request } from 'node:http'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { type HttpSubject, httpSallyport, nginxFiles, nginxProxy } from './http-subjects.ts'
import { cpuMs, median, rounded } from './support.ts'

const SECONDS = 3
/** What runs in a compiler's first second is not what runs for days: until so many small answers of each process, or so long. */
const WARM_UP_ANSWERS = 30_000
const MAX_WARM_UP_SECONDS = 30
const REST_MS = 250
const LEAST_USED_MS = 20
const MAX_REST_MS = 10_000
const CONNECTIONS = [1, 32] as const
const SIZES = { '1 KiB': 1024, '1 MiB': 1024 * 1024 } as const
/** Put together here, so that no file holds one. */
const CANARY = `canary${String.fromCharCode(64)}example.com`

interface Sample {
  readonly perSecond: number
  readonly p50us: number
  readonly p99us: number
  readonly cpuUs: number
}

/** JSON over kept connections: straight to nginx, through another nginx, and through the gateway with everything on, as one process and as one for each core. */
export async function bench({
  rounds,
  progress,
}: {
  readonly rounds: number
  readonly progress: (line: string) => void
}): Promise<object> {
  await using stack = new AsyncDisposableStack()
  const files = Object.fromEntries(Object.entries(SIZES).map(([name, size]) => [fileOf(name), json(size)]))
  const direct = stack.use(await nginxFiles({ ...files, 'canary.json': JSON.stringify({ mail: CANARY }) }))
  const gateways = [
    stack.use(await httpSallyport(direct, 'sallyport', 1)),
    stack.use(await httpSallyport(direct, 'sallyport-workers', availableParallelism())),
  ]
  const subjects = [direct, stack.use(await nginxProxy(direct)), ...gateways]
  for (const gateway of gateways)
    if ((await load(gateway, 'canary.json', 1, 0)).includes(CANARY)) throw new Error('a canary came through: the run is void')
  progress(`warming up: ${WARM_UP_ANSWERS} answers of each process, or ${MAX_WARM_UP_SECONDS} s`)
  for (const subject of subjects) await warmUp(subject)
  const result: Record<string, object> = {}
  for (const name of Object.keys(SIZES)) {
    for (const connections of CONNECTIONS) {
      const samples = new Map<string, Sample[]>(subjects.map((subject) => [subject.name, []]))
      for (let round = 0; round < rounds; round++)
        for (const subject of subjects) {
          samples.get(subject.name)?.push(await measure(subject, fileOf(name), connections, SECONDS))
          await rested(subject)
        }
      const cell = `${name} c${connections}`
      result[cell] = summary(samples)
      progress(`${cell}: ${JSON.stringify(result[cell])}`)
    }
  }
  return { rounds, secondsPerRun: SECONDS, reference: 'nginx', ...result }
}

function summary(samples: ReadonlyMap<string, readonly Sample[]>): object {
  const of = (name: string, key: keyof Sample): number => median((samples.get(name) ?? []).map((sample) => sample[key]))
  return Object.fromEntries(
    [...samples.keys()].map((name) => [
      name,
      {
        perSecond: Math.round(of(name, 'perSecond')),
        vsNginx: rounded(of(name, 'perSecond') / of('nginx', 'perSecond')),
        p50us: Math.round(of(name, 'p50us')),
        p99us: Math.round(of(name, 'p99us')),
        cpuUsPerRequest: rounded(of(name, 'cpuUs')),
      },
    ]),
  )
}

/** What is still to be compressed, indexed and stored is not the next one's to wait for. */
async function rested({ pid }: HttpSubject): Promise<void> {
  if (pid === undefined) return
  const until = performance.now() + MAX_REST_MS
  for (let used = Number.POSITIVE_INFINITY; used > LEAST_USED_MS && performance.now() < until; ) {
    const before = cpuMs(pid)
    await delay(REST_MS)
    used = cpuMs(pid) - before
  }
}

async function warmUp(subject: HttpSubject): Promise<void> {
  const times: number[] = []
  const { processes } = subject
  const until = performance.now() + processes * MAX_WARM_UP_SECONDS * 1000
  while (times.length < processes * WARM_UP_ANSWERS && performance.now() < until)
    await load(subject, fileOf('1 KiB'), 32, 1, times)
  await load(subject, fileOf('1 MiB'), 32, processes * 3)
}

async function measure(subject: HttpSubject, path: string, connections: number, seconds: number): Promise<Sample> {
  const before = subject.pid === undefined ? 0 : cpuMs(subject.pid)
  const times: number[] = []
  const began = performance.now()
  await load(subject, path, connections, seconds, times)
  const elapsed = (performance.now() - began) / 1000
  const used = subject.pid === undefined ? 0 : cpuMs(subject.pid) - before
  times.sort((a, b) => a - b)
  const at = (part: number): number => (times[Math.floor(part * times.length)] ?? Number.NaN) * 1000
  return { perSecond: times.length / elapsed, p50us: at(0.5), p99us: at(0.99), cpuUs: (used * 1000) / times.length }
}

/** One request after the other on each connection, at least one; the last answer's text. */
async function load(
  subject: HttpSubject,
  path: string,
  connections: number,
  seconds: number,
  times: number[] = [],
): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const until = performance.now() + seconds * 1000
  let last = ''
  const one = async (): Promise<void> => {
    do {
      const began = performance.now()
      last = await get(subject, path, agent)
      times.push(performance.now() - began)
    } while (performance.now() < until)
  }
  await Promise.all(Array.from({ length: connections }, one))
  agent.destroy()
  return last
}

function get({ origin, prefix, headers }: HttpSubject, path: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    request(`${origin}${prefix}/${path}`, { agent, headers }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${origin} answered ${response.statusCode}`))
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve(Buffer.concat(chunks).toString('latin1')))
    })
      .on('error', reject)
      .end()
  })
}

function fileOf(name: string): string {
  return `${name.replace(' ', '')}.json`
}

/** Rows as an API lists them, of about this many bytes. */
function json(size: number): string {
  const rows: object[] = []
  for (let length = 2; length < size; ) {
    const id = rows.length
    const row = { id, name: `item ${id}`, tags: ['a', 'b'], price: id * 1.25, note: 'nothing in here is anybody\u2019s' }
    rows.push(row)
    length += JSON.stringify(row).length + 1
  }
  return JSON.stringify(rows)
}

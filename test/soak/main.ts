import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type SoakProtocol, type SoakRig, soakRig } from './rig.ts'
import { enter, type SoakSession } from './sessions.ts'

const SAMPLE_MS = 5_000
/** Many at once are a flood; one by one they take all day. */
const ENTERING = 16
/** What memory may grow from the second quarter to the last: caches fill, and the collector is free to be late. */
const MAX_GROWTH = 0.1
const MAX_GROWTH_MIB = 32
/** File descriptors that come and go: spool files, connections to be. */
const FD_SLACK = 40
const SETTLE_MS = 30_000

/** How many of each: most of what idles are pools of HTTP and databases, a terminal here and there. */
const SHARES: Readonly<Record<SoakProtocol, number>> = { echo: 0.4, http: 0.4, postgres: 0.15, ssh: 0.05 }

interface Sample {
  readonly atS: number
  readonly rssMiB: number
  readonly heapMiB: number
  readonly fds: number
  readonly open: number
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '30' },
    idle: { type: 'string', default: '2000' },
    busy: { type: 'string', default: '64' },
  },
})
const [minutes, idle, busy] = [values.minutes, values.idle, values.busy].map(Number) as [number, number, number]
if (values.help || ![minutes, idle, busy].every((each) => Number.isFinite(each) && each > 0)) {
  const usage = `usage: npm run soak -- [--minutes 30] [--idle 2000] [--busy 64] [--json]

Holds idle and busy sessions of every protocol through one gateway process; memory and file descriptors must not grow, every answer
must be right, and at the end everything is given back and sealed. Exit code 1 where that is not so.
`
  ;(values.help ? process.stdout : process.stderr).write(usage)
  process.exitCode = values.help ? 0 : 2
} else {
  const report = await soak()
  if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  else for (const [name, value] of Object.entries(report)) process.stdout.write(`${name.padEnd(10)} ${JSON.stringify(value)}\n`)
  process.exitCode = report.problems.length === 0 ? 0 : 1
}

async function soak() {
  const progress = (line: string): void => void process.stderr.write(`${line}\n`)
  const counts = (total: number): [SoakProtocol, number][] =>
    (Object.keys(SHARES) as SoakProtocol[]).map((each) => [each, Math.max(1, Math.round(total * SHARES[each]))])
  const plans = [...counts(idle), ...counts(busy)]
  await using rig = await soakRig(Math.max(...plans.map(([, count]) => count)) * 2)
  const before = await sampleOf(rig, 0)
  const problems: string[] = []
  const errors: string[] = []
  const enterAll = async (wanted: readonly (readonly [SoakProtocol, number])[]): Promise<SoakSession[]> => {
    const queue = wanted.flatMap(([protocol, count]) => Array.from({ length: count }, () => protocol))
    const entered: SoakSession[] = []
    const one = async (): Promise<void> => {
      for (let protocol = queue.pop(); protocol !== undefined; protocol = queue.pop()) {
        entered.push(await enter(protocol, rig))
        if (entered.length % 250 === 0) progress(`${entered.length} sessions are in`)
      }
    }
    await Promise.all(Array.from({ length: ENTERING }, one))
    return entered
  }
  const idling = await enterAll(counts(idle))
  const working = await enterAll(counts(busy))
  progress(`${idling.length} idle and ${working.length} busy sessions for ${minutes} minutes`)
  const endsMs = performance.now() + minutes * 60_000
  let exchanges = 0
  const workers = working.map(async (session) => {
    while (performance.now() < endsMs) {
      try {
        await session.work()
        exchanges += 1
      } catch (error) {
        errors.push(String(error))
        return
      }
    }
  })
  const samples: Sample[] = []
  const begunMs = performance.now()
  while (performance.now() < endsMs) {
    await delay(Math.min(SAMPLE_MS, Math.max(0, endsMs - performance.now())))
    const sample = await sampleOf(rig, (performance.now() - begunMs) / 1_000)
    samples.push(sample)
    if (samples.length % 12 === 0) progress(JSON.stringify({ ...sample, exchanges, errors: errors.length }))
  }
  await Promise.all(workers)
  // Those that said nothing all along are still there.
  for (const session of idling) await session.work().catch((error: unknown) => errors.push(`idle: ${String(error)}`))
  const held = samples.at(-1)?.open ?? 0
  for (const session of [...idling, ...working]) await session.close()
  const after = await settled(rig, before)
  const quarter = (from: number): readonly Sample[] => samples.slice(samples.length * from, samples.length * (from + 0.25))
  const memory = {
    firstMiB: least(quarter(0.25)),
    lastMiB: least(quarter(0.75)),
    peakMiB: Math.max(...samples.map((each) => each.rssMiB)),
  }
  const growth = memory.lastMiB / memory.firstMiB - 1
  if (growth > MAX_GROWTH && memory.lastMiB - memory.firstMiB > MAX_GROWTH_MIB)
    problems.push(`memory grew by ${Math.round(growth * 100)} %`)
  if (errors.length > 0) problems.push(`${errors.length} sessions failed, the first: ${errors[0]}`)
  // Requests of one identity to one HTTP target are one session, which waits a while for the next.
  const connections = plans.reduce((sum, [protocol, count]) => sum + (protocol === 'http' ? 0 : count), 0)
  if (held < connections + 1) problems.push(`only ${held} of ${connections + 1} sessions were open at the end`)
  if (after.open > 1) problems.push(`${after.open} sessions are open that nobody has`)
  if (after.fds > before.fds + FD_SLACK) problems.push(`${after.fds} file descriptors, ${before.fds} before`)
  if (!(await rig.stop())) problems.push('not every tape was sealed')
  return {
    minutes,
    clients: { idle: idling.length, busy: working.length, sessions: held },
    exchanges,
    errors: errors.length,
    memory: { ...memory, growthPercent: Math.round(growth * 1_000) / 10 },
    before,
    after,
    problems,
  }
}

async function sampleOf(rig: SoakRig, atS: number): Promise<Sample> {
  const metrics = await rig.metrics()
  const mib = (name: string): number => Math.round((metrics.get(name) ?? Number.NaN) / 2 ** 20)
  return {
    atS: Math.round(atS),
    rssMiB: mib('process_resident_memory_bytes'),
    heapMiB: mib('nodejs_heap_size_used_bytes'),
    fds: metrics.get('process_open_fds') ?? Number.NaN,
    open: metrics.get('sallyport_sessions_open') ?? 0,
  }
}

/** Resident memory moves with the collector: the least of a while is what is needed. */
function least(samples: readonly Sample[]): number {
  return Math.min(...samples.map(({ rssMiB }) => rssMiB))
}

/** Once every session is over; as it is then. */
async function settled(rig: SoakRig, before: Sample): Promise<Sample> {
  const untilMs = performance.now() + SETTLE_MS
  for (;;) {
    const sample = await sampleOf(rig, Number.NaN)
    if ((sample.open <= 1 && sample.fds <= before.fds + FD_SLACK) || performance.now() > untilMs) return { ...sample, atS: 0 }
    await delay(500)
  }
}

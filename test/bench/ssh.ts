import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startSshd } from '../support/sshd.ts'
import { client, direct, jump, randomFile, type SshSubject, sshSallyport } from './ssh-subjects.ts'
import { cpuMs, median, rounded } from './support.ts'

const EXECS = 8
const PARALLEL = 32
const ECHOES = 1_000
/** Not counted: code that runs for the first times. */
const FIRST_ECHOES = 300
const BULK_MIB = 128
/** Of each kind through a gateway that has just started, not counted: what is compiled while its first gigabyte passes costs three CPU seconds. */
const FIRST_BULKS = 2
/** Put together here, so that no file holds one. */
const CANARY = `canary${String.fromCharCode(64)}example.com`

/** What one subject did in one round; times in ms, bulk in MiB/s, CPU of what stands between in s per GiB. */
type Sample = Readonly<Record<string, number>>

const PARTS = ['exec', 'parallel', 'echo', 'beside', 'cat', 'scp-down', 'scp-up'] as const
type Part = (typeof PARTS)[number]
const BULKS: readonly Part[] = ['cat', 'scp-down', 'scp-up']

/** OpenSSH's clients: straight to sshd, through another sshd (ProxyJump), and through the gateway with everything on. */
export async function bench({
  rounds,
  only,
  progress,
}: {
  readonly rounds: number
  readonly only?: string
  readonly progress: (line: string) => void
}): Promise<object> {
  await using stack = new AsyncDisposableStack()
  const sshd = stack.use(await startSshd())
  const bastion = stack.use(await startSshd())
  const subjects = [stack.use(await direct(sshd)), stack.use(await jump(sshd, bastion)), stack.use(await sshSallyport(sshd))]
  const file = join(sshd.files, 'bulk')
  await randomFile(file, BULK_MIB)
  for (const subject of subjects) {
    const said = await ssh(subject, `echo '${CANARY}'`)
    if (subject.name === 'sallyport' && said.includes(CANARY)) throw new Error('a canary came through: the run is void')
  }
  const parts = PARTS.filter((part) => only === undefined || only.split(',').includes(part))
  if (parts.some((part) => part === 'beside' || BULKS.includes(part)))
    for (const subject of subjects.filter(({ pid }) => pid !== undefined))
      for (const part of BULKS) for (let count = 0; count < FIRST_BULKS; count++) await measure(part, subject, file)
  const result: Record<string, object> = {}
  for (const part of parts) {
    const samples = new Map<string, Sample[]>(subjects.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const subject of subjects) samples.get(subject.name)?.push(await measure(part, subject, file))
    }
    result[part] = summary(samples)
    progress(`${part}: ${JSON.stringify(result[part])}`)
  }
  return { rounds, bulkMib: BULK_MIB, ratiosTo: ['direct', 'jump'], ...result }
}

function summary(samples: ReadonlyMap<string, readonly Sample[]>): object {
  const of = (name: string, key: string): number => median((samples.get(name) ?? []).map((sample) => sample[key] ?? Number.NaN))
  const keys = Object.keys(samples.get('sallyport')?.[0] ?? {})
  return Object.fromEntries(
    keys.map((key) => {
      const medians = Object.fromEntries([...samples.keys()].map((name) => [name, rounded(of(name, key))]))
      if (key === 'cpuSecondsPerGib') return [key, { sallyport: medians['sallyport'] }]
      const ratio = (to: string): number => rounded(of('sallyport', key) / of(to, key))
      // Of a key and its echo the floor is what is added to the same beside the same.
      const over = (to: string): number => rounded(of('sallyport', key) - of(to, key))
      const added = key.startsWith('p') ? { overDirect: over('direct'), overJump: over('jump') } : {}
      return [key, { ...medians, vsDirect: ratio('direct'), vsJump: ratio('jump'), ...added }]
    }),
  )
}

async function measure(part: Part, subject: SshSubject, file: string): Promise<Sample> {
  switch (part) {
    case 'exec': {
      const times: number[] = []
      for (let count = 0; count < EXECS; count++) times.push(await timed(() => ssh(subject, 'true')))
      return { ms: median(times) }
    }
    case 'parallel':
      return { ms: await timed(() => Promise.all(Array.from({ length: PARALLEL }, () => ssh(subject, 'true')))) }
    case 'echo':
      return echo(subject)
    case 'beside': {
      const bulk = spawn('ssh', ['-F', subject.config, 'there', 'cat /dev/zero'], { stdio: ['ignore', 'pipe', 'ignore'] })
      bulk.stdout.resume()
      await once(bulk.stdout, 'data')
      const sample = await echo(subject)
      bulk.kill()
      return sample
    }
    case 'cat':
      return bulk(subject, () => discard(subject, `cat '${file}'`))
    case 'scp-down':
      return bulk(subject, () => client('scp', ['-qF', subject.config, `there:${file}`, `${file}.down`]))
    case 'scp-up': {
      const sample = await bulk(subject, () => client('scp', ['-qF', subject.config, file, `there:${file}.up`]))
      await rm(`${file}.up`)
      return sample
    }
    default:
      return part satisfies never
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function ssh(subject: SshSubject, command: string): Promise<string> {
  return client('ssh', ['-F', subject.config, 'there', command])
}

async function discard(subject: SshSubject, command: string): Promise<void> {
  const child = spawn('ssh', ['-F', subject.config, 'there', command], { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`ssh ended with ${code}`)
}

async function bulk(subject: SshSubject, work: () => Promise<unknown>): Promise<Sample> {
  const before = subject.pid === undefined ? 0 : cpuMs(subject.pid)
  const ms = await timed(work)
  const used = subject.pid === undefined ? 0 : cpuMs(subject.pid) - before
  return { mibPerSecond: BULK_MIB / (ms / 1000), cpuSecondsPerGib: (used / 1000 / BULK_MIB) * 1024 }
}

/** One key after the other at a raw terminal, each answered before the next. */
async function echo(subject: SshSubject): Promise<Sample> {
  const child = spawn('ssh', ['-F', subject.config, '-tt', 'there', 'stty raw -echo; echo ready; exec cat'])
  await answered(child, /ready/)
  const times: number[] = []
  for (let count = 0; count < FIRST_ECHOES; count++) await key(child)
  for (let count = 0; count < ECHOES; count++) times.push(await timed(() => key(child)))
  child.kill()
  await once(child, 'close')
  times.sort((a, b) => a - b)
  const at = (part: number): number => times[Math.floor(part * times.length)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

async function key(child: ChildProcessWithoutNullStreams): Promise<void> {
  const heard = once(child.stdout, 'data')
  child.stdin.write('x')
  await heard
}

async function answered(child: ChildProcessWithoutNullStreams, pattern: RegExp): Promise<void> {
  let said = ''
  while (!pattern.test(said)) {
    const [chunk] = await once(child.stdout, 'data')
    said += String(chunk)
  }
}

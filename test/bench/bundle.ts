import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFileSigner, openRecorder, StoreLedger } from '../../recorder/index.ts'
import { FileStore } from '../../recorder/store/store-file.ts'
import { entry, START, TEST_LIMITS } from '../support/recording.ts'
import type { BundleMeasured } from './bundle-process.ts'
import { median, rounded } from './support.ts'

/** One result frame: bytes that do not compress, as most of what is large is compressed already when it is read. */
const BODY_SIZE = 128 << 10
const FRAMES = 4
const SIZES = { small: 100, default: 1_000, issue: 10_000 } as const

interface BundleBench {
  readonly sessions: number
  readonly tapeBytes: number
  /** By what is verified and drawn. */
  readonly runs: readonly {
    readonly verify: 'all' | 'sample'
    readonly sample: number
    readonly seconds: number
    readonly cpuSeconds: number
    /** Of recordings in the population, per second of wall time and of CPU. */
    readonly mbPerSecond: number
    readonly mbPerCpuSecond: number
    readonly peakMiB: number
    readonly bundleBytes: number
  }[]
}

/** `only`: small (100 sessions), default (1,000, half a gigabyte), issue (10,000, 5 GB). Each run in a process of its own. */
export async function bench(options: {
  readonly rounds: number
  readonly only?: string
  readonly progress: (line: string) => void
}): Promise<BundleBench> {
  const sessions = SIZES[(options.only ?? 'default') as keyof typeof SIZES] ?? SIZES.default
  const path = await mkdtemp(join(tmpdir(), 'sallyport-bench-bundle-'))
  try {
    const tapeBytes = await record(path, sessions, options.progress)
    const runs: BundleBench['runs'][number][] = []
    for (const [verify, sample] of [
      ['all', 25],
      ['sample', 25],
      ['all', sessions],
    ] as const) {
      const measured: BundleMeasured[] = []
      for (let round = 0; round < options.rounds; round += 1) measured.push(await run(path, verify, sample))
      const seconds = median(measured.map((one) => one.seconds))
      const cpuSeconds = median(measured.map((one) => one.cpuSeconds))
      runs.push({
        verify,
        sample,
        seconds: rounded(seconds),
        cpuSeconds: rounded(cpuSeconds),
        mbPerSecond: rounded(tapeBytes / 1e6 / seconds),
        mbPerCpuSecond: rounded(tapeBytes / 1e6 / cpuSeconds),
        peakMiB: rounded(median(measured.map((one) => one.peakMiB))),
        bundleBytes: measured[0]?.bundleBytes ?? 0,
      })
      options.progress(JSON.stringify(runs.at(-1)))
    }
    return { sessions, tapeBytes, runs }
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

async function record(path: string, sessions: number, progress: (line: string) => void): Promise<number> {
  const store = new FileStore(path)
  const signer = await openFileSigner(join(path, 'keys'), 'gw1')
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer })
  const room = await openRecorder({
    gateway: 'gw1',
    store,
    signer,
    spoolFolder: join(path, 'spool'),
    ledger,
    limits: TEST_LIMITS,
  })
  let bytes = 0
  for (let n = 0; n < sessions; n += 1) {
    const { info, recorder } = await room.open(START)
    for (let frame = 0; frame < FRAMES; frame += 1)
      await recorder.append([entry({ dir: 'out', kind: 'rows', facts: { rows: 10 }, body: randomBytes(BODY_SIZE) })])
    await recorder.seal('client.left')
    bytes += (await stat(join(path, 'tapes', info.id, '0000.tape'))).size
    if (n % 500 === 499) progress(`${n + 1} sessions recorded`)
  }
  await room.close()
  await ledger.publish()
  await ledger.close()
  return bytes
}

async function run(path: string, verify: string, sample: number): Promise<BundleMeasured> {
  const child = fork(join(import.meta.dirname, 'bundle-process.ts'), [path, verify, String(sample)])
  const ended = once(child, 'exit')
  const [measured] = (await Promise.race([
    once(child, 'message'),
    ended.then(() => Promise.reject(new Error('the run ended'))),
  ])) as [BundleMeasured] // what bundle-process sends
  await ended
  return measured
}

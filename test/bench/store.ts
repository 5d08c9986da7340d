import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore, type Store } from '../../recorder/index.ts'
import type { LedgerEntry } from '../../recorder/ledger/ledger.ts'
import type { BlobPlace } from '../../recorder/store/places.ts'
import { startAzurite } from '../support/azurite.ts'
import { makeSigner, openTestLedger } from '../support/ledger.ts'
import { median, rounded } from './support.ts'

// What an append costs on each store, as sessions make them: `npm run bench -- store [--json]`. The emulator runs in a process of
// its own, in memory, on the same machine: it tells what our side costs and whether it keeps up, not how fast Azure is.

interface Case {
  readonly name: string
  readonly size: number
  readonly appends: number
  /** At once, each to an object of its own. */
  readonly sessions: number
}

const CASES: readonly Case[] = [
  { name: '4 KiB, 1 session', size: 4 << 10, appends: 200, sessions: 1 },
  { name: '64 KiB, 1 session', size: 64 << 10, appends: 200, sessions: 1 },
  { name: '4 MiB, 1 session', size: 4 << 20, appends: 8, sessions: 1 },
  { name: '64 KiB, 32 sessions', size: 64 << 10, appends: 10, sessions: 32 },
]

/** Sessions opened at once, and in all: each entry as `session.open` is, durable when its session may go on. */
const OPENS = { atOnce: 200, count: 2_000 } as const

const OPENS_NAME = `session.open in the ledger, ${OPENS.atOnce} at once`

interface Sample {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly perSecond: number
  readonly megabytesPerSecond: number
  /** Of this process: the folder's own work, or the client's side of a request. */
  readonly cpuMsPerAppend: number
}

type OpenEntry = Extract<LedgerEntry, { readonly type: 'session.open' }>

interface Result {
  readonly [name: string]: { readonly folder: Sample; readonly blob: Sample; readonly 'blob p50 / folder p50': number }
}

/** `session.open` entries of one gateway in its ledger; an append takes all that wait. */
async function measureOpens(store: Store): Promise<Sample> {
  const ledger = await openTestLedger(store, makeSigner(), { publish: false })
  let number = ledger.lastSession()
  const opened: OpenEntry = {
    type: 'session.open',
    session: '',
    number: 0,
    header: 'ab'.repeat(32),
    identity: 'agent-7',
    target: 'shop',
    policy: 'ab'.repeat(32),
    durability: 'process',
  }
  const tookMs: number[] = []
  const run = async (): Promise<void> => {
    for (let n = 0; n < OPENS.count / OPENS.atOnce; n += 1) {
      number += 1
      const session = `20261120T120000Z-gw1-${String(number).padStart(8, '0')}`
      const from = performance.now()
      await ledger.append({ ...opened, session, number })
      tookMs.push(performance.now() - from)
    }
  }
  const cpu = process.cpuUsage()
  const start = performance.now()
  await Promise.all(Array.from({ length: OPENS.atOnce }, run))
  const sample = sampleOf(tookMs, 0, performance.now() - start, process.cpuUsage(cpu))
  await ledger.close()
  return sample
}

async function measure(store: Store, { size, appends, sessions }: Case, prefix: string): Promise<Sample> {
  const bytes = Buffer.alloc(size, 'sallyport ')
  const tookMs: number[] = []
  const cpu = process.cpuUsage()
  const start = performance.now()
  await Promise.all(
    Array.from({ length: sessions }, async (_, session) => {
      for (let n = 0; n < appends; n += 1) {
        const from = performance.now()
        await store.append(`${prefix}-${session}`, n * size, bytes)
        tookMs.push(performance.now() - from)
      }
    }),
  )
  return sampleOf(tookMs, size, performance.now() - start, process.cpuUsage(cpu))
}

function sampleOf(tookMs: number[], size: number, ms: number, { user, system }: NodeJS.CpuUsage): Sample {
  const seconds = ms / 1000
  tookMs.sort((a, b) => a - b)
  const at = (share: number): number => tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? Number.NaN
  return {
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    perSecond: tookMs.length / seconds,
    megabytesPerSecond: (tookMs.length * size) / seconds / 1e6,
    cpuMsPerAppend: (user + system) / 1000 / tookMs.length,
  }
}

function middle(samples: readonly Sample[]): Sample {
  const of = (pick: (sample: Sample) => number): number => rounded(median(samples.map(pick)))
  return {
    p50Ms: of(({ p50Ms }) => p50Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    perSecond: of(({ perSecond }) => perSecond),
    megabytesPerSecond: of(({ megabytesPerSecond }) => megabytesPerSecond),
    cpuMsPerAppend: of(({ cpuMsPerAppend }) => cpuMsPerAppend),
  }
}

export async function bench(options: { readonly rounds: number; readonly progress: (line: string) => void }): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
  const emulator = fork(import.meta.filename, { env: { ...process.env, SALLYPORT_BENCH_AZURITE: '1' } })
  try {
    const place = await placeOf(emulator)
    const stores = { folder: await openStore({ folder }), blob: await openStore({ blob: place }) }
    const samples = new Map<string, { folder: Sample[]; blob: Sample[] }>()
    // The first round warms up.
    for (let round = 0; round <= options.rounds; round += 1) {
      options.progress(round === 0 ? 'warming up' : `round ${round} of ${options.rounds}`)
      const parts = CASES.map((each, index) => ({
        name: each.name,
        run: (store: Store) => measure(store, each, `r${round}/c${index}`),
      }))
      for (const { name: part, run } of [...parts, { name: OPENS_NAME, run: measureOpens }]) {
        for (const name of ['folder', 'blob'] as const) {
          const sample = await run(stores[name])
          const kept = samples.get(part) ?? { folder: [], blob: [] }
          if (round > 0) kept[name].push(sample)
          samples.set(part, kept)
        }
      }
    }
    return Object.fromEntries(
      [...samples].map(([name, { folder: onFolder, blob: onBlob }]) => {
        const [a, b] = [middle(onFolder), middle(onBlob)]
        return [name, { folder: a, blob: b, 'blob p50 / folder p50': rounded(b.p50Ms / a.p50Ms) }]
      }),
    )
  } finally {
    emulator.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

async function placeOf(emulator: ChildProcess): Promise<BlobPlace> {
  const [message]: unknown[] = await once(emulator, 'message')
  // Sent by the other half of this file.
  return message as BlobPlace
}

if (process.env['SALLYPORT_BENCH_AZURITE'] === '1' && process.send !== undefined) {
  const azurite = await startAzurite({ memorySize: 4 * 2 ** 30 })
  process.send(await azurite.place())
}

export function render(result: Result): string {
  return Object.entries(result)
    .flatMap(([name, { folder, blob }]) => [line(`${name}: folder`, folder), line(`${name}: blob`, blob)])
    .join('\n')
}

function line(name: string, { p50Ms, p99Ms, perSecond, megabytesPerSecond, cpuMsPerAppend }: Sample): string {
  return `${name.padEnd(28)} p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${perSecond}/s, ${megabytesPerSecond} MB/s, ${cpuMsPerAppend} ms CPU`
}

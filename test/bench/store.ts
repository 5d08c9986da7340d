import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore, type Store } from '../../recorder/index.ts'
import type { BlobPlace } from '../../recorder/store/places.ts'
import { startAzurite } from '../support/azurite.ts'
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

interface Sample {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly perSecond: number
  readonly megabytesPerSecond: number
  /** Of this process: the folder's own work, or the client's side of a request. */
  readonly cpuMsPerAppend: number
}

interface Result {
  readonly [name: string]: { readonly folder: Sample; readonly blob: Sample; readonly 'blob p50 / folder p50': number }
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
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
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
      for (const [index, each] of CASES.entries()) {
        for (const name of ['folder', 'blob'] as const) {
          const sample = await measure(stores[name], each, `r${round}/c${index}`)
          const kept = samples.get(each.name) ?? { folder: [], blob: [] }
          if (round > 0) kept[name].push(sample)
          samples.set(each.name, kept)
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

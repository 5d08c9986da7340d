import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  FileStore,
  openFileSigner,
  openRecorder,
  openTape,
  type RecorderRoom,
  StoreLedger,
  verifyTape,
} from '../../recorder/index.ts'
import type { GatewaySigner } from '../../recorder/tape/signer.ts'
import { entry, START } from '../support/recording.ts'
import { type LargeTape, measureLarge } from './tape-large.ts'

// What recording costs beside writing the same bytes to a plain file, in one run, and what a
// long tape costs to open, look into, verify and recover: `npm run bench -- tape [--json]`.

const SMALL_FRAMES = 100_000
const SMALL_SIZE = 300
/** The one long tape. */
const LARGE_FRAMES = 1_000_000
const BULK_SIZE = 64 << 10
const BULK_FRAMES = 4_000
/** As a slow reader would: appends per turn of the loop. */
const APPENDS_PER_TURN = 16

interface Sample {
  readonly wallUs: number
  readonly cpuUs: number
}

/** Rows as a query returns them: half words, half numbers, so that compression has something to do and not everything. */
function rows(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let at = 0
  for (let row = 0; at < size; row += 1)
    at += bytes.write(`${row}|customer ${(row * 7919) % 100_003}|${(row * 104_729) % 9973}.00|shipped|2026-11-20\n`, at)
  return bytes
}

async function measure(count: number, work: () => Promise<void>): Promise<Sample> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return { wallUs: ((performance.now() - start) * 1000) / count, cpuUs: (user + system) / count }
}

async function plain(path: string, body: Buffer, count: number): Promise<void> {
  const fd = openSync(path, 'w')
  for (let index = 0; index < count; index += 1) {
    writeSync(fd, body)
    if (index % APPENDS_PER_TURN === 0) await new Promise(setImmediate)
  }
  fdatasyncSync(fd)
  closeSync(fd)
}

async function recorded(room: RecorderRoom, body: Buffer, count: number): Promise<string> {
  const { info, recorder } = await room.open(START)
  for (let index = 0; index < count; index += 1) {
    await recorder.append([entry({ dir: 'out', kind: 'rows', facts: { rows: 3 }, body })])
    if (index % APPENDS_PER_TURN === 0) await new Promise(setImmediate)
  }
  await recorder.seal('client.left')
  return info.id
}

async function verified(store: FileStore, id: string, signer: GatewaySigner): Promise<void> {
  const { verdict, problems } = await verifyTape(store, id, { gatewayKeys: [signer] })
  if (verdict !== 'VALID') throw new Error(`${verdict}: ${JSON.stringify(problems)}`)
}

async function read(store: FileStore, id: string): Promise<void> {
  let frames = 0
  for await (const _ of (await openTape(store, id)).frames()) frames += 1
  if (frames === 0) throw new Error('nothing was read')
}

function median(samples: readonly Sample[]): Sample {
  const middle = (pick: (sample: Sample) => number): number => samples.map(pick).sort((a, b) => a - b)[samples.length >> 1] ?? 0
  return { wallUs: middle(({ wallUs }) => wallUs), cpuUs: middle(({ cpuUs }) => cpuUs) }
}

interface Result {
  readonly perFrame: Readonly<Record<string, Sample>>
  readonly ratios: Readonly<Record<string, Sample>>
  readonly verifiedFramesPerCpuSecond: number
  readonly bulkMegabytesPerSecond: number
  readonly large: LargeTape
}

export async function bench({
  rounds,
  progress,
}: {
  readonly rounds: number
  readonly progress: (line: string) => void
}): Promise<Result> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
  const signer = await openFileSigner(join(path, 'keys'), 'gw1')
  const store = new FileStore(path)
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer })
  const room = await openRecorder({ gateway: 'gw1', store, signer, spoolFolder: join(path, 'spool'), ledger })
  let large: LargeTape
  const samples = new Map<string, Sample[]>()
  const small = rows(SMALL_SIZE)
  const bulk = rows(BULK_SIZE)
  let [smallTape, bulkTape] = ['', '']
  const subjects: readonly (readonly [string, number, () => Promise<void>])[] = [
    ['small plain', SMALL_FRAMES, () => plain(join(path, 'plain'), small, SMALL_FRAMES)],
    [
      'small recorded',
      SMALL_FRAMES,
      async () => {
        smallTape = await recorded(room, small, SMALL_FRAMES)
      },
    ],
    ['bulk plain', BULK_FRAMES, () => plain(join(path, 'plain'), bulk, BULK_FRAMES)],
    [
      'bulk recorded',
      BULK_FRAMES,
      async () => {
        bulkTape = await recorded(room, bulk, BULK_FRAMES)
      },
    ],
    ['small read', SMALL_FRAMES, () => read(store, smallTape)],
    ['small verified', SMALL_FRAMES, () => verified(store, smallTape, signer)],
    ['bulk verified', BULK_FRAMES, () => verified(store, bulkTape, signer)],
  ]
  try {
    // The first round warms up.
    for (let round = 0; round <= rounds; round += 1) {
      progress(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
      for (const [name, count, work] of subjects) {
        const sample = await measure(count, work)
        if (round > 0) samples.set(name, [...(samples.get(name) ?? []), sample])
      }
    }
    progress(`one tape of ${LARGE_FRAMES} frames`)
    large = await measureLarge({ path, store, room, signer }, LARGE_FRAMES, small)
  } finally {
    await room.close()
    await ledger.close()
    await rm(path, { recursive: true, force: true })
  }
  const medians = new Map([...samples].map(([name, all]) => [name, median(all)]))
  const of = (name: string): Sample => medians.get(name) ?? { wallUs: Number.NaN, cpuUs: Number.NaN }
  const ratio = (a: string, b: string): Sample => ({
    wallUs: round2(of(a).wallUs / of(b).wallUs),
    cpuUs: round2(of(a).cpuUs / of(b).cpuUs),
  })
  return {
    perFrame: Object.fromEntries(
      [...medians].map(([name, { wallUs, cpuUs }]) => [name, { wallUs: round2(wallUs), cpuUs: round2(cpuUs) }]),
    ),
    ratios: {
      'small recorded / plain': ratio('small recorded', 'small plain'),
      'bulk recorded / plain': ratio('bulk recorded', 'bulk plain'),
    },
    verifiedFramesPerCpuSecond: Math.round(1e6 / of('small verified').cpuUs),
    large,
    bulkMegabytesPerSecond: Math.round(BULK_SIZE / of('bulk recorded').wallUs),
  }
}

export function render(result: Result): string {
  const line = (name: string, { wallUs, cpuUs }: Sample, unit: string): string =>
    `${name.padEnd(26)} ${String(wallUs).padStart(9)} ${String(cpuUs).padStart(9)}  ${unit}`
  return [
    `${''.padEnd(26)} ${'wall'.padStart(9)} ${'CPU'.padStart(9)}`,
    ...Object.entries(result.perFrame).map(([name, sample]) => line(name, sample, 'us per frame')),
    ...Object.entries(result.ratios).map(([name, sample]) => line(name, sample, 'times')),
    `a tape of ${result.large.frames} frames: ${JSON.stringify(result.large)}`,
    `verified: ${result.verifiedFramesPerCpuSecond} frames per CPU second; bulk: ${result.bulkMegabytesPerSecond} MB/s recorded`,
  ].join('\n')
}

function round2(value: number): number {
  return Math.round(value * 100) / 100
}

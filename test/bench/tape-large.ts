import { mkdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { FileStore, openTape, type RecorderRoom, type Store, verifyTape } from '../../recorder/index.ts'
import { recoverOrphans } from '../../recorder/tape/recover-orphans.ts'
import type { GatewaySigner } from '../../recorder/tape/signer.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import { Random } from '../support/random.ts'
import { entry, START } from '../support/recording.ts'
import { median, rounded } from './support.ts'

const SEEKS = 40
const APPENDS_PER_TURN = 16

/** One long tape: what it takes to write, open, look into, verify and, cut by a crash, to end. */
export interface LargeTape {
  readonly frames: number
  readonly bytes: number
  readonly indexBytes: number
  readonly recordUsPerFrame: number
  readonly open: { readonly requests: number; readonly bytes: number; readonly ms: number }
  /** Medians over seeks to frames drawn at random, each with a reader that has the index. */
  readonly seek: { readonly requests: number; readonly bytes: number; readonly ms: number }
  readonly verifySeconds: number
  readonly verifiedFramesPerCpuSecond: number
  /** From a tape without an end to one with: of a gateway that is gone. */
  readonly recoveryMs: number
}

export async function measureLarge(
  parts: { readonly path: string; readonly store: FileStore; readonly room: RecorderRoom; readonly signer: GatewaySigner },
  frames: number,
  body: Buffer,
): Promise<LargeTape> {
  const { store, room, signer } = parts
  const { info, recorder } = await room.open(START)
  const record = cpu()
  for (let index = 0; index < frames; index += 1) {
    await recorder.append([entry({ dir: 'out', kind: 'rows', facts: { rows: 3 }, body })])
    if (index % APPENDS_PER_TURN === 0) await new Promise(setImmediate)
  }
  await recorder.seal('client.left')
  const recordUs = record()
  const key = tapeKeys.segment(info.id, 0)
  const counted = new CountingStore(store)

  const openMs: number[] = []
  let openCost = { requests: 0, bytes: 0 }
  for (let round = 0; round < 5; round += 1) {
    counted.reset()
    const started = performance.now()
    await openTape(counted, info.id)
    openMs.push(performance.now() - started)
    openCost = counted.cost
  }
  const tape = await openTape(counted, info.id)
  const random = new Random(1)
  const seeks: { readonly requests: number; readonly bytes: number; readonly ms: number }[] = []
  for (let round = 0; round < SEEKS; round += 1) {
    const seq = random.between(0, frames - 1)
    counted.reset()
    const started = performance.now()
    for await (const frame of tape.frames({ fromSeq: seq, toSeq: seq + 1 }))
      if (frame.seq !== seq) throw new Error('another frame')
    seeks.push({ ...counted.cost, ms: performance.now() - started })
  }
  const verify = cpu()
  const verifyStart = performance.now()
  const { verdict, problems } = await verifyTape(store, info.id, { gatewayKeys: [signer] })
  if (verdict !== 'VALID') throw new Error(`${verdict}: ${JSON.stringify(problems)}`)
  const verifyMs = performance.now() - verifyStart
  const verifyUs = verify()
  const bytes = await store.size(key)
  const lastRow = tape.segments.at(-1)?.chunks.at(-1)
  return {
    frames,
    bytes,
    indexBytes: lastRow === undefined ? 0 : bytes - lastRow[0] - lastRow[1],
    recordUsPerFrame: rounded(recordUs / frames),
    open: { ...openCost, ms: rounded(median(openMs)) },
    seek: {
      requests: median(seeks.map(({ requests }) => requests)),
      bytes: median(seeks.map((one) => one.bytes)),
      ms: rounded(median(seeks.map(({ ms }) => ms))),
    },
    verifySeconds: rounded(verifyMs / 1000),
    verifiedFramesPerCpuSecond: rounded(frames / (verifyUs / 1e6)),
    recoveryMs: rounded(await recovery(parts, info.id, bytes)),
  }
}

/** A copy of the tape, cut in its last chunk, is ended by another gateway. */
async function recovery({ path, store, signer }: Parameters<typeof measureLarge>[0], id: string, size: number): Promise<number> {
  const folder = join(path, 'cut')
  await mkdir(folder)
  const cut = new FileStore(folder)
  for (const key of [tapeKeys.segment(id, 0), tapeKeys.salt(id)]) await cut.put(key, await store.get(key))
  await truncate(join(folder, tapeKeys.segment(id, 0)), Math.floor(size * 0.95))
  const ledger = { append: async () => undefined, lastSession: () => 0, close: async () => undefined }
  const started = performance.now()
  const report = await recoverOrphans({
    gateway: 'gw2',
    store: cut,
    signer,
    ledger,
    codec: 'zstd',
    isStale: () => true,
    patienceMs: 10_000,
  })
  if (report.sessions.length !== 1) throw new Error(`nothing was recovered: ${JSON.stringify(report)}`)
  return performance.now() - started
}

/** What a remote store would be asked. */
class CountingStore implements Store {
  readonly #store: Store
  #cost = { requests: 0, bytes: 0 }

  constructor(store: Store) {
    this.#store = store
  }

  get cost(): { readonly requests: number; readonly bytes: number } {
    return { ...this.#cost }
  }

  reset(): void {
    this.#cost = { requests: 0, bytes: 0 }
  }

  async get(...given: Parameters<Store['get']>): Promise<Uint8Array> {
    this.#cost.requests += 1
    const bytes = await this.#store.get(...given)
    this.#cost.bytes += bytes.length
    return bytes
  }

  size(...given: Parameters<Store['size']>): Promise<number> {
    this.#cost.requests += 1
    return this.#store.size(...given)
  }

  list(...given: Parameters<Store['list']>): AsyncIterable<string> {
    this.#cost.requests += 1
    return this.#store.list(...given)
  }

  append(...given: Parameters<Store['append']>): Promise<void> {
    return this.#store.append(...given)
  }

  put(...given: Parameters<Store['put']>): Promise<void> {
    return this.#store.put(...given)
  }
}

function cpu(): () => number {
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
}

import type { Output } from '../../gateway/message.ts'
import type { RecorderRoom } from '../../recorder/index.ts'
import { int32, message, session, TABLE } from './pipeline-session.ts'
import { median, rounded } from './support.ts'

// What recording adds to a bulk result between the sockets: the same rows through the same gate, recorded and not.

const MiB = 1 << 20
/** What one read of a socket brings. */
const READ = 64 << 10
const SIZE = 256 * MiB
/** Of pgbench_accounts: name, number, OID of the type. */
const COLUMNS = [
  ['aid', 1, 23],
  ['bid', 2, 23],
  ['abalance', 3, 23],
  ['filler', 4, 1042],
] as const
const FILLER = 84
const CITIES = ['Oslo', 'Lyon', 'Cork', 'Graz']

export interface BulkCost {
  /** Of processor time in all threads, ms a MiB, medians. */
  readonly recordedMs: number
  readonly unrecordedMs: number
  /** Of the event loop alone. */
  readonly recordedLoopMs: number
  readonly unrecordedLoopMs: number
}

export async function measureBulk(room: RecorderRoom, rounds: number, progress: (line: string) => void): Promise<BulkCost> {
  const samples: Record<'recorded' | 'unrecorded', { readonly all: number[]; readonly loop: number[] }> = {
    recorded: { all: [], loop: [] },
    unrecorded: { all: [], loop: [] },
  }
  const reads = Array.from({ length: 16 }, (_, index) => rowsOf(index * 10_007))
  for (let round = 0; round <= rounds; round += 1) {
    progress(round === 0 ? 'bulk: warming up' : `bulk: round ${round} of ${rounds}`)
    for (const how of ['recorded', 'unrecorded'] as const) {
      const cost = await pass(room, reads, how === 'unrecorded')
      if (round === 0) continue
      samples[how].all.push(cost.all)
      samples[how].loop.push(cost.loop)
    }
  }
  const ms = (values: readonly number[]): number => rounded(median(values))
  return {
    recordedMs: ms(samples.recorded.all),
    unrecordedMs: ms(samples.unrecorded.all),
    recordedLoopMs: ms(samples.recorded.loop),
    unrecordedLoopMs: ms(samples.unrecorded.loop),
  }
}

/** One result of `SIZE` bytes; what recording still does behind it counts. */
async function pass(
  room: RecorderRoom,
  reads: readonly Buffer[],
  unrecorded: boolean,
): Promise<{ readonly all: number; readonly loop: number }> {
  let given = 0
  const one = await session(
    room,
    (outputs: readonly Output[]) => {
      for (const { bytes } of outputs) given += bytes.length
    },
    unrecorded,
  )
  const began = [process.cpuUsage(), process.threadCpuUsage()] as const
  await one.pass('client', message('Q', 'SELECT * FROM pgbench_accounts'))
  await one.pass('server', message('T', [0, COLUMNS.length], ...COLUMNS.flatMap(described)))
  let sent = 0
  while (sent < SIZE) {
    const read = reads[sent % reads.length] ?? rowsOf(0)
    const passed = one.pass('server', read)
    if (passed !== undefined) await passed
    sent += read.length
    await new Promise(setImmediate)
  }
  await one.pass('server', Buffer.concat([message('C', 'SELECT 1'), message('Z', [0x49])]))
  await one.visit[Symbol.asyncDispose]()
  if (given < sent) throw new Error(`${given} of ${sent} bytes were delivered: the run is void`)
  const all = process.cpuUsage(began[0])
  const loop = process.threadCpuUsage(began[1])
  const perMiB = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e3 / (sent / MiB)
  return { all: perMiB(all), loop: perMiB(loop) }
}

function described([name, number, type]: (typeof COLUMNS)[number]): readonly (string | readonly number[])[] {
  return [name, int32(TABLE), [0, number], int32(type), [255, 255], int32(-1), [0, 0]]
}

/** As many whole rows as a read holds; the filler is what a shop might keep there. */
function rowsOf(from: number): Buffer {
  const rows: Buffer[] = []
  for (let size = 0, id = from; size < READ; id += 1) {
    const filler = `item ${(id * 7919) % 5_000} of the autumn list, to ${CITIES[id % CITIES.length]} in ${id % 9} boxes`.padEnd(
      FILLER,
    )
    const cells = [`${id}`, `${1 + (id % 10)}`, `${((id * 31) % 9_973) - 5_000}`, filler]
    const row = message('D', [0, cells.length], ...cells.flatMap((cell) => [int32(cell.length), [...Buffer.from(cell)]]))
    rows.push(row)
    size += row.length
  }
  return Buffer.concat(rows)
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Output } from '../../gateway/message.ts'
import { FileStore, openFileSigner, openRecorder, StoreLedger } from '../../recorder/index.ts'
import { measureBulk } from './pipeline-bulk.ts'
import { int32, message, session, TABLE } from './pipeline-session.ts'
import { median, rounded } from './support.ts'

// What one small query costs between the sockets, in processor time: wire, lane, gate, policy, masking, recording, spool, chunks.

/** One query each, then the loop has its turn. */
const SESSIONS = 8
const QUERIES = 40_000
const MODES = ['simple', 'extended', 'prepared'] as const

type Mode = (typeof MODES)[number]

const SYNC = message('S')
const READY = message('Z', [0x49])
const DESCRIPTION = message('T', [0, 1], 'abalance', int32(TABLE), [0, 3], int32(23), [0, 4], int32(-1), [0, 0])
const ROW = message('D', [0, 1], int32(1), [0x30])
const DONE = message('C', 'SELECT 1')
const PARAMETERIZED = 'SELECT abalance FROM pgbench_accounts WHERE aid = $1;'

/** What pgbench's select-only script sends and a server answers, as they come off the sockets. */
function talk(mode: Mode, aid: number): readonly [request: Buffer, answer: Buffer] {
  const text = String(aid)
  if (mode === 'simple') {
    const request = message('Q', `SELECT abalance FROM pgbench_accounts WHERE aid = ${text};`)
    return [request, Buffer.concat([DESCRIPTION, ROW, DONE, READY])]
  }
  const name = mode === 'prepared' ? 'P_0' : ''
  const bind = message('B', '', name, [0, 0, 0, 1], int32(text.length), [...Buffer.from(text)], [0, 1, 0, 0])
  const request = [bind, message('D', [0x50], ''), message('E', '', int32(0)), SYNC]
  const answer = [message('2'), DESCRIPTION, ROW, DONE, READY]
  if (mode === 'prepared') return [Buffer.concat(request), Buffer.concat(answer)]
  return [Buffer.concat([message('P', '', PARAMETERIZED, [0, 0]), ...request]), Buffer.concat([message('1'), ...answer])]
}

export async function bench({
  rounds,
  progress,
}: {
  readonly rounds: number
  readonly progress: (line: string) => void
}): Promise<object> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-bench-'))
  const signer = await openFileSigner(join(path, 'keys'), 'gw1')
  const store = new FileStore(path)
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer })
  const room = await openRecorder({
    gateway: 'gw1',
    store,
    signer,
    spoolFolder: join(path, 'spool'),
    ledger,
  })
  let bulk: Awaited<ReturnType<typeof measureBulk>>
  const samples = new Map<Mode, number[]>(MODES.map((mode) => [mode, []]))
  try {
    let bytes = 0
    const delivered = (outputs: readonly Output[]): void => {
      for (const output of outputs) bytes += output.bytes.length
    }
    const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => session(room, delivered)))
    for (const one of sessions) {
      await one.pass('client', Buffer.concat([message('P', 'P_0', PARAMETERIZED, [0, 0]), SYNC]))
      await one.pass('server', Buffer.concat([message('1'), READY]))
    }
    for (let round = 0; round <= rounds; round++) {
      progress(round === 0 ? 'warming up' : `round ${round} of ${rounds}`)
      for (const mode of MODES) {
        const talks = Array.from({ length: 1000 }, (_, index) => talk(mode, 1 + ((index * 7919 + round * 31) % 1_000_000)))
        bytes = 0
        let due = 0
        const before = process.cpuUsage()
        for (let query = 0; query < QUERIES; ) {
          // All ask, then all are answered: between a question and its answer come those of others.
          for (const [index, one] of sessions.entries()) {
            const [request] = talks[(query + index) % talks.length] ?? talk(mode, 1)
            const asked = one.pass('client', request)
            if (asked !== undefined) await asked
            due += request.length
          }
          for (const one of sessions) {
            const [, answer] = talks[query % talks.length] ?? talk(mode, 1)
            const answered = one.pass('server', answer)
            if (answered !== undefined) await answered
            due += answer.length
            query++
          }
          await new Promise(setImmediate)
        }
        const { user, system } = process.cpuUsage(before)
        if (bytes !== due) throw new Error(`${bytes} of ${due} bytes were delivered: the run is void`)
        if (round > 0) samples.get(mode)?.push((user + system) / QUERIES)
      }
    }
    for (const { visit } of sessions) await visit[Symbol.asyncDispose]()
    bulk = await measureBulk(room, rounds, progress)
  } finally {
    await room.close()
    await ledger.close()
    await rm(path, { recursive: true, force: true })
  }
  return {
    rounds,
    bulk,
    cpuUsPerQuery: Object.fromEntries([...samples].map(([mode, values]) => [mode, rounded(median(values))])),
    // What disturbs on a shared machine only ever adds.
    least: Object.fromEntries([...samples].map(([mode, values]) => [mode, rounded(Math.min(...values))])),
  }
}

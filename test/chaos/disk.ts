import { writevSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { recoverSpools } from '../../recorder/tape/recover.ts'
import { SpoolFile } from '../../recorder/tape/spool-file.ts'
import { DURABILITY_LEVELS } from '../../schemas/session.ts'
import { FaultyStore } from '../support/faulty-store.ts'
import { MemoryStore } from '../support/memory-store.ts'
import type { RecordingFolder } from '../support/recording.ts'
import { checkTape, DrivenSession } from './recorded-sessions.ts'
import { type Account, type Context, eachRun, type Scenario } from './scenario.ts'

function noSpace(): never {
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
}

/** What the process leaves when it dies now is recovered by another name, as at the next start. */
async function recoverCopy(folder: RecordingFolder, store: MemoryStore, account: Account): Promise<void> {
  const root = join(folder.path, 'after')
  await cp(join(folder.path, 'spool', 'gw1'), join(root, 'gw1'), { recursive: true })
  await rm(join(root, 'gw1', 'lock'), { force: true })
  const ledger = { append: async () => undefined, lastSession: () => 0, close: async () => undefined }
  const report = await recoverSpools({
    root,
    gateway: 'gw2',
    store,
    signer: folder.signer,
    ledger,
    codec: 'zstd',
    patienceMs: 100,
  })
  for (const { session, message } of report.problems)
    account.violation(`run ${account.runs}, ${session}: not recovered: ${message}`)
}

export const diskFull: Scenario = {
  name: 'disk-full',
  about: 'the disk takes no more at a random byte, the store neither; then the process dies',
  defaultRuns: 20,
  play: (context: Context, account: Account) =>
    eachRun(context, account, async (random, folder) => {
      const kept = new MemoryStore()
      const store = new FaultyStore(kept)
      let left = random.scale(2_000, 1_500_000)
      const room = await folder.room({
        store,
        limits: { patienceMs: 100, chunkAgeMs: random.scale(2, 200) },
        spool: {
          write: (fd, buffers, position) => {
            const size = buffers.reduce((sum, { length }) => sum + length, 0)
            if (size > left) {
              // As much as there is room for, as write(2) does.
              const room = left
              left = 0
              return room > 0 ? writevSync(fd, [Buffer.concat(buffers).subarray(0, room)], position) : noSpace()
            }
            left -= size
            return writevSync(fd, buffers, position)
          },
          createFile: (path, size) => (left > 0 ? SpoolFile.create(path, size) : noSpace()),
        },
      })
      const sessions = await Promise.all(DURABILITY_LEVELS.map((level) => DrivenSession.open(room, level)))
      store.fault = () => (left === 0 ? 'not-done' : undefined)
      await Promise.all(sessions.map((session) => session.drive(random.fork(), 1_000)))
      if (sessions.every(({ failure }) => failure === undefined))
        account.violation(`run ${account.runs}: the disk never was full`)
      // The machine is switched off with the disk still full, or the store comes back first.
      if (random.chance(0.5)) {
        store.fault = () => undefined
        for (const session of sessions) await session.recorder.seal('recording.failed').catch(() => undefined)
      }
      const frozen = kept.copy()
      await recoverCopy(folder, frozen, account)
      for (const session of sessions) await checkTape(session, frozen, [folder.signer], account)
      store.fault = () => undefined
    }),
}

export const spoolQuota: Scenario = {
  name: 'spool-quota',
  about: 'the store is away and the spool of the process fills: sessions are held, then ended; sealed when it is back',
  defaultRuns: 10,
  play: (context: Context, account: Account) =>
    eachRun(context, account, async (random, folder) => {
      const kept = new MemoryStore()
      const store = new FaultyStore(kept)
      const walSize = 256 << 10
      const limits = {
        walSize,
        walReserveSize: 32 << 10,
        walCount: random.between(1, 3),
        patienceMs: 150,
        budgetMs: 60_000,
        retrySealMs: 20,
      }
      const room = await folder.room({ store, limits: { ...limits, chunkAgeMs: 20 } })
      const sessions = await Promise.all([1, 2, 3, 4].map(() => DrivenSession.open(room, 'process')))
      // A store that is slow, not failing: what fills up is the spool.
      const { promise, resolve } = Promise.withResolvers<void>()
      store.gate = promise
      await Promise.all(sessions.map((session) => session.drive(random.fork(), 400)))
      if (!sessions.some(({ failure }) => failure !== undefined)) account.violation(`run ${account.runs}: nobody was ended`)
      const died = random.chance(0.3)
      if (!died) {
        store.gate = Promise.resolve()
        resolve()
        for (const session of sessions) await session.recorder.seal('recording.failed').catch(() => undefined)
        await room.close().catch(() => undefined)
        for (const session of sessions) await checkTape(session, kept, [folder.signer], account, ['VALID'])
      } else {
        const frozen = kept.copy()
        await recoverCopy(folder, frozen, account)
        for (const session of sessions) await checkTape(session, frozen, [folder.signer], account)
        resolve()
      }
    }),
}

import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFileSigner, openStore, type Store } from '../../recorder/index.ts'
import { RECORDER_LIMITS } from '../../recorder/tape/limits.ts'
import { readStoreKeys } from '../../recorder/tape/published-keys.ts'
import { recoverOrphans } from '../../recorder/tape/recover-orphans.ts'
import type { Durability } from '../../schemas/session.ts'
import { type Azurite, startAzurite } from '../support/azurite.ts'
import { RealGateway, Talker } from './real-gateway.ts'
import { compare } from './released.ts'
import type { Account, Context, Scenario } from './scenario.ts'

/** Between a release and its arrival here, on a machine that has other things to do. */
const JITTER_MS = 1_500
/** What an append and the chunk it closes may bring beyond the budget. */
const BEYOND_BUDGET = 2 << 20

export const lostMachine: Scenario = {
  name: 'lost-machine',
  about: 'SIGKILL at durability blob, the spool is deleted, another replica ends the tapes in Blob Storage: nothing is lost',
  defaultRuns: 15,
  play: (context, account) => play('blob', context, account),
}

export const lostMachineWindow: Scenario = {
  name: 'lost-machine-window',
  about: 'the same at durability process: at most the stated window is lost',
  defaultRuns: 15,
  play: (context, account) => play('process', context, account),
}

async function play(durability: Durability, context: Context, account: Account): Promise<void> {
  await using azurite = await startAzurite()
  for (let run = 0; run < context.runs; run += 1) {
    account.runs += 1
    await playOnce(durability, azurite, context, account)
    context.progress(`run ${run + 1} of ${context.runs}`)
  }
}

async function playOnce(durability: Durability, azurite: Azurite, context: Context, account: Account): Promise<void> {
  const random = context.random.fork()
  const place = await azurite.place(`m-${randomUUID()}`)
  await using gateway = await RealGateway.make({ durability, store: place })
  await gateway.start()
  const port = await gateway.port('echo')
  const offset = random.scale(500, 3_000_000)
  let given = 0
  const talkers = await Promise.all(
    [1, 2].map((index) => Talker.enter(port, gateway.key, random.fork(), `begin ${index} here`, count)),
  )
  function count(size: number): void {
    given += size
    if (given >= offset && given - size < offset) process.kill(gateway.pid, 'SIGKILL')
  }
  await Promise.all(talkers.map((talker) => talker.talk()))
  await gateway.kill()
  await Promise.all(talkers.map(({ gone }) => gone))
  await rm(gateway.dataDir, { recursive: true })

  const store = await openStore({ blob: place })
  const signer = await replica(store)
  const keys = [...(await readStoreKeys(store)), signer]
  for (const talker of talkers) {
    const session = gateway.sessionOf(talker.localPort)
    if (session === undefined) continue
    const client = talker.received
    const { missing, result } = await compare({ session, client, target: gateway.target.with(talker.tag) }, store, keys, account)
    const at = `run ${account.runs}, ${session}`
    if (result.state !== 'recovered') account.violation(`${at}: it was not ended: ${result.state}`)
    const lost = missing.client + missing.target
    if (lost === 0) continue
    account.lostInWindow += lost
    if (durability === 'blob') account.violation(`${at}: ${lost} bytes delivered are lost`)
    else {
      const first = talker.arrivals.find(({ total }) => total > client.length - missing.client)
      const spanMs = first === undefined ? 0 : (talker.arrivals.at(-1)?.atMs ?? 0) - first.atMs
      if (
        lost > Math.max(RECORDER_LIMITS.budgetSize, RECORDER_LIMITS.sharedSize) + BEYOND_BUDGET ||
        spanMs > RECORDER_LIMITS.budgetMs + JITTER_MS
      )
        account.violation(`${at}: ${lost} bytes over ${Math.round(spanMs)} ms are lost, more than the stated window`)
    }
  }
}

/** Another replica, on a machine of its own, ends what the first has left. */
async function replica(store: Store) {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-replica-'))
  try {
    const signer = await openFileSigner(folder, 'gw2')
    const ledger = { append: async () => undefined, lastSession: () => 0, close: async () => undefined }
    const parts = { gateway: 'gw2', store, signer, ledger, codec: 'zstd', patienceMs: 10_000 } as const
    const { problems } = await recoverOrphans({ ...parts, isStale: (name) => name === 'gw1' })
    if (problems.length > 0) throw new Error(JSON.stringify(problems))
    return signer
  } finally {
    await rm(folder, { recursive: true })
  }
}

import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { RecordsDesk } from '../../recorder/desk/desk-records.ts'
import { DatabaseAskers, DatabaseRecords } from '../../recorder/desk/records-database.ts'
import { SharedDatabase } from '../../recorder/desk/shared-database.ts'
import { openStore } from '../../recorder/index.ts'
import { readStoreKeys } from '../../recorder/tape/published-keys.ts'
import type { Approval } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { startAzurite } from '../support/azurite.ts'
import { EchoClient } from '../support/echo-gateway.ts'
import { type PgServer, startPostgres } from '../support/pg-server.ts'
import type { Random } from '../support/random.ts'
import { RealGateway, Talker } from './real-gateway.ts'
import { compare } from './released.ts'
import type { Account, Context, Scenario } from './scenario.ts'

const NAMES = ['a', 'b', 'c'] as const
const LARGEST_OFFSET = 1_000_000
const DECIDED_MS = 60_000
const MAX_TRIES = 20
const POLICY = `version: 1
rules:
  - id: ask-first
    action: hold
    match: { text: 'please *' }
    reason: a person decides about requests
    approval: { groups: [deciders], timeout: 120s }
`

export const killReplicas: Scenario = {
  name: 'kill-replicas',
  about:
    'three gateways without a common folder, one killed at a random byte, mostly with its disk: no frame and no decision is lost',
  defaultRuns: 30,
  async play(context: Context, account: Account) {
    await using server = await startPostgres({ settings: { max_connections: '200' } })
    await using azurite = await startAzurite()
    await server.sql('create database shared')
    const place = await azurite.place(`k-${randomUUID()}`)
    await using stack = new AsyncDisposableStack()
    const gateways: RealGateway[] = []
    for (const name of NAMES) {
      const env = { SALLYPORT_REPLICA: name }
      const made = { durability: 'blob', store: place, shared: urlOf(server), policy: POLICY, env } as const
      gateways.push(stack.use(await RealGateway.make(made)))
    }
    await Promise.all(gateways.map((each) => each.start()))
    const database = stack.use(await SharedDatabase.open({ url: urlOf(server) }, () => undefined))
    const records = new DatabaseRecords(database, 'approvals')
    const desk = stack.use(new RecordsDesk({ records, askers: new DatabaseAskers(database) }))
    const store = await openStore({ blob: place })
    for (let run = 0; run < context.runs; run += 1) {
      account.runs += 1
      await playOnce({ gateways, desk, random: context.random.fork(), store, account })
      context.progress(`run ${run + 1} of ${context.runs}`)
    }
    for (const each of gateways) await each.stop()
  },
}

async function playOnce(parts: {
  readonly gateways: readonly RealGateway[]
  readonly desk: RecordsDesk
  readonly random: Random
  readonly store: Awaited<ReturnType<typeof openStore>>
  readonly account: Account
}): Promise<void> {
  const { gateways, desk, random, store, account } = parts
  const victim = gateways[random.between(0, gateways.length - 1)] ?? fail()
  const offset = random.scale(500, LARGEST_OFFSET)
  const losesDisk = random.chance(0.7)
  let given = 0
  const count = (size: number): void => {
    given += size
    if (given >= offset && given - size < offset) process.kill(victim.pid, 'SIGKILL')
  }
  const over = new AbortController()
  const deciding = decideAll(gateways, desk, over.signal)
  // Told where it is awaited; until then it is nobody's, and would end the process.
  deciding.catch(() => over.abort())
  const port = await victim.port('echo')
  const talkers = await Promise.all(
    [1, 2].map((index) => Talker.enter(port, victim.key, random.fork(), `begin ${index} here`, count)),
  )
  await Promise.all(talkers.map((talker) => talker.talk()))
  await victim.kill()
  await Promise.all(talkers.map(({ gone }) => gone))
  over.abort()
  const decided = await deciding
  const sessions = talkers.map((talker) => ({ talker, session: victim.sessionOf(talker.localPort) }))
  if (losesDisk) await rm(victim.dataDir, { recursive: true })
  await victim.start()
  const keys = await readStoreKeys(store)
  for (const { talker, session } of sessions) {
    if (session === undefined) continue
    const { missing } = await compare(
      { session, client: talker.received, target: victim.target.with(talker.tag) },
      store,
      keys,
      account,
    )
    if (missing.client + missing.target > 0)
      account.violation(`run ${account.runs}, ${session}: ${missing.client} + ${missing.target} bytes delivered are lost`)
  }
  for (const id of decided) {
    const { state, decisions } = await answered(() => desk.get(id))
    if (decisions.length !== 1 || !['approved', 'consumed'].includes(state))
      account.violation(`run ${account.runs}: the decision on ${id} is lost: it is ${state}`)
  }
  victim.target.received.clear()
}

/** Asks every gateway for something, over and over, and approves what is held; the ids of what was approved. */
async function decideAll(gateways: readonly RealGateway[], desk: RecordsDesk, signal: AbortSignal): Promise<readonly string[]> {
  const decided: string[] = []
  const decider = { subject: 'grace', kind: 'human', groups: ['deciders'] } as const
  const asking = gateways.map(async (gateway) => {
    while (!signal.aborted) {
      try {
        using client = await EchoClient.enter(await gateway.port('echo'), gateway.key)
        client.say(`please ${randomUUID()}`)
        await Promise.race([client.hear().then(() => client.hear()), delay(DECIDED_MS, undefined, { signal })])
      } catch {
        // The gateway is the one that is killed, or the run is over.
        await delay(100)
      }
    }
  })
  const deciding = (async () => {
    while (!signal.aborted) {
      for (const { id } of await answered(() => desk.list({ state: 'pending' }))) {
        // Its asker may be gone meanwhile: then there is nothing to decide any more.
        const approved: Approval | undefined = await desk.decide(id, { act: 'approve' }, decider).catch(() => undefined)
        if (approved !== undefined) decided.push(id)
      }
      await delay(50)
    }
  })()
  await Promise.all([...asking, deciding])
  return decided
}

/** A database beside much other work takes its time: what did not answer is asked again, for a minute or two. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof ApplianceError && error.code === 'STORE_FAILED' && tries < MAX_TRIES)) throw error
      await delay(1_000)
    }
  }
}

function urlOf(server: PgServer): string {
  return `postgres://postgres:${server.password}@127.0.0.1:${server.port}/shared`
}

function fail(): never {
  throw new Error('there are three gateways')
}

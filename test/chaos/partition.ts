import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { openStore } from '../../recorder/index.ts'
import { readStoreKeys } from '../../recorder/tape/published-keys.ts'
import { openTape } from '../../recorder/tape/reader.ts'
import { DURABILITY_LEVELS } from '../../schemas/session.ts'
import { startAzurite } from '../support/azurite.ts'
import { type FaultProxy, startFaultProxy, type Treatment } from '../support/fault-proxy.ts'
import type { Random } from '../support/random.ts'
import { RealGateway, Talker } from './real-gateway.ts'
import { compare } from './released.ts'
import type { Account, Context, Scenario } from './scenario.ts'

/** Shorter than patience: nothing may end, nothing may be lost. */
const SHORT_MS = [200, 12_000] as const
/** Longer than the recorder's patience of 30 s and what it waits for a last answer. */
const LONG_MS = 75_000
const SEALED_WITHIN_MS = 60_000
/** Between two messages of a client, so that some runs are mostly idle. */
const KINDS = ['cut', 'refused', 'late', 'answers lost'] as const
const PAUSES_MS = [0, 5, 200] as const
/** Behind channel and length. */
const REFUSAL_AT = 5
const REFUSAL = '! RECORDER_FAILED: '

export const partition: Scenario = {
  name: 'partition',
  about:
    'a real gateway is cut off from Blob Storage, or its requests are refused, late, or answered into nothing; a long cut ends sessions',
  defaultRuns: 12,
  async play(context: Context, account: Account) {
    await using azurite = await startAzurite()
    for (let run = 0; run < context.runs; run += 1) {
      account.runs += 1
      const random = context.random.fork()
      const place = await azurite.place(`p-${randomUUID()}`)
      await using proxy = await startFaultProxy(place.url)
      const durability = random.pick(DURABILITY_LEVELS)
      await using gateway = await RealGateway.make({ durability, store: { ...place, url: proxy.url } })
      await gateway.start()
      const port = await gateway.port('echo')
      const enter = (index: number): Promise<Talker> => Talker.enter(port, gateway.key, random.fork(), `begin ${index} here`)
      const talkers = await Promise.all([1, 2].map(enter))
      // One run in six is an outage.
      const long = run % 6 === 5
      const kind = long ? 'cut' : random.pick(KINDS)
      let over = false
      const talk = (talker: Talker): Promise<void> => talker.talk(() => over, random.pick(PAUSES_MS))
      const talking = talkers.map(talk)
      await delay(random.between(100, 1_000))
      const misbehaving = misbehave(proxy, random, kind, long ? LONG_MS : random.scale(...SHORT_MS))
      if (long) {
        // And one knocks when the store is gone.
        const late = await enter(3)
        talkers.push(late)
        talking.push(talk(late))
      }
      await misbehaving
      if (!long) {
        await delay(500)
        over = true
      }
      await Promise.all(talking)
      const ended = talkers.filter(({ received }) =>
        /can no longer be recorded|RECORDER_FAILED/.test(received.toString('latin1')),
      ).length
      if (long && ended < talkers.length)
        account.violation(`run ${account.runs}: ${ended} of ${talkers.length} were told why they ended`)
      if (!long && talkers.some(({ socket }) => socket.destroyed))
        account.violation(`run ${account.runs}: a session ended during ${kind}`)
      for (const talker of talkers) talker.socket.end()
      await Promise.all(talkers.map(({ gone }) => gone))
      const store = await openStore({ blob: place })
      const keys = await readStoreKeys(store)
      for (const talker of talkers) {
        const session = await gateway.outcomeOf(talker.localPort)
        if (session === undefined) {
          // The store was gone before the tape was begun.
          refused(talker, gateway.target.with(talker.tag), account)
          continue
        }
        await sealed(session)
        const given = { session, client: talker.received, target: gateway.target.with(talker.tag) }
        const { missing, result } = await compare(given, store, keys, account)
        if (missing.client + missing.target > 0 || result.verdict !== 'VALID')
          account.violation(
            `run ${account.runs}, ${session}: after ${kind} ${result.verdict}, ${JSON.stringify(missing)} bytes missing`,
          )
      }
      await gateway.stop()
      context.progress(`run ${run + 1} of ${context.runs}: ${kind}, ${durability}, ${proxy.faults} requests`)

      /** Whatever it takes: the process brings the end once the store is back. */
      async function sealed(session: string): Promise<void> {
        const deadline = performance.now() + SEALED_WITHIN_MS
        for (;;) {
          const { state } = await openTape(store, session)
          if (state === 'sealed' || performance.now() > deadline) return
          await delay(100)
        }
      }
    }
  },
}

/** A refusal is all that a client without a tape may have been given, and its target nothing. */
function refused({ received }: Talker, target: Buffer, account: Account): void {
  account.refusedUnrecorded += received.length
  const whole = received.length >= REFUSAL_AT && received.length === REFUSAL_AT + received.readUInt32BE(1)
  const told = whole && received.subarray(REFUSAL_AT).toString().startsWith(REFUSAL)
  if (!(told || received.length === 0) || target.length > 0)
    account.violation(`run ${account.runs}: ${received.length} + ${target.length} bytes were given without a tape`)
}

async function misbehave(proxy: FaultProxy, random: Random, kind: (typeof KINDS)[number], forMs: number): Promise<void> {
  proxy.treat = (): Treatment => {
    switch (kind) {
      case 'cut':
        return { act: 'swallow' }
      case 'refused':
        return { act: 'busy' }
      case 'late':
        return { act: 'late', ms: random.between(10, 800) }
      case 'answers lost':
        return random.chance(0.4) ? { act: 'lose-answer' } : { act: 'pass' }
      default:
        return kind satisfies never
    }
  }
  await delay(forMs)
  proxy.treat = () => ({ act: 'pass' })
}

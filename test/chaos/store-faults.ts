import { setTimeout as delay } from 'node:timers/promises'
import type { RecorderLimits } from '../../recorder/tape/limits.ts'
import { DURABILITY_LEVELS } from '../../schemas/session.ts'
import { type Fault, FaultyStore } from '../support/faulty-store.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { checkTape, DrivenSession } from './recorded-sessions.ts'
import { type Account, type Context, eachRun, type Scenario } from './scenario.ts'

const APPENDS = 120

interface Weather {
  readonly limits?: Partial<RecorderLimits>
  /** Sets what goes wrong; returns what ends it. */
  begin(store: FaultyStore, context: Context): () => void
  readonly expected: readonly string[]
  /** Whether sessions may be ended by it. */
  readonly endsSessions?: true
}

/** Sessions of every level on one process, while the store misbehaves; then it recovers and they end. */
function scenario(name: string, about: string, weather: Weather): Scenario {
  return { name, about, defaultRuns: 10, play: (context, account) => play(weather, context, account) }
}

function play(weather: Weather, context: Context, account: Account): Promise<void> {
  return eachRun(context, account, async (random, folder) => {
    const store = new FaultyStore(new MemoryStore())
    const limits = { chunkAgeMs: random.scale(2, 200), segmentBlocks: random.scale(5, 400), ...weather.limits }
    const room = await folder.room({ store, limits })
    const sessions = await Promise.all(DURABILITY_LEVELS.map((level) => DrivenSession.open(room, level)))
    const end = weather.begin(store, { ...context, random: random.fork() })
    await Promise.all(sessions.map((session) => session.drive(random.fork(), APPENDS)))
    end()
    for (const session of sessions) {
      if (session.failure !== undefined && weather.endsSessions === undefined)
        account.violation(`run ${account.runs}, ${session.info.id}: it was ended: ${String(session.failure)}`)
      // A seal that failed is brought by the room once the store is back.
      await session.recorder.seal('client.left').catch(() => undefined)
    }
    await room.close().catch(() => undefined)
    for (const session of sessions) await checkTape(session, store, [folder.signer], account, weather.expected)
  })
}

export const answersLost = scenario('answers-lost', 'writes that fail: done, half done and not done', {
  expected: ['VALID'],
  begin(store, { random }) {
    store.fault = () => (random.chance(0.3) ? random.pick<Fault>(['done', 'half-done', 'not-done']) : undefined)
    return () => {
      store.fault = () => undefined
    }
  },
})

export const storm = scenario('storm', 'the store refuses everything (503) for a while, again and again', {
  expected: ['VALID'],
  begin(store, { random }) {
    let left = 0
    store.fault = () => {
      if (left === 0) {
        if (random.chance(0.1)) left = random.between(2, 7)
        return undefined
      }
      left -= 1
      return 'not-done'
    }
    return () => {
      store.fault = () => undefined
    }
  },
})

export const latency = scenario('latency', 'every answer takes up to 150 ms', {
  expected: ['VALID'],
  begin(store, { random }) {
    store.fault = () => {
      store.gate = delay(random.scale(1, 150))
      return undefined
    }
    return () => {
      store.fault = () => undefined
      store.gate = Promise.resolve()
    }
  },
})

export const outage = scenario('outage', 'the store is away for longer than patience, or never answers: sessions end', {
  limits: { patienceMs: 60, budgetSize: 1 << 16, sharedSize: 0, retrySealMs: 20 },
  expected: ['VALID'],
  endsSessions: true,
  begin(store, { random }) {
    let writes = random.between(0, 40)
    const { promise, resolve } = Promise.withResolvers<void>()
    const silent = random.chance(0.5)
    store.fault = () => {
      writes -= 1
      if (writes >= 0) return undefined
      if (silent) store.gate = promise
      return 'not-done'
    }
    return () => {
      store.fault = () => undefined
      store.gate = Promise.resolve()
      resolve()
    }
  },
})

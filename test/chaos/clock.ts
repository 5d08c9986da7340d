import { DURABILITY_LEVELS } from '../../schemas/session.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { checkTape, DrivenSession } from './recorded-sessions.ts'
import { type Account, type Context, eachRun, type Scenario } from './scenario.ts'

const HOUR_MS = 3_600_000
const APPENDS = 60

export const clockStep: Scenario = {
  name: 'clock-step',
  about: 'the wall clock jumps back and forth, up to years, while sessions run and begin',
  defaultRuns: 10,
  play: (context: Context, account: Account) =>
    eachRun(context, account, async (random, folder) => {
      const store = new MemoryStore()
      using clock = new SteppedClock()
      const room = await folder.room({ store, limits: { chunkAgeMs: random.scale(2, 200) } })
      const sessions: DrivenSession[] = []
      for (const level of DURABILITY_LEVELS) {
        sessions.push(await DrivenSession.open(room, level))
        clock.step(random.between(-1, 1) * random.scale(1_000, 20_000 * HOUR_MS))
        await Promise.all(sessions.map((session) => session.drive(random.fork(), APPENDS)))
        clock.step(random.between(-1, 1) * random.scale(1_000, 20_000 * HOUR_MS))
        await Promise.all(sessions.map((session) => session.drive(random.fork(), APPENDS)))
      }
      for (const session of sessions) await session.recorder.seal('client.left')
      await room.close()
      for (const session of sessions) await checkTape(session, store, [folder.signer], account, ['VALID'])
    }),
}

/** `Date` as a wall clock that somebody sets; the monotonic clock goes on. */
class SteppedClock implements Disposable {
  readonly #real = globalThis.Date
  #offsetMs = 0

  constructor() {
    const real = this.#real
    const now = (): number => real.now() + this.#offsetMs
    globalThis.Date = class extends real {
      constructor(...given: [] | [number | string | Date]) {
        super(given[0] ?? now())
      }

      static override now(): number {
        return now()
      }
    } as DateConstructor // as far as the recorder uses it
  }

  step(byMs: number): void {
    this.#offsetMs += byMs
  }

  [Symbol.dispose](): void {
    globalThis.Date = this.#real
  }
}

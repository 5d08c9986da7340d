import { type Fault, FaultyStore } from '../support/faulty-store.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { checkTape, DrivenSession } from './recorded-sessions.ts'
import { type Account, type Context, eachRun, type Scenario } from './scenario.ts'

const APPENDS = 40

export const racingGateways: Scenario = {
  name: 'racing-gateways',
  about: 'several gateways on one store, one of them taken for dead by all others at once while it lives, or not',
  defaultRuns: 20,
  play: (context: Context, account: Account) =>
    eachRun(context, account, async (random, folder) => {
      const kept = new MemoryStore()
      const store = new FaultyStore(kept)
      store.fault = (operation) => {
        if (!random.chance(0.05)) return undefined
        return operation === 'put'
          ? random.pick<Fault>(['done', 'not-done'])
          : random.pick<Fault>(['done', 'half-done', 'not-done'])
      }
      const names = ['victim', 'gw1', 'gw2', 'gw3']
      const rooms = await Promise.all(
        names.map((gateway) => folder.room({ store, gateway, limits: { chunkAgeMs: 5, patienceMs: 2_000 } })),
      )
      const sessions = await Promise.all(rooms.flatMap((room) => [room, room].map((each) => DrivenSession.open(each, 'blob'))))
      const numbers = new Set(sessions.map(({ info }) => info.id))
      if (numbers.size !== sessions.length) account.violation(`run ${account.runs}: two sessions have one id`)
      const victims = sessions.filter(({ info }) => info.gateway === 'victim')
      const others = sessions.filter(({ info }) => info.gateway !== 'victim')
      const alive = random.chance(0.7)
      await Promise.all(victims.map((session) => session.drive(random.fork(), APPENDS)))
      const recoveries = rooms.slice(1).map((room) => room.recoverOrphans((gateway) => gateway === 'victim'))
      await Promise.all([
        ...others.map((session) => session.drive(random.fork(), APPENDS)),
        ...(alive ? victims.map((session) => session.drive(random.fork(), APPENDS)) : []),
      ])
      const ended = (await Promise.all(recoveries)).flatMap((report) => report.sessions.map(({ id }) => id))
      // Whatever a fault broke off is done by the next one, once whoever was at it counts as gone.
      for (const { info } of victims) {
        const times = ended.filter((id) => id === info.id).length
        if (times > 1) account.violation(`run ${account.runs}, ${info.id}: it was ended ${times} times`)
      }
      store.fault = () => undefined
      for (const session of others) await session.recorder.seal('client.left')
      for (const session of victims)
        if (alive && session.failure === undefined) await session.recorder.seal('client.left').catch(() => undefined)
      for (const session of others) await checkTape(session, kept, [folder.signer], account, ['VALID'])
      for (const session of victims) await checkTape(session, kept, [folder.signer], account)
    }),
}

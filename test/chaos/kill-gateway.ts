import { join } from 'node:path'
import { Client } from 'pg'
import { FileStore, readGatewayKeys } from '../../recorder/index.ts'
import type { Durability } from '../../schemas/session.ts'
import { startPostgres } from '../support/pg-server.ts'
import type { Random } from '../support/random.ts'
import { tee, withoutCancelKey } from '../support/tee.ts'
import { RealGateway, Talker } from './real-gateway.ts'
import { compare, type Given } from './released.ts'
import type { Account, Context, Scenario } from './scenario.ts'

/** Every so many runs the traffic is PostgreSQL's. */
const POSTGRES_EVERY = 10
const LARGEST_OFFSET = 4_000_000

export const killGateway: Scenario = {
  name: 'kill-gateway',
  about: 'SIGKILL of a real gateway at a random byte of real traffic; then it is started again',
  defaultRuns: 200,
  async play(context: Context, account: Account) {
    await using server = await startPostgres()
    await using gateway = await RealGateway.make({ durability: 'process' satisfies Durability, postgres: server })
    await gateway.start()
    const store = new FileStore(gateway.dataDir)
    for (let run = 0; run < context.runs; run += 1) {
      account.runs += 1
      const random = context.random.fork()
      const offset = random.scale(1, LARGEST_OFFSET)
      const givens =
        run % POSTGRES_EVERY === POSTGRES_EVERY - 1
          ? await killQuerying(gateway, offset)
          : await killTalking(gateway, random, offset)
      await gateway.start()
      const keys = await readGatewayKeys(join(gateway.dataDir, 'keys'))
      for (const given of givens) {
        const { missing } = await compare(given, store, keys, account)
        if (missing.client + missing.target > 0)
          account.violation(
            `run ${account.runs}, ${given.session}: killed at byte ${offset}, ${missing.client} + ${missing.target} bytes delivered are not on the tape`,
          )
      }
      gateway.target.received.clear()
      context.progress(`run ${run + 1} of ${context.runs}: killed at byte ${offset}, ${givens.length} sessions`)
    }
    await gateway.stop()
  },
}

/** Some clients at once; the gateway is killed when they and the target have been given so many bytes. */
async function killTalking(gateway: RealGateway, random: Random, offset: number): Promise<Given[]> {
  const port = await gateway.port('echo')
  const { pid } = gateway
  let given = 0
  const count = (size: number): void => {
    given += size
    if (given >= offset && given - size < offset) process.kill(pid, 'SIGKILL')
  }
  gateway.target.onData = count
  const entering = Array.from({ length: random.between(1, 4) }, (_, index) =>
    Talker.enter(port, gateway.key, random.fork(), `begin ${index} here`, count),
  )
  // A gateway killed at one of the first bytes lets some of them in no more.
  const talkers = (await Promise.allSettled(entering)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  await Promise.all(talkers.map((talker) => talker.talk()))
  await gateway.kill()
  await Promise.all(talkers.map(({ gone }) => gone))
  gateway.target.onData = () => undefined
  return talkers.flatMap((talker) => {
    const session = gateway.sessionOf(talker.localPort)
    return session === undefined ? [] : [{ session, client: talker.received, target: gateway.target.with(talker.tag) }]
  })
}

async function killQuerying(gateway: RealGateway, offset: number): Promise<Given[]> {
  const port = await gateway.port('postgres')
  await using proxy = await tee({ port, log: gateway.log, folder: gateway })
  const client = new Client({ host: '127.0.0.1', port: proxy.port, user: 'agent', password: gateway.key, database: 'shop' })
  client.on('error', () => undefined)
  await client.connect()
  const [connection] = proxy.connections
  if (connection === undefined) throw new Error('the tee has a connection')
  const before = connection.received.length
  const lost = client.query("select n, repeat('row ', 20) from generate_series(1, 300000) n").catch(() => undefined)
  await connection.has(before + offset)
  await gateway.kill()
  await lost
  const session = gateway.sessionOf(connection.port)
  return session === undefined ? [] : [{ session, client: connection.received, target: Buffer.alloc(0), hide: withoutCancelKey }]
}

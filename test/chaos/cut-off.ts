import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { openStore } from '../../recorder/index.ts'
import type { BlobPlace } from '../../recorder/store/places.ts'
import { readStoreKeys } from '../../recorder/tape/published-keys.ts'
import { openTape } from '../../recorder/tape/reader.ts'
import { DURABILITY_LEVELS } from '../../schemas/session.ts'
import type { Random } from '../support/random.ts'
import { RealGateway, Talker } from './real-gateway.ts'
import { compare } from './released.ts'
import type { Account, Context } from './scenario.ts'

/** Shorter than patience: nothing may end, nothing may be lost. */
const SHORT_MS = [200, 12_000] as const
/** An outage ends when every session has. The patience of recorder and ledger is 30 s each, of both one after the other at worst. */
const LONG_MS = 240_000
const SEALED_WITHIN_MS = 60_000
/** Between two messages of a client, so that some runs are mostly idle. */
const PAUSES_MS = [0, 5, 200] as const
/** One run in so many is an outage. */
const LONG_EVERY = 6
/** Behind channel and length. */
const REFUSAL_AT = 5
const REFUSAL = '! RECORDER_FAILED: '

/** What lies between a gateway and its store, and how it fails. */
export interface Way<Kind extends string> {
  readonly kinds: readonly [Kind, ...Kind[]]
  /** Of these: nothing goes through. */
  readonly outages: readonly [Kind, ...Kind[]]
  /** A container of its own: as the gateway reaches it, and as whoever looks at it afterwards does. */
  place(name: string): Promise<{ readonly seen: BlobPlace; readonly direct: BlobPlace }>
  /** Added to the gateway's environment. */
  readonly env?: NodeJS.ProcessEnv
  fail(kind: Kind, random: Random): void
  mend(kind: Kind): void
}

/** A real gateway and its clients, while the way to the store fails: for a short while nothing is lost, for a long one sessions end. */
export async function playCutOff<Kind extends string>(way: Way<Kind>, context: Context, account: Account): Promise<void> {
  for (let run = 0; run < context.runs; run += 1) {
    account.runs += 1
    const random = context.random.fork()
    const { seen, direct } = await way.place(`p-${randomUUID()}`)
    const durability = random.pick(DURABILITY_LEVELS)
    await using gateway = await RealGateway.make({ durability, store: seen, env: way.env ?? {} })
    await gateway.start()
    const port = await gateway.port('echo')
    const enter = (index: number): Promise<Talker> => Talker.enter(port, gateway.key, random.fork(), `begin ${index} here`)
    const talkers = await Promise.all([1, 2].map(enter))
    const long = run % LONG_EVERY === LONG_EVERY - 1
    const kind = random.pick(long ? way.outages : way.kinds)
    let over = false
    const talk = (talker: Talker): Promise<void> => talker.talk(() => over, random.pick(PAUSES_MS))
    const talking = talkers.map(talk)
    await delay(random.between(100, 1_000))
    const forMs = long ? LONG_MS : random.scale(...SHORT_MS)
    way.fail(kind, random)
    const began = performance.now()
    if (long) {
      // And one knocks when the store is gone.
      const late = await enter(3)
      talkers.push(late)
      talking.push(talk(late))
    }
    const everybody = Promise.all(talking)
    await (long ? Promise.race([everybody, delay(forMs, undefined, { ref: false })]) : delay(forMs))
    const lastedMs = Math.round(performance.now() - began)
    way.mend(kind)
    if (!long) await delay(500)
    over = true
    await everybody
    const ended = talkers.filter(({ received }) =>
      /can no longer be recorded|RECORDER_FAILED|the gateway is shutting down/.test(received.toString('latin1')),
    ).length
    if (long && ended < talkers.length)
      account.violation(`run ${account.runs}: ${ended} of ${talkers.length} were told why they ended`)
    if (!long && talkers.some(({ socket }) => socket.destroyed))
      account.violation(`run ${account.runs}: a session ended during ${kind}`)
    for (const talker of talkers) talker.socket.end()
    await Promise.all(talkers.map(({ gone }) => gone))
    const store = await openStore({ blob: direct })
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
    context.progress(`run ${run + 1} of ${context.runs}: ${kind}, ${durability}, ${lastedMs} ms`)

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
}

/** A refusal is all that a client without a tape may have been given, and its target nothing. */
function refused({ received }: Talker, target: Buffer, account: Account): void {
  account.refusedUnrecorded += received.length
  const whole = received.length >= REFUSAL_AT && received.length === REFUSAL_AT + received.readUInt32BE(1)
  const told = whole && received.subarray(REFUSAL_AT).toString().startsWith(REFUSAL)
  if (!(told || received.length === 0) || target.length > 0)
    account.violation(`run ${account.runs}: ${received.length} + ${target.length} bytes were given without a tape`)
}

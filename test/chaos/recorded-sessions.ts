import type { RecorderRoom, Store } from '../../recorder/index.ts'
import type { Recorder } from '../../recorder/recorder.ts'
import { openTape } from '../../recorder/tape/reader.ts'
import { verifyTape } from '../../recorder/tape/verify.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Durability, SessionInfo } from '../../schemas/session.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Random } from '../support/random.ts'
import { entry, START } from '../support/recording.ts'
import type { Account } from './scenario.ts'

/** One session that records what is drawn for it, and remembers what it was allowed to release. */
export class DrivenSession {
  readonly info: SessionInfo
  readonly recorder: Recorder
  /** Bodies of the frames whose append resolved, by their index. */
  readonly delivered = new Map<number, string>()
  failure: unknown
  #next = 0

  constructor(info: SessionInfo, recorder: Recorder) {
    this.info = info
    this.recorder = recorder
  }

  static async open(room: RecorderRoom, durability: Durability): Promise<DrivenSession> {
    const { info, recorder } = await room.open({ ...START, durability })
    return new DrivenSession(info, recorder)
  }

  /** Appends `count` times, some of it without waiting; ends early, for good, when recording fails. */
  async drive(random: Random, count: number, largest = 20_000): Promise<void> {
    const waiting = new Set<Promise<void>>()
    for (let done = 0; done < count && this.failure === undefined; done += 1) {
      const index = this.#next
      this.#next += 1
      const body = random.words(random.scale(1, largest))
      const durable = random.chance(0.05)
      const appended = this.recorder
        .append([entry({ dir: random.pick(['in', 'out']), facts: { index }, body: Buffer.from(body) })], { durable })
        .then(
          () => void this.delivered.set(index, body),
          (error: unknown) => {
            this.failure = error
          },
        )
        .finally(() => waiting.delete(appended))
      waiting.add(appended)
      if (waiting.size >= 8 || random.chance(0.5)) await appended
    }
    await Promise.all(waiting)
  }

  /** Whether it ended as a session must whose recording fails. */
  get endedProperly(): boolean {
    return this.failure === undefined || (this.failure instanceof ApplianceError && this.failure.code === 'RECORDER_FAILED')
  }
}

/** Every delivered frame is on the session's tape once, as it was, and the tape verifies. */
export async function checkTape(
  session: DrivenSession,
  store: Store,
  gatewayKeys: readonly GatewayKey[],
  account: Account,
  expected: readonly string[] = ['VALID', 'VALID-INCOMPLETE'],
): Promise<void> {
  const { id } = session.info
  const at = `run ${account.runs}, ${id}`
  account.sessions += 1
  account.delivered += session.delivered.size
  if (!session.endedProperly) account.violation(`${at}: it failed with ${String(session.failure)}`)
  const result = await verifyTape(store, id, { gatewayKeys })
  if (!expected.includes(result.verdict))
    account.violation(`${at}: ${result.verdict}, not ${expected}: ${JSON.stringify(result.problems.slice(0, 3))}`)
  const seen = new Set<number>()
  let next = 0
  let lastUs = 0
  for await (const frame of (await openTape(store, id)).frames()) {
    if (frame.seq !== next) account.violation(`${at}: frame ${frame.seq} stands where ${next} belongs`)
    if (frame.atUs < lastUs) account.violation(`${at}: time falls at frame ${frame.seq}`)
    next = frame.seq + 1
    lastUs = frame.atUs
    const index = frame.facts['index']
    if (typeof index !== 'number') continue
    if (seen.has(index)) account.violation(`${at}: ${index} is there twice`)
    seen.add(index)
    const body = session.delivered.get(index)
    if (body !== undefined && body !== Buffer.from(frame.body ?? []).toString()) account.violation(`${at}: ${index} was altered`)
  }
  for (const index of session.delivered.keys()) {
    if (seen.has(index)) account.recoverable += 1
    else account.violation(`${at}: ${index} was delivered and is not on the tape`)
  }
}

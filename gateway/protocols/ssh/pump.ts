import type { Readable } from 'node:stream'
import { type Chatter, Intake } from '../../intake.ts'
import type { Lanes } from '../../lane.ts'
import type { Message } from '../../message.ts'
import { Settling } from '../../settling.ts'

export interface Pump {
  readonly source: Readable
  readonly chatter: Chatter
  readonly lanes: Lanes
  /** A chunk as messages. */
  readonly read: (chunk: Uint8Array) => readonly Message[]
  /** What of earlier chunks still waits for more, if anything. */
  readonly rest?: () => Message | undefined
  /** Undefined while the other end has not too much to answer. */
  readonly room?: () => Promise<void> | undefined
}

/** Passes everything through the gate, to the end of the source. Rejects with what the source broke with. */
export async function pump({ source, chatter, lanes, read, rest: restOf, room }: Pump): Promise<void> {
  const rest = (): void => {
    const kept = restOf?.()
    if (kept !== undefined) lanes.push([kept])
  }
  const settling = new Settling(() => {
    rest()
    return !lanes.empty
  })
  try {
    await new Intake(source, chatter).flow({
      take(chunk) {
        lanes.push(read(chunk))
        settling.came(false)
        return lanes.full ? lanes.room() : room?.()
      },
      done: () => false,
    })
  } finally {
    settling.stop()
  }
  await lanes.drained()
  rest()
  await lanes.drained()
}

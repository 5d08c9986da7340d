import type { Readable } from 'node:stream'
import { type Chatter, Intake } from '../../intake.ts'
import type { Lanes } from '../../lane.ts'
import type { Message } from '../../message.ts'

/**
 * How long bytes are kept back that may be the beginning of something to mask. A person does not notice it, and programs that ask
 * and wait for the answer are held up by no more.
 */
export const SETTLE_MS = 20

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
  // What is kept back of a chunk is known once it is through.
  const settle = setTimeout(() => {
    rest()
    if (!lanes.empty) settle.refresh()
  }, SETTLE_MS)
  try {
    await new Intake(source, chatter).flow({
      take(chunk) {
        lanes.push(read(chunk))
        settle.refresh()
        return lanes.full ? lanes.room() : room?.()
      },
      done: () => false,
    })
  } finally {
    clearTimeout(settle)
  }
  await lanes.drained()
  rest()
  await lanes.drained()
}

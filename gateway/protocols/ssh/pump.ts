import type { Readable } from 'node:stream'
import { Intake } from '../../intake.ts'
import type { Lanes } from '../../lane.ts'
import type { ByteStream } from './messages.ts'

/**
 * How long bytes are kept back that may be the beginning of something to mask. A person does not notice it, and programs that ask
 * and wait for the answer are held up by no more.
 */
export const SETTLE_MS = 20

export interface Pump {
  readonly source: Readable
  readonly stream: ByteStream
  readonly lanes: Lanes
  /** Sees every chunk before it passes; true where it is a secret that only the other end may have. */
  readonly sees?: (chunk: Uint8Array) => boolean
}

/** Passes everything through the gate, to the end of the source. Rejects with what the source broke with. */
export async function pump({ source, stream, lanes, sees }: Pump): Promise<void> {
  const rest = (): void => {
    if (stream.holding) lanes.push([stream.rest()])
  }
  const settle = setTimeout(rest, SETTLE_MS)
  try {
    await new Intake(source).flow({
      take(chunk) {
        lanes.push([stream.chunk(chunk, sees?.(chunk) === true)])
        settle.refresh()
        return lanes.full ? lanes.room() : undefined
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

import type { Message } from '../../message.ts'
import type { StreamedBody } from './streamed-body.ts'

/** How long bytes are kept back that may be the beginning of something to mask. */
const SETTLE_MS = 20

const EMPTY = new Uint8Array()

/** A body that somebody reads while it is written: what is kept back of it follows when nothing more has come for a while. */
export async function* livePieces(
  rest: AsyncIterator<Uint8Array>,
  streamed: Pick<StreamedBody, 'holding'>,
  make: (bytes: Uint8Array, last: boolean) => Message,
): AsyncGenerator<Message> {
  for (;;) {
    const coming = rest.next()
    // The message before has been through the gate by now.
    if (streamed.holding && (await isLate(coming))) yield make(EMPTY, false)
    const next = await coming
    if (next.done === true) break
    yield make(next.value, false)
  }
  yield make(EMPTY, true)
}

/** Whether `work` takes longer than a moment. Whatever it comes to is its caller's to hear of. */
async function isLate(work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(true), SETTLE_MS)
  work.then(
    () => resolve(false),
    () => resolve(false),
  )
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

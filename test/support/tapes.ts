import { FileStore, listSessions, openTape, type SessionListing, type TapeFrame } from '../../recorder/index.ts'
import { isReleased } from '../../schemas/frame.ts'

/** Tapes are read here as any reader reads them: through the store, never from the gateway's memory. */
export function storeOf(dataDir: string): FileStore {
  return new FileStore(dataDir)
}

export async function framesOf(dataDir: string, session: string): Promise<TapeFrame[]> {
  const tape = await openTape(storeOf(dataDir), session)
  return collect(tape.frames())
}

export function sessionsOf(dataDir: string): Promise<SessionListing[]> {
  return collect(listSessions(storeOf(dataDir)))
}

const EMPTY = new Uint8Array()

/** What the client received, as the tape has it. */
export function releasedOut(frames: readonly TapeFrame[]): Buffer {
  return Buffer.concat(frames.filter((frame) => frame.dir === 'out' && isReleased(frame)).map(({ body }) => body ?? EMPTY))
}

/** What the client sent, as the tape has it: every request once, whether it went on, was refused, or was held first. */
export function saidIn(frames: readonly TapeFrame[]): Buffer {
  return Buffer.concat(
    frames
      .filter(({ dir, facts, verdict }) => dir === 'in' && facts['origin'] !== 'gateway' && verdict?.act !== 'hold')
      .map(({ body }) => body ?? EMPTY),
  )
}

export function isMasked(frames: readonly TapeFrame[], dir: 'in' | 'out'): boolean {
  return frames.some((frame) => frame.dir === dir && frame.masks !== null)
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

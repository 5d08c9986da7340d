import { openTape, type Store } from '../../recorder/index.ts'
import { newestCheckpoint } from '../../recorder/ledger/ledger-reader.ts'
import { base64Of } from '../../schemas/bytes.ts'
import { parseCheckpoint } from '../../schemas/verify/note.ts'

/** What a derived file is from; each says it. */
export interface Origin {
  readonly session: string
  readonly frames: number
  /** Origin, size and root (base64) of the ledger's newest checkpoint; null where it has none yet. */
  readonly checkpoint: string | null
}

/** Rejects STORE_MISSING and TAPE_MALFORMED like the tape. */
export async function originOf(store: Store, session: string): Promise<Origin> {
  const { frameCount } = await openTape(store, session)
  const newest = await newestCheckpoint(store)
  if (newest === undefined) return { session, frames: frameCount, checkpoint: null }
  const { origin, size, root } = parseCheckpoint(newest.bytes)
  return { session, frames: frameCount, checkpoint: `${origin} ${size} ${base64Of(root)}` }
}

/** One line. */
export function derivedFrom({ session, frames, checkpoint }: Origin): string {
  const as = checkpoint === null ? '' : `, as of checkpoint ${checkpoint}`
  return `derived from ${session}, ${frames} frames${as}; not evidence: the recording is`
}

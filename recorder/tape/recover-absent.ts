import { ApplianceError } from '../../schemas/errors.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import type { Store } from '../store/store.ts'
import { fence, isBeingEnded } from './fence.ts'
import type { EndParts, RecoveredSession } from './recover.ts'
import { keyIdOf } from './signer.ts'
import { findTapeEnd } from './tape-end.ts'

/**
 * Ends a session that the ledger opened and of which the store has nothing, or a header that was cut: its process died in between, and nothing
 * was ever released. Its first segment is fenced, so that of several that try one goes on, and a process that lives after all can no
 * longer begin the tape; then the ledger is told. Undefined where there is a tape, or where somebody else is at it.
 */
export async function recoverAbsent(parts: EndParts, spool: string, id: string): Promise<RecoveredSession | undefined> {
  const { store, ledger, signer, patienceMs } = parts
  if ((await findTapeEnd(store, id)) !== undefined) return undefined
  const next = { segment: 0, position: await sizeOrNone(store, tapeKeys.segment(id, 0)) }
  if (await isBeingEnded(store, id, next)) return undefined
  try {
    await fence(store, id, next, patienceMs)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_CONFLICT') return undefined
    throw error
  }
  const nothing = { frames: 0, recovered: 0 }
  const told = { session: id, spool, outcome: 'absent', ...nothing, signer: keyIdOf(signer.publicKey) } as const
  await ledger.append({ type: 'session.recover', ...told })
  return { id, spool, outcome: 'absent', ...nothing, discardedBytes: 0 }
}

async function sizeOrNone(store: Store, key: string): Promise<number> {
  try {
    return await store.size(key)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return 0
    throw error
  }
}

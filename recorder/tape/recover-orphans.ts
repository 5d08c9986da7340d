import { ApplianceError } from '../../schemas/errors.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import { indexFromFooter } from '../../schemas/verify/segment-index.ts'
import type { Store } from '../store/store.ts'
import { fence, isBeingEnded } from './fence.ts'
import { type EndParts, endTape, problemOf, type RecoveredSession, type RecoveryProblem, type RecoveryReport } from './recover.ts'
import { recoverAbsent } from './recover-absent.ts'
import { findTapeEnd } from './tape-end.ts'
import { openObject } from './tools.ts'

/** `<UTC start>-<gateway>-<number>` */
const SESSION_ID = /^\d{8}T\d{6}Z-(?<gateway>.+)-(?<number>\d{8,})$/

export interface OrphanParts extends EndParts {
  /**
   * Whether nothing has been heard of the process that recorded this session for so long that it counts as dead, and its spool is
   * not at hand. Never true for a session that is open here.
   */
  readonly isStale: (gateway: string, number: number) => boolean
}

/**
 * Ends the tapes of gateways that are gone with their machine, spool and all, each as it stands in the store. Any number of gateways may try
 * at once: the fence lets one of them go on, and the recovery file exists once. A gateway that lives after all loses its tape at the
 * fence, before it can release anything more (see `Lease`), or wins, and keeps it.
 */
export async function recoverOrphans(parts: OrphanParts, signal?: AbortSignal): Promise<RecoveryReport> {
  const sessions: RecoveredSession[] = []
  const problems: RecoveryProblem[] = []
  for await (const { id, segments, recovered } of tapesIn(parts.store, signal)) {
    const { gateway, number } = SESSION_ID.exec(id)?.groups ?? {}
    if (recovered || gateway === undefined || !parts.isStale(gateway, Number(number))) continue
    await attempt(gateway, id, () => recoverOrphan(parts, id, segments))
  }
  for (const id of parts.ledger.unended?.(() => true) ?? []) {
    const { gateway, number } = SESSION_ID.exec(id)?.groups ?? {}
    if (gateway === undefined || !parts.isStale(gateway, Number(number))) continue
    await attempt(gateway, id, () => recoverAbsent(parts, '', id))
  }
  return { sessions, problems }

  async function attempt(gateway: string, id: string, work: () => Promise<RecoveredSession | undefined>): Promise<void> {
    try {
      const done = await work()
      if (done !== undefined) sessions.push(done)
    } catch (error) {
      problems.push({ ...problemOf({ gateway }, error), session: id })
    }
  }
}

/** Undefined where there is nothing to do, or where somebody else does it. */
async function recoverOrphan(parts: OrphanParts, id: string, segments: number): Promise<RecoveredSession | undefined> {
  const { store, patienceMs } = parts
  if (segments === 0) return undefined
  const last = await indexFromFooter(await openObject(store, tapeKeys.segment(id, segments - 1)))
  if (last !== undefined && last.summary !== null) return undefined
  const end = await findTapeEnd(store, id)
  // Nothing was accepted before the header was in the store.
  if (end === undefined || end.seal !== undefined || (await isBeingEnded(store, id, end.next))) return undefined
  try {
    await fence(store, id, end.next, patienceMs)
    await endTape(parts, '', end, { frames: [], discardedBytes: 0, gapAfter: undefined, damaged: false })
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_CONFLICT') return undefined
    throw error
  }
  return { id, spool: '', outcome: 'recovered', frames: end.frames, recovered: 0, discardedBytes: 0 }
}

interface ListedTape {
  readonly id: string
  readonly segments: number
  readonly recovered: boolean
}

async function* tapesIn(store: Store, signal?: AbortSignal): AsyncGenerator<ListedTape> {
  let tape: { id: string; segments: number; recovered: boolean } | undefined
  for await (const key of store.list('tapes/', signal)) {
    const [, id, name] = key.split('/')
    if (id === undefined || name === undefined) continue
    if (tape?.id !== id) {
      if (tape !== undefined) yield tape
      tape = { id, segments: 0, recovered: false }
    }
    if (key === tapeKeys.segment(id, tape.segments)) tape.segments += 1
    else if (key === tapeKeys.recovered(id)) tape.recovered = true
  }
  if (tape !== undefined) yield tape
}

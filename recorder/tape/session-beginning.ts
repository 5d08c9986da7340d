import { ApplianceError } from '../../schemas/errors.ts'
import type { Durability, SessionId, SessionInfo } from '../../schemas/session.ts'
import { TAPE_VERSION } from '../../schemas/tape.ts'
import type { Store } from '../store/store.ts'
import type { RecorderLimits } from './limits.ts'
import { pack } from './msgpack.ts'
import { commitmentOf } from './segment.ts'

// What a tape begins with, before there is anybody to record it.

interface Beginning {
  readonly info: SessionInfo
  /** The first epoch's public key. */
  readonly epoch: Uint8Array
  readonly saltKey: Uint8Array
  readonly bornMs: number
  readonly lossWindow: string
  readonly checkpoint: Uint8Array | null
}

/** The statement of a tape's header, which the gateway signs. */
export function headerStatement({ info, epoch, saltKey, bornMs, lossWindow, checkpoint }: Beginning): Uint8Array {
  return pack({
    v: TAPE_VERSION,
    segment: 0,
    session: info,
    epoch,
    salt: commitmentOf(saltKey),
    monotonicUs: Math.round(bornMs * 1000),
    lossWindow,
    checkpoint,
  })
}

export function sessionIdOf(startedAt: Date, gateway: string, number: number): SessionId {
  const stamp = startedAt.toISOString().replaceAll(/[-:]|\.\d+/g, '')
  // The one place that makes a SessionId.
  return `${stamp}-${gateway}-${String(number).padStart(8, '0')}` as SessionId
}

export function lossWindowOf(durability: Durability, limits: RecorderLimits): string {
  // Also: a machine that was cut off for so long that another has ended its tapes.
  const size = Math.max(limits.budgetSize, limits.sharedSize)
  const machine = `loss of the machine: at most ${limits.budgetMs / 1000} s or ${size / (1 << 20)} MiB`
  switch (durability) {
    case 'process':
      return `end of the process: nothing; loss of power: what the system had not written back; ${machine}`
    case 'disk':
      return `end of the process: nothing; loss of power: nothing; ${machine}`
    case 'blob':
      return 'end of the process: nothing; loss of power: nothing; loss of the machine: nothing, where the store is not on it'
    default:
      return durability satisfies never
  }
}

/** Puts, over failures whose outcome is open: putting the same bytes again is no conflict. */
export async function putSurely(store: Store, key: string, bytes: Uint8Array, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      await store.put(key, bytes)
      return
    } catch (error) {
      const retry = error instanceof ApplianceError && error.code === 'STORE_FAILED' && performance.now() < deadline
      if (!retry) throw error
      await new Promise((resolve) => setTimeout(resolve, PUT_RETRY_MS))
    }
  }
}

const PUT_RETRY_MS = 50

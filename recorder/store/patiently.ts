import { setTimeout as delay } from 'node:timers/promises'
import { ApplianceError } from '../../schemas/errors.ts'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 2_000

/**
 * Asks a store again where it failed, until `patienceMs` have passed; then rejects as the last try did. What it refuses, or does not have,
 * rejects at once. `onFailure` is told the first failure, so that whoever waits knows what for.
 */
export async function patiently<T>(work: () => Promise<T>, patienceMs: number, onFailure: (error: unknown) => void): Promise<T> {
  const deadlineMs = performance.now() + patienceMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await work()
    } catch (error) {
      const failed = error instanceof ApplianceError && error.code === 'STORE_FAILED'
      if (!failed || performance.now() + pauseMs > deadlineMs) throw error
      if (pauseMs === FIRST_PAUSE_MS) onFailure(error)
      await delay(pauseMs)
    }
  }
}

import { setTimeout as wait } from 'node:timers/promises'
import { ApplianceError } from '../schemas/errors.ts'

const FIRST_RETRY_MS = 1_000
/** Whoever has mended what was in the way need not start anything anew. */
const LAST_RETRY_MS = 60_000

export interface Persistence {
  /** It is not open; the next attempt comes after so long. */
  onFailed(error: unknown, retryMs: number): void
  readonly firstRetryMs?: number
}

export interface Persistent<T> extends AsyncDisposable {
  /** Undefined until it is. */
  readonly opened: T | undefined
}

/**
 * Opens what sessions can be served without: no store that is away, and no full disk, ends those for its sake. Rejects CONFIG_INVALID where
 * the first attempt does; whatever else is in the way, and every failure after that, is told and tried again with back-off until it is open, or disposed.
 */
export async function openPersistently<T extends AsyncDisposable | undefined>(
  open: () => Promise<T>,
  { onFailed, firstRetryMs = FIRST_RETRY_MS }: Persistence,
): Promise<Persistent<T>> {
  const stop = new AbortController()
  let opened: T | undefined
  const again = async (first: unknown): Promise<void> => {
    let error = first
    for (let usualMs = firstRetryMs; !stop.signal.aborted; usualMs = Math.min(usualMs * 2, LAST_RETRY_MS)) {
      const retryMs = Math.round(usualMs * (0.75 + Math.random() / 2))
      onFailed(error, retryMs)
      await wait(retryMs, undefined, { signal: stop.signal }).catch(() => undefined)
      if (stop.signal.aborted) return
      try {
        opened = await open()
        return
      } catch (failed) {
        error = failed
      }
    }
  }
  let trying: Promise<void> | undefined
  try {
    opened = await open()
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'CONFIG_INVALID') throw error
    trying = again(error)
  }
  return {
    get opened() {
      return opened
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await trying
      await opened?.[Symbol.asyncDispose]()
    },
  }
}

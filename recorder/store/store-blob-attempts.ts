import { setTimeout as delay } from 'node:timers/promises'
import { isPassing, storeError } from './store-blob-errors.ts'

/** Every limit of requests to Blob Storage, with its reason; tests make them smaller. */
export interface BlobLimits {
  /** Of one operation. More is for the outbox, whose patience is longer and which keeps the session waiting meanwhile. */
  readonly tries: number
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** One request of no size; the service itself gives up after 30 s. */
  readonly timeoutMs: number
  /** What a request with a body is given besides: slower than this is as good as broken. */
  readonly bytesPerMs: number
}

export const BLOB_LIMITS: BlobLimits = {
  tries: 5,
  firstPauseMs: 50,
  longestPauseMs: 2_000,
  timeoutMs: 15_000,
  bytesPerMs: 1_000,
}

export interface AttemptOptions {
  /** Names object and operation in errors. */
  readonly what: string
  /** Bytes that travel. */
  readonly size?: number
  readonly limits: BlobLimits
  readonly signal: AbortSignal | undefined
}

/**
 * Tries `work` until it succeeds, fails for good or has been tried often enough. `isOpen`: an earlier attempt of this operation
 * got no clear answer, so that it may have been done. Rejects with a store's error, or the caller's abort.
 */
export async function attempt<T>(
  { what, size = 0, limits, signal }: AttemptOptions,
  work: (signal: AbortSignal, isOpen: boolean) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    signal?.throwIfAborted()
    const timeout = AbortSignal.timeout(limits.timeoutMs + Math.ceil(size / limits.bytesPerMs))
    try {
      return await work(signal === undefined ? timeout : AbortSignal.any([signal, timeout]), tries > 1)
    } catch (error) {
      signal?.throwIfAborted()
      const cause = timeout.aborted ? new Error(`no answer within ${limits.timeoutMs} ms`, { cause: error }) : error
      if (tries >= limits.tries || !(timeout.aborted || isPassing(error))) throw storeError(cause, what)
      await delay(pauseMs(tries, limits), undefined, signal === undefined ? {} : { signal })
    }
  }
}

/** Doubles, with jitter: many sessions that fail together must not come back together. */
function pauseMs(tries: number, { firstPauseMs, longestPauseMs }: BlobLimits): number {
  return Math.min(firstPauseMs * 2 ** (tries - 1), longestPauseMs) * (0.5 + Math.random() * 0.5)
}

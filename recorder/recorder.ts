import type { Entry, Masked } from '../schemas/frame.ts'

/** The signed end of a tape. */
export interface Seal {
  readonly reason: string
  readonly frameCount: number
  readonly chunkCount: number
  /** RFC 6962 root over the chunk headers, hex. */
  readonly root: string
}

/** What `append` returns where the entries may be released at once: whoever sees this very promise need not wait for it. */
export const RECORDED: Promise<void> = Promise.resolve()

/** Takes one session's entries, in order, until sealed. */
export interface Recorder {
  /**
   * Resolves once the entries may be released: numbered, timed, and as durable as the session's level says
   * (`durable: true` raises it to `disk` for this append). Appends resolve in the order they were made.
   * Waits while more than the session's budget (1 s or 4 MiB) is not yet in the store.
   * Rejects with RECORDER_FAILED, for good; the session must then end and release nothing more.
   * `nowMs`: on performance.now(), where the caller has just looked.
   */
  append(entries: readonly Masked<Entry>[], options?: { readonly durable?: boolean }, nowMs?: number): Promise<void>
  /**
   * Writes the last entries (from bytes reserved at the start, so that a full disk can still be told about), the end
   * marker, index and footer, and waits until the store has them. Also after `append` rejected. A second call answers like
   * the first and writes nothing.
   */
  seal(reason: string, last?: readonly Masked<Entry>[]): Promise<Seal>
}

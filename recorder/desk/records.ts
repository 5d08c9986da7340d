/**
 * Small texts that several processes share, by path: what the desk, keys and budgets are kept in. Whoever creates a record first has
 * created it, for all of them: that is the compare-and-swap everything here is built on. A folder of one machine, or a table of PostgreSQL.
 */
export interface Records extends Disposable {
  /** True exactly once over all processes, and durable when it resolves. */
  create(path: string, text: string): Promise<boolean>
  /** Whole or not at all; of several at once one stays. */
  replace(path: string, text: string): Promise<void>
  /** As `replace`, where what stands there is still `before` (undefined: nothing); false, and nothing done, where it is not. */
  swap(path: string, before: string | undefined, text: string): Promise<boolean>
  read(path: string): Promise<string | undefined>
  /** What stands directly in a folder ('' is the top), in order. */
  names(folder: string): Promise<readonly string[]>
  /**
   * As `names`, with the texts: the very same map as long as nothing changed, so that whoever asks all the time may keep what they made of
   * it. A change made elsewhere shows within a second or so.
   */
  all(folder: string): Promise<ReadonlyMap<string, string>>
  /** Nothing happens where there is none. */
  remove(path: string): Promise<void>
  /** Removes what was written longer ago than this, everywhere below the top. */
  forget(olderThanMs: number): Promise<void>
  /**
   * Resolves when a record directly at the top whose name starts with `prefix` changed since the call, after a while (`maxMs`, if that is
   * sooner), or when the signal aborts. Spurious wake-ups happen: look again. Call it before looking, so that nothing is missed in between.
   */
  next(prefix: string, signal: AbortSignal, maxMs?: number): Promise<void>
}

/** Who waits on a wire for which request of the desk. */
export interface Askers {
  join(id: string): Promise<void>
  leave(id: string): Promise<void>
  /** Whether a wire still waits for the request. Those of processes that died do not count. */
  awaited(id: string): Promise<boolean>
}

import type { News } from './news.ts'

/** One way to tell people. */
export interface Channel {
  /** As configured; what was told is remembered under it. */
  readonly name: string
  /**
   * Tells it; `earlier` is what the last delivery about the same request resolved with (the message to be changed). Rejects
   * DeliveryError. May be called again with the same news: the receiver, or `earlier`, tells repetitions.
   */
  deliver(news: News, earlier: string | undefined, signal: AbortSignal): Promise<string | undefined>
}

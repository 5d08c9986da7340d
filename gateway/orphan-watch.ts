import type { RecorderRoom, StoreLedger } from '../recorder/index.ts'
import type { Log } from './log.ts'

/** Six interims missed: less is a busy machine, or a store that is slow. Longer than a gateway releases anything without being heard of. */
const SILENT_MS = 60_000
const LOOK_EVERY_MS = 20_000

interface Parts {
  readonly room: Pick<RecorderRoom, 'recoverOrphans'>
  readonly ledger: Pick<StoreLedger, 'catchUp' | 'presence'>
  readonly log: Log
}

/**
 * Ends the tapes of gateways of which nothing is heard any more. The store's tapes are listed once for each that falls silent, and once when
 * this process has listened for long enough.
 */
export class OrphanWatch implements AsyncDisposable {
  readonly #parts: Parts
  readonly #timer: NodeJS.Timeout
  readonly #stop = new AbortController()
  readonly #sinceMs = performance.now()
  /** Those whose tapes have been seen to. */
  readonly #done = new Set<string>()
  #looked = false
  #looking: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.#timer = setInterval(() => {
      // A store that is slow is not asked again before it has answered.
      this.#looking ??= this.look()
        .catch((error: unknown) => {
          // The store is away, as recording itself will tell; the next look comes.
          if (!this.#stop.signal.aborted) parts.log.ledgerProblem(error)
        })
        .finally(() => {
          this.#looking = undefined
        })
    }, LOOK_EVERY_MS).unref()
  }

  /** Rejects as store and ledger do. */
  async look(): Promise<void> {
    const { room, ledger, log } = this.#parts
    await ledger.catchUp()
    const silence = ledger.presence.silence()
    const listenedMs = performance.now() - this.#sinceMs
    // One that was never heard of, or said that it stopped, is gone for longer than anybody has listened.
    const isSilent = (gateway: string): boolean => (silence.get(gateway) ?? listenedMs) > SILENT_MS
    const silent = [...silence.keys()].filter(isSilent)
    for (const gateway of this.#done) if (!silent.includes(gateway)) this.#done.delete(gateway)
    if (listenedMs <= SILENT_MS || (this.#looked && silent.every((gateway) => this.#done.has(gateway)))) return
    const report = await room.recoverOrphans(isSilent, this.#stop.signal)
    log.recovered(report)
    if (report.problems.length > 0) return
    this.#looked = true
    for (const gateway of silent) this.#done.add(gateway)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort()
    await this.#looking
  }
}

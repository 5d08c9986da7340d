import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Records } from './records.ts'

/** How often the one who leads says that it is there. */
const RENEW_MS = 5_000
/** Of not having been able to say so: it steps down, well before another takes over. */
const STEP_DOWN_MS = 12_000
/** Of silence: whoever sees it takes over. */
const DEAD_MS = 20_000
/** Said by one that has gone in order: the next need not wait. */
const NOBODY = ''

export interface LeadParts {
  /** What all who might lead share. */
  readonly records: Records
  /** What one of them does for all. */
  readonly role: string
  /** What cannot be asked is asked again. */
  onError(error: unknown): void
  /** Told when it begins, and ends, here. */
  onLead(leads: boolean): void
  readonly pace?: { readonly renewMs: number; readonly stepDownMs: number; readonly deadMs: number }
}

/**
 * Has one of many processes do something for all of them, by a lease: a record that the one who leads writes anew again and again. Nobody's
 * clock is compared with another's: whoever has seen the same record for long enough, by its own monotonic clock, takes it over by a
 * compare-and-swap. A process that stood still and does not know yet may overlap with its successor for a moment: what is done must bear that.
 */
export class Lead implements AsyncDisposable {
  readonly #parts: LeadParts
  readonly #begin: () => Promise<AsyncDisposable>
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  readonly #path: string

  /** `begin` starts what is to be done, each time it falls to this process; what it gives is disposed when it no longer does. */
  constructor(parts: LeadParts, begin: () => Promise<AsyncDisposable>) {
    this.#parts = parts
    this.#begin = begin
    this.#path = `${parts.role}.json`
    this.#running = this.#run()
  }

  /** Ends what is done here, and lets another do it at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { records, onError, pace: { renewMs, deadMs } = { renewMs: RENEW_MS, deadMs: DEAD_MS } } = this.#parts
    const { signal } = this.#stop
    let seen: { readonly text: string | undefined; readonly sinceMs: number } | undefined
    while (!signal.aborted) {
      try {
        const change = records.next(this.#path, signal, renewMs)
        const text = await records.read(this.#path)
        if (seen === undefined || seen.text !== text) seen = { text, sinceMs: performance.now() }
        const isFree = text === undefined || text === NOBODY || performance.now() - seen.sinceMs > deadMs
        const own = sign()
        if (isFree && !signal.aborted && (await records.swap(this.#path, text, own))) await this.#lead(own)
        else await change
      } catch (error) {
        if (signal.aborted) return
        onError(error)
        await pause(renewMs, signal)
      }
    }
  }

  async #lead(first: string): Promise<void> {
    const { records, onLead, onError } = this.#parts
    const { renewMs, stepDownMs } = this.#parts.pace ?? { renewMs: RENEW_MS, stepDownMs: STEP_DOWN_MS }
    const { signal } = this.#stop
    let own = first
    let renewedMs = performance.now()
    try {
      await using _work = await this.#begin()
      onLead(true)
      while (!signal.aborted && performance.now() - renewedMs < stepDownMs) {
        await pause(renewMs, signal)
        if (signal.aborted) break
        const next = sign()
        const askedMs = performance.now()
        try {
          if (!(await records.swap(this.#path, own, next))) break
          own = next
          renewedMs = askedMs
        } catch (error) {
          onError(error)
        }
      }
    } finally {
      onLead(false)
      // False where another has taken over.
      await records.swap(this.#path, own, NOBODY).catch(onError)
    }
  }
}

/** Never the same twice. */
function sign(): string {
  return JSON.stringify({ by: process.pid, id: randomBytes(12).toString('hex') })
}

/** Ends early when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

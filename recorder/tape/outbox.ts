import { setTimeout as delay } from 'node:timers/promises'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Store } from '../store/store.ts'
import type { Addition } from './segment.ts'

/** One store append at most, so that a retry does not repeat everything: Azure's block limit before 2022. */
const MAX_APPEND_SIZE = 4 << 20
const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 1000
/** One write of 4 MiB over a slow line, and the store's own retries. */
const LONGEST_ANSWER_MS = 15_000
/** So long even where patience is nearly over. */
const LEAST_ANSWER_MS = 1_000

interface Item extends Addition {
  readonly stored: () => void
}

/**
 * Brings one session's bytes to the store, in order; what queues up meanwhile goes in one append.
 * An append whose outcome is open is read back and compared before it is tried again, so that every byte is there once.
 */
export class Outbox {
  readonly #store: Store
  readonly #patienceMs: number
  readonly #onFailure: (error: ApplianceError) => void
  readonly #items: Item[] = []
  #working: Promise<void> | undefined
  #failure: ApplianceError | undefined

  /** `onFailure`: told once when the store has failed for `patienceMs`; what waits stays, for `retry`. */
  constructor(store: Store, patienceMs: number, onFailure: (error: ApplianceError) => void) {
    this.#store = store
    this.#patienceMs = patienceMs
    this.#onFailure = onFailure
  }

  /** `stored` is called when the store has the bytes. */
  add(addition: Addition, stored: () => void): void {
    this.#items.push({ ...addition, stored })
    if (this.#failure === undefined) this.#working ??= this.#work()
  }

  /** Resolves when the store has everything added so far; rejects RECORDER_FAILED when it does not take it. */
  async flushed(): Promise<void> {
    while (this.#working !== undefined) await this.#working
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Tries once more, with new patience. */
  retry(): void {
    this.#failure = undefined
    if (this.#items.length > 0) this.#working ??= this.#work()
  }

  async #work(): Promise<void> {
    try {
      for (let first = this.#items[0]; first !== undefined; first = this.#items[0]) {
        let count = 1
        let size = first.bytes.length
        for (let item = this.#items[count]; item !== undefined; item = this.#items[count]) {
          if (item.key !== first.key || size + item.bytes.length > MAX_APPEND_SIZE) break
          size += item.bytes.length
          count += 1
        }
        const batch = this.#items.slice(0, count)
        await appendSurely(this.#store, { ...first, bytes: joined(batch) }, this.#patienceMs)
        this.#items.splice(0, count)
        for (const { stored } of batch) stored()
      }
    } catch (error) {
      this.#failure = recorderFailed(error)
      this.#onFailure(this.#failure)
    } finally {
      this.#working = undefined
    }
  }
}

/**
 * Appends, over failures whose outcome is open, and over a store that does not answer at all. Rejects STORE_CONFLICT when the
 * object holds something else there (somebody else has ended the tape), or what the store said last after `patienceMs`.
 */
export async function appendSurely(store: Store, addition: Addition, patienceMs: number): Promise<void> {
  const { key } = addition
  let { position, bytes } = addition
  const beganMs = performance.now()
  const answerMs = (): number => {
    const leftMs = patienceMs - (performance.now() - beganMs)
    return Math.min(patienceMs, Math.max(LEAST_ANSWER_MS, Math.min(LONGEST_ANSWER_MS, leftMs)))
  }
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      await answered(answerMs(), key, (signal) => store.append(key, position, bytes, signal))
      return
    } catch (error) {
      const have = await answered(answerMs(), key, (signal) => readBack(store, key, position, signal)).catch(() => undefined)
      if (have !== undefined) {
        if (have.length > bytes.length || !Buffer.from(bytes.buffer, bytes.byteOffset, have.length).equals(have))
          throw new ApplianceError('STORE_CONFLICT', `${key} holds other bytes than ours at ${position}`, { cause: error })
        position += have.length
        bytes = bytes.subarray(have.length)
        if (bytes.length === 0) return
      }
      if (performance.now() - beganMs > patienceMs) throw have === undefined ? unknown(key, error) : error
      await delay(pauseMs)
    }
  }
}

/** A conflict may be with our own bytes, late: only reading them tells that they are somebody else's. */
function unknown(key: string, cause: unknown): ApplianceError {
  const said = cause instanceof Error ? cause.message : String(cause)
  return new ApplianceError('STORE_FAILED', `what ${key} holds cannot be read: ${said}`, { cause })
}

/** A connection that was cut without a word never answers. What it was asked may still happen: its outcome is open. */
async function answered<T>(withinMs: number, key: string, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const given = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new ApplianceError('STORE_FAILED', `the store has not answered about ${key} for ${Math.ceil(withinMs)} ms`))
      given.abort()
    }, withinMs)
  })
  try {
    return await Promise.race([ask(given.signal), late])
  } finally {
    clearTimeout(timer)
  }
}

/** What the object has from `position` on; undefined when the store cannot say. */
async function readBack(store: Store, key: string, position: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    return await store.get(key, { from: position, to: position + MAX_READ_BACK }, signal)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return new Uint8Array(0)
    return undefined
  }
}

/** More than any append we make: a chunk is at most a frame larger than its size. */
const MAX_READ_BACK = 32 << 20

function joined(batch: readonly Item[]): Uint8Array {
  const [only, ...more] = batch
  return only !== undefined && more.length === 0 ? only.bytes : Buffer.concat(batch.map(({ bytes }) => bytes))
}

export function recorderFailed(error: unknown): ApplianceError {
  if (error instanceof ApplianceError && error.code === 'RECORDER_FAILED') return error
  return new ApplianceError('RECORDER_FAILED', error instanceof Error ? error.message : String(error), { cause: error })
}

/** Whether what failed is that somebody else has written to the tape: another gateway took this one for dead and ended it. */
export function isTakenOver(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof ApplianceError && cause.code === 'STORE_CONFLICT'
}

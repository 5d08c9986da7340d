import { hexOf } from '../../schemas/bytes.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'
import { interimRoot, type TapePoint } from '../../schemas/verify/ledger-facts.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { type Moment, momentNow } from './lease.ts'
import { sha256 } from './merkle.ts'

/** Tapes told of in one entry: each takes some 140 bytes of the 64 KiB an entry may have. */
const TAPES_PER_ENTRY = 300
/** A wall clock that moved by more than this against the monotonic one was set; slewing by NTP stays far below. */
const CLOCK_STEP_MS = 1_000

/** How far a tape is in the store, and its head there. */
export interface StoredPoint {
  readonly chunks: number
  readonly frames: number
  readonly head: Uint8Array
}

type Close = Extract<LedgerEntry, { type: 'session.close' }>

/**
 * Tells the ledger, at regular intervals and also when idle, how far each open tape is in the store. So whatever is cut off a tape afterwards,
 * and a recording that stops without a word, shows.
 */
export class Interims {
  readonly #ledger: Ledger
  readonly #timer: NodeJS.Timeout
  /** What the ledger takes for open, in the order of its entries. */
  readonly #open = new Map<string, StoredPoint>()
  /** As last told; a tape that has not moved is told of by the root alone. */
  readonly #told = new Map<string, number>()
  #clock = Date.now() - performance.now()
  /** When others can have heard of this process last. */
  #heard = momentNow()
  #telling: Promise<unknown> = Promise.resolve()

  constructor(ledger: Ledger, everyMs: number) {
    this.#ledger = ledger
    this.#timer = setInterval(() => void this.tell(), everyMs)
    this.#timer.unref()
  }

  get heard(): Moment {
    return this.#heard
  }

  /** The tape's header is in the store, or a chunk. */
  stored(session: string, point: StoredPoint): void {
    this.#open.set(session, point)
  }

  /** Rejects as the ledger does; the tape then still counts as open, until its end is told again. */
  async close(entry: Close): Promise<void> {
    const point = this.#open.get(entry.session)
    this.#open.delete(entry.session)
    this.#told.delete(entry.session)
    try {
      await this.#ledger.append(entry)
    } catch (error) {
      if (point !== undefined) this.#open.set(entry.session, point)
      throw error
    }
  }

  /** One interim, now. Never rejects: what the ledger does not take is in the next one. */
  tell(): Promise<void> {
    const told = this.#tell().catch(() => this.#told.clear())
    this.#telling = told
    return told
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#telling
  }

  async #tell(): Promise<void> {
    const begun = momentNow()
    const clock = Date.now() - performance.now()
    const stepMs = Math.round(clock - this.#clock)
    const entries: LedgerEntry[] = []
    if (Math.abs(stepMs) > CLOCK_STEP_MS) entries.push({ type: 'clock', stepMs })
    this.#clock = clock
    const points = new Map<string, TapePoint>()
    for (const [id, point] of this.#open) points.set(id, { ...point, head: hexOf(point.head) })
    const changed = [...points].filter(([id, { chunks }]) => this.#told.get(id) !== chunks)
    const root = Buffer.from(interimRoot({ sha256 }, points)).toString('hex')
    for (let from = 0; from === 0 || from < changed.length; from += TAPES_PER_ENTRY) {
      const tapes = changed
        .slice(from, from + TAPES_PER_ENTRY)
        .map(([id, { chunks, frames, head }]): [string, number, number, string] => [id, chunks, frames, head])
      const more = from + TAPES_PER_ENTRY < changed.length
      entries.push({ type: 'gateway.interim', open: points.size, root, tapes, ...(more ? { more: true } : {}) })
    }
    for (const [id, { chunks }] of changed) this.#told.set(id, chunks)
    await Promise.all(entries.map((entry) => this.#ledger.append(entry)))
    this.#heard = begun
  }
}

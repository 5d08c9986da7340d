import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Turns } from '../store/turns.ts'
import type { Records } from './records.ts'

/** A window is counted in this many parts: what it forgets, it forgets a sixtieth at a time. */
const PARTS = 60
const MIN_PART_MS = 1_000
/** Parts so far back may be within the window of a process whose clock is late, or of all others where this one's is ahead. */
const KEPT_PARTS = 2 * PARTS
/** The longest window is a week; what was not touched for longer counts nowhere. */
const FORGET_AFTER_MS = (7 * 24 + 1) * 3_600_000

export interface Amount {
  readonly rows: number
  readonly bytes: number
}

export interface Reserved {
  /** What was taken: all that was wanted, or what the limit left of it. */
  readonly granted: Amount
  /** All that is taken within the window, by everybody, with this. */
  readonly total: Amount
  /** Where it stands in the window, for giving it back. */
  readonly part: number
  /** How long it is of this part: what is spent later is to be taken anew. */
  readonly endsInMs: number
}

const Account = Type.Object({
  parts: Type.Record(Type.String({ pattern: '^[0-9]+$' }), Type.Tuple([Type.Number(), Type.Number()])),
})
const checker = Compile(Account)
type Parts = Record<string, [rows: number, bytes: number]>

/**
 * What identities may still be given, agreed on by all processes that share the records: each takes some of a budget before it lets
 * anything through, so that together they never let through more. A record for each budget, by the hash of its name.
 */
export class BudgetBank {
  readonly #records: Records
  readonly #now: () => number
  /** Of one process one at a time: it competes with others only. */
  readonly #turns = new Turns()

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#now = now
  }

  /** Takes what `limit` leaves of what is wanted, within the window that ends now. Durable when it resolves; what is never given back runs out with the window. */
  reserve(key: string, windowMs: number, want: Amount, limit: Amount): Promise<Reserved> {
    return this.#turns.take(key, async () => {
      const lengthMs = Math.max(MIN_PART_MS, Math.ceil(windowMs / PARTS))
      let answer: Reserved | undefined
      await this.#change(key, (parts) => {
        const nowMs = this.#now()
        const part = Math.floor(nowMs / lengthMs)
        for (const old of Object.keys(parts)) if (Number(old) <= part - KEPT_PARTS) delete parts[old]
        // What seems to lie in the future (a clock was set back) counts, too.
        const taken = { rows: 0, bytes: 0 }
        for (const [at, [rows, bytes]] of Object.entries(parts)) {
          if (Number(at) <= part - PARTS) continue
          taken.rows += rows
          taken.bytes += bytes
        }
        const granted = {
          rows: Math.max(0, Math.min(want.rows, limit.rows - taken.rows)),
          bytes: Math.max(0, Math.min(want.bytes, limit.bytes - taken.bytes)),
        }
        const [rows, bytes] = parts[part] ?? [0, 0]
        parts[part] = [rows + granted.rows, bytes + granted.bytes]
        answer = {
          granted,
          total: { rows: taken.rows + granted.rows, bytes: taken.bytes + granted.bytes },
          part,
          endsInMs: (part + 1) * lengthMs - nowMs,
        }
        return granted.rows > 0 || granted.bytes > 0
      })
      if (answer === undefined) throw new Error('a reservation has an answer')
      return answer
    })
  }

  /** Of what was taken in this part, what was not spent. */
  giveBack(key: string, part: number, unspent: Amount): Promise<void> {
    return this.#turns.take(key, () =>
      this.#change(key, (parts) => {
        const taken = parts[part]
        if (taken === undefined) return false
        parts[part] = [Math.max(0, taken[0] - unspent.rows), Math.max(0, taken[1] - unspent.bytes)]
        return true
      }),
    )
  }

  /** Removes budgets that nobody has used for longer than any window. */
  tidy(): Promise<void> {
    return this.#records.forget(FORGET_AFTER_MS)
  }

  /** `work` changes the parts it is given; false: there is nothing to write. Tried again whenever another process was quicker. */
  async #change(key: string, work: (parts: Parts) => boolean): Promise<void> {
    const path = `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`
    for (;;) {
      const before = await this.#records.read(path)
      const account: unknown = before === undefined ? { parts: {} } : JSON.parse(before)
      if (!checker.Check(account)) throw new Error(`the budget record ${path} is damaged; remove it`)
      if (!work(account.parts) || (await this.#records.swap(path, before, JSON.stringify(account)))) return
    }
  }
}

import { isTakenOver } from './outbox.ts'

/** Tapes ended at a time once it is: as many as a store answers without noticing. */
const AT_ONCE = 8

/** Something that must still be brought to a store or a ledger that failed; rejects while it still fails. */
type Debt = () => Promise<void>

/**
 * What is owed after an outage: ends of tapes whose store was away when they were sealed, and ledger entries about them. One is
 * tried every `everyMs`; when it goes through, the others follow.
 */
export class Unsealed {
  readonly #debts: Debt[] = []
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> = Promise.resolve()
  #closed = false
  readonly #everyMs: number

  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  add(debt: Debt): void {
    this.#debts.push(debt)
    this.#later()
  }

  /** Tries once more, now; what is not paid then is left to the recovery of the next start. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#working
    await this.#pay()
  }

  #later(): void {
    if (this.#closed || this.#timer !== undefined || this.#debts.length === 0) return
    this.#timer = setTimeout(() => {
      this.#working = this.#pay().finally(() => {
        this.#timer = undefined
        this.#later()
      })
    }, this.#everyMs).unref()
  }

  async #pay(): Promise<void> {
    const [first] = this.#debts
    if (first === undefined || !(await paid(first))) return
    this.#debts.shift()
    while (this.#debts.length > 0) {
      const some = this.#debts.splice(0, AT_ONCE)
      const outcomes = await Promise.all(some.map(paid))
      const left = some.filter((_, index) => outcomes[index] !== true)
      this.#debts.unshift(...left)
      if (left.length > 0) return
    }
  }
}

/** Also where nothing will ever help: another gateway has ended the tape. */
function paid(debt: Debt): Promise<boolean> {
  return debt().then(() => true, isTakenOver)
}

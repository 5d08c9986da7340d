/**
 * Notices a store that says nothing at all: it keeps one request for longer than anybody waits, who are told meanwhile. One that is slow and
 * answers is waited for.
 */
export class AnswerWatch {
  readonly #patienceMs: number
  readonly #due: () => number | undefined
  readonly #onSilence: (silence: Error) => void
  #asking = false
  #answeredMs = performance.now()
  #timer: NodeJS.Timeout | undefined

  /** `due`: until when the first of those who wait will wait; undefined where nobody does. */
  constructor(patienceMs: number, due: () => number | undefined, onSilence: (silence: Error) => void) {
    this.#patienceMs = patienceMs
    this.#due = due
    this.#onSilence = onSilence
  }

  /** Asks the store for something; one at a time. */
  async during(work: () => Promise<void>): Promise<void> {
    this.#asking = true
    try {
      await work()
      this.#answeredMs = performance.now()
    } finally {
      this.#asking = false
    }
  }

  /** For as long as somebody waits. */
  watch(): void {
    const dueMs = this.#timer === undefined ? this.#due() : undefined
    if (dueMs === undefined) return
    const patienceMs = this.#patienceMs
    const look = (): void => {
      this.#timer = undefined
      const silent = this.#asking && performance.now() - this.#answeredMs >= patienceMs
      if (silent) this.#onSilence(new Error(`the store has not answered within ${patienceMs} ms`))
      this.watch()
    }
    const inMs = Math.max(dueMs, this.#answeredMs + patienceMs) - performance.now()
    this.#timer = setTimeout(look, Math.max(patienceMs / 30, inMs)).unref()
  }
}

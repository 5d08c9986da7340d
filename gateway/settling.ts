/**
 * How long bytes are kept back that may be the beginning of something to mask. A person does not notice it, and programs that ask
 * and wait for the answer are held up by no more.
 */
export const SETTLE_MS = 20
/** A lane may stand still for minutes, while a person is asked, or an end does not read. */
const MAX_WAIT_MS = 1_000

/**
 * When to look for what is kept back: `SETTLE_MS` behind what came, and again while `look` says that there may be more, as what is kept back of a
 * chunk is known only once that is through; after each look for as long again as nothing has come.
 */
export class Settling {
  readonly #look: () => boolean
  #timer: NodeJS.Timeout
  #waitMs = SETTLE_MS
  #cameAt = performance.now()
  #running = true

  constructor(look: () => boolean) {
    this.#look = look
    this.#timer = setTimeout(this.#due, SETTLE_MS)
  }

  /** Something came. `several`: not from the only one whose end is waited for, so that nobody's is put off by another. */
  came(several: boolean): void {
    this.#cameAt = performance.now()
    if (this.#waitMs > SETTLE_MS) {
      clearTimeout(this.#timer)
      this.#again(SETTLE_MS)
    } else if (!this.#running || !several) this.#timer.refresh()
    this.#running = true
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  readonly #due = (): void => {
    this.#running = this.#look()
    if (this.#running) this.#again(Math.min(Math.max(performance.now() - this.#cameAt, SETTLE_MS), MAX_WAIT_MS))
  }

  #again(waitMs: number): void {
    this.#waitMs = waitMs
    this.#timer = setTimeout(this.#due, waitMs)
  }
}

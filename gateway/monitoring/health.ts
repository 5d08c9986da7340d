/** For so long after a session could not be recorded others are sent elsewhere, unless one has been opened since. */
const SHY_MS = 30_000

/** Whether this process should be given new sessions. It lives as long as it answers; that says nothing about being ready. */
export class Health {
  #state: 'starting' | 'serving' | 'stopping' = 'starting'
  #failedMs = Number.NEGATIVE_INFINITY
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  serving(): void {
    this.#state = 'serving'
  }

  stopping(): void {
    this.#state = 'stopping'
  }

  /** A session could not be recorded, or not be begun for that reason. */
  failed(): void {
    this.#failedMs = this.#now()
  }

  /** A session's start is durable: the recorder works. */
  worked(): void {
    this.#failedMs = Number.NEGATIVE_INFINITY
  }

  /** Why it is not ready; undefined where it is. */
  get problem(): string | undefined {
    if (this.#state !== 'serving') return this.#state
    return this.#now() - this.#failedMs < SHY_MS ? 'recording fails' : undefined
  }
}

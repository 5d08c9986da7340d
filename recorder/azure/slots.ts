import { ApplianceError } from '../../schemas/errors.ts'

/**
 * At most `count` questions under way; the others wait, first come first served. A service that is asked everything at once answers nothing in
 * time. Whoever has waited for longer than `patienceMs` when it is their turn is told so, without asking: a service that hangs costs one timeout,
 * however many wait.
 */
export class Slots {
  readonly #patienceMs: number
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(count: number, patienceMs: number) {
    this.#free = count
    this.#patienceMs = patienceMs
  }

  /** Rejects AZURE_FAILED, or as `work` does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const fromMs = performance.now()
    const mayGo = this.#free > 0
    if (mayGo) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      const waitedMs = mayGo ? 0 : performance.now() - fromMs
      if (waitedMs > this.#patienceMs)
        throw new ApplianceError('AZURE_FAILED', `waited ${Math.round(waitedMs)} ms for others to be answered`)
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}

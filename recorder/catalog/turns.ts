import { ApplianceError } from '../../schemas/errors.ts'

/** What one person may have waiting: a page that is left asks once more, a script as often as it likes. */
const MAX_WAITING = 4
/** And all of them. */
const MAX_WAITING_ALL = 200

/** Who asks, and whether they still listen. */
export interface Asker {
  readonly person: string
  readonly gone?: AbortSignal
}

/**
 * What takes long takes turns: so many at once, one of a person, and of those who wait the one whose last turn is the longest ago. What nobody
 * listens for any more is not begun.
 */
export class Turns {
  readonly #atOnce: number
  /** In the order in which they come to their next turn. */
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #running = new Set<string>()

  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /** Rejects API_LIMITED where too much waits already, and where the asker is gone before their turn. */
  async run<T>({ person, gone }: Asker, work: () => Promise<T>): Promise<T> {
    await this.#turn(person, gone)
    try {
      return await work()
    } finally {
      this.#running.delete(person)
      const own = this.#waiting.get(person)
      if (own !== undefined) {
        // Behind those who had no turn yet.
        this.#waiting.delete(person)
        this.#waiting.set(person, own)
      }
      this.#next()
    }
  }

  #turn(person: string, gone: AbortSignal | undefined): Promise<void> {
    const own = this.#waiting.get(person) ?? new Set()
    const all = [...this.#waiting.values()].reduce((sum, { size }) => sum + size, 0)
    if (own.size >= MAX_WAITING || all >= MAX_WAITING_ALL)
      return Promise.reject(
        new ApplianceError('API_LIMITED', `searches wait for each other, and ${own.size} of yours do; try again in some seconds`),
      )
    if (gone?.aborted === true) return Promise.reject(left())
    return new Promise((resolve, reject) => {
      const withdraw = (): void => {
        own.delete(begin)
        if (own.size === 0) this.#waiting.delete(person)
        reject(left())
      }
      const begin = (): void => {
        gone?.removeEventListener('abort', withdraw)
        resolve()
      }
      gone?.addEventListener('abort', withdraw, { once: true })
      own.add(begin)
      this.#waiting.set(person, own)
      this.#next()
    })
  }

  #next(): void {
    for (const [person, own] of this.#waiting) {
      if (this.#running.size >= this.#atOnce) return
      if (this.#running.has(person)) continue
      const [begin] = own
      if (begin === undefined) continue
      own.delete(begin)
      this.#waiting.delete(person)
      if (own.size > 0) this.#waiting.set(person, own)
      this.#running.add(person)
      begin()
    }
  }
}

/** What nobody listens for any more. */
export function left(): ApplianceError {
  return new ApplianceError('API_LIMITED', 'whoever asked did not wait for the answer')
}

import type { ServerEvent } from '../../schemas/api.ts'
import type { Api } from './api.ts'

/** What changes on the server, for whoever on the page listens. One line for all of them. */
export class Live {
  readonly #listeners = new Set<(event: ServerEvent) => void>()
  readonly #api: Pick<Api, 'events'>
  readonly #changed: () => void
  #closed = new AbortController()
  /** Whether news arrive. While they do not, what is shown may be old. */
  up = false

  constructor(api: Pick<Api, 'events'>, changed: () => void) {
    this.#api = api
    this.#changed = changed
  }

  start(): void {
    this.stop()
    this.#closed = new AbortController()
    this.#api.events(
      'all',
      (event) => {
        for (const listener of this.#listeners) listener(event)
      },
      (up) => {
        this.up = up
        this.#changed()
      },
      this.#closed.signal,
    )
  }

  stop(): void {
    this.#closed.abort()
    this.up = false
  }

  /** Until the signal. */
  listen(listener: (event: ServerEvent) => void, signal: AbortSignal): void {
    this.#listeners.add(listener)
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true })
  }
}

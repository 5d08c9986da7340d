import type { ReactiveController, ReactiveControllerHost } from 'lit'

/**
 * What a page asks the server, and how that went. The latest counts: asking again gives up what was asked before, leaving the page gives up
 * everything. The page is drawn again with each change.
 */
export class Question implements ReactiveController {
  readonly #host: ReactiveControllerHost
  #asked = new AbortController()
  state: 'loading' | 'here' | 'failed' = 'loading'
  /** In the server's words; where it failed. */
  problem = ''

  constructor(host: ReactiveControllerHost) {
    this.#host = host
    host.addController(this)
  }

  hostDisconnected(): void {
    this.#asked.abort()
  }

  /** Resolves when it is answered, has failed or was given up. `read` keeps what it is answered itself, and passes the signal on. */
  async ask(read: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#asked.abort()
    const asked = new AbortController()
    this.#asked = asked
    this.state = 'loading'
    this.#host.requestUpdate()
    try {
      await read(asked.signal)
      this.state = 'here'
    } catch (error) {
      if (asked.signal.aborted) return
      this.state = 'failed'
      this.problem = error instanceof Error ? error.message : String(error)
    }
    this.#host.requestUpdate()
  }
}

import type { ReactiveController, ReactiveControllerHost } from 'lit'
import { ApiError } from '../data/api.ts'

/** How a question to the server stands. What it was about is only known where it is `here`: none is said to be there before. */
export interface Asked {
  readonly state: 'loading' | 'here' | 'failed'
  /** In the server's words; where it failed. */
  readonly problem: string
  /** Whether the same question may be answered later: not where the question itself is wrong. */
  readonly again: boolean
}

/**
 * What a page asks the server, and how that went. The latest counts: asking again gives up what was asked before, leaving the page gives up
 * everything. The page is drawn again with each change.
 */
export class Question implements ReactiveController, Asked {
  readonly #host: ReactiveControllerHost
  #asked = new AbortController()
  state: Asked['state'] = 'loading'
  problem = ''
  again = true

  constructor(host: ReactiveControllerHost) {
    this.#host = host
    host.addController(this)
  }

  hostDisconnected(): void {
    this.drop()
  }

  /** Gives up what was asked. */
  drop(): void {
    this.#asked.abort()
  }

  /** Resolves when it is answered, has failed or was given up. `read` keeps what it is answered itself, and passes the signal on. */
  async ask(read: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#asked.abort()
    const asked = new AbortController()
    this.#asked = asked
    this.state = 'loading'
    this.problem = ''
    this.#host.requestUpdate()
    try {
      await read(asked.signal)
      if (asked.signal.aborted) return
      this.state = 'here'
    } catch (error) {
      if (asked.signal.aborted) return
      this.state = 'failed'
      this.problem = error instanceof Error ? error.message : String(error)
      this.again = !(error instanceof ApiError) || error.wouldHelp
    }
    this.#host.requestUpdate()
  }
}

import type { ServerEvent, SessionDetail, SessionProgress, StatementRow } from '../../schemas/api.ts'
import type { Api } from './api.ts'

/** What the list shows first; then on in the background. */
const FIRST_STATEMENTS = 200
const STATEMENTS_AT_ONCE = 1000
/** Between pages: who looks at frames meanwhile comes first, and the list is long enough already. */
const PAGE_PAUSE_MS = 250
/** After `pause`. */
const SEEK_PAUSE_MS = 1_000
/** Statements kept for the list; a session with more is searched and not scrolled. */
const MAX_STATEMENTS = 50_000

export interface FeedListener {
  /** Something that is shown has changed. */
  changed(): void
  /** The running session's tape has grown. */
  grown(progress: SessionProgress): void
  /** It has ended: there is a seal to be read. */
  ended(): void
}

/** What the server's catalog says of one session, and goes on saying while it runs. The recording itself is `Tape`'s. */
export class SessionFeed {
  readonly #api: Pick<Api, 'session' | 'statements' | 'events'>
  readonly #id: string
  readonly #listener: FeedListener
  readonly #signal: AbortSignal
  detail: SessionDetail | undefined
  statements: readonly StatementRow[] = []
  state: 'loading' | 'here' | 'failed' = 'loading'
  problem = ''
  /** Whether news of a running session arrive; `off` where it does not run. */
  tail: 'off' | 'up' | 'down' = 'off'
  #pausedUntilMs = 0

  constructor(api: Pick<Api, 'session' | 'statements' | 'events'>, id: string, listener: FeedListener, signal: AbortSignal) {
    this.#api = api
    this.#id = id
    this.#listener = listener
    this.#signal = signal
  }

  /** Rejects what the API refuses. Statements go on loading behind it. */
  async open(): Promise<SessionDetail> {
    // Asked for first: the catalog answers in turn, and a page of statements takes the longest.
    const detail = this.#api.session(this.#id, this.#signal)
    void this.#load(undefined)
    this.detail = await detail
    if (this.detail.state === 'live' && this.detail.may.read) this.#follow()
    return this.detail
  }

  /** Somebody seeks: the pages of statements that follow can wait. */
  pause(): void {
    this.#pausedUntilMs = performance.now() + SEEK_PAUSE_MS
  }

  /** Whether the statement that frame `seq` belongs to would be among those that are here. */
  covers(seq: number): boolean {
    return this.state !== 'loading' || seq < (this.statements.at(-1)?.frame ?? 0)
  }

  #follow(): void {
    this.tail = 'up'
    const ended = new AbortController()
    this.#signal.addEventListener('abort', () => ended.abort(), { once: true })
    this.#api.events(
      { session: this.#id },
      (event) => this.#heard(event, ended),
      (up) => {
        this.tail = up ? 'up' : 'down'
        this.#listener.changed()
      },
      ended.signal,
    )
  }

  #heard({ event, data }: ServerEvent, ended: AbortController): void {
    if (this.detail === undefined) return
    if (event === 'closed') {
      ended.abort()
      this.tail = 'off'
      this.detail = { ...this.detail, ...data }
      void this.#load(undefined)
      this.#listener.ended()
    } else if (event === 'progress') {
      const { state, frames, durationUs, statements, rows, bytesOut, masked, verdicts } = data
      this.detail = { ...this.detail, state, frames, durationUs, statements, rows, bytesOut, masked, verdicts }
      this.#listener.grown(data)
      // The last statement may have gone on, and others have come.
      void this.#load(this.statements.at(-1)?.frame ?? 0)
    }
    this.#listener.changed()
  }

  async #load(fromFrame: number | undefined): Promise<void> {
    try {
      let cursor: string | null = null
      let loaded = fromFrame === undefined ? [] : this.statements.filter(({ frame }) => frame < fromFrame)
      do {
        const from: object = fromFrame === undefined ? {} : { fromFrame }
        const limit = loaded.length === 0 ? FIRST_STATEMENTS : STATEMENTS_AT_ONCE
        const query = { limit, ...from, ...(cursor === null ? {} : { cursor }) }
        const page: Awaited<ReturnType<Api['statements']>> = await this.#api.statements(this.#id, query, this.#signal)
        loaded = [...loaded, ...page.statements]
        cursor = page.next
        this.statements = loaded
        this.#listener.changed()
        for (let leftMs = PAGE_PAUSE_MS; cursor !== null && leftMs > 0; leftMs = this.#pausedUntilMs - performance.now())
          await new Promise((resolve) => setTimeout(resolve, leftMs))
      } while (cursor !== null && loaded.length < MAX_STATEMENTS)
      this.state = 'here'
    } catch (error) {
      if (this.#signal.aborted) return
      this.state = 'failed'
      this.problem = error instanceof Error ? error.message : String(error)
    }
    this.#listener.changed()
  }
}

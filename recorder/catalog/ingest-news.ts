import type { CatalogLag, SessionRow } from '../../schemas/api.ts'
import type { SessionDigest } from './digest.ts'
import type { Followed } from './followed-tapes.ts'
import type { Change } from './messages.ts'

export interface IngestNewsParts {
  readonly onChange: (change: Change) => void
  /** What was written of a session has changed. */
  readonly onStored: (row: SessionRow) => void
  readonly onLag: (lag: CatalogLag) => void
  readonly onProblem: (message: string) => void
}

/** What others are told of: sessions that open, go on and end, and how far behind the catalog is. */
export class IngestNews {
  readonly #parts: IngestNewsParts
  #behindSinceMs: number | undefined
  #said = ''

  constructor(parts: IngestNewsParts) {
    this.#parts = parts
  }

  tell(each: Followed, digest: SessionDigest): void {
    const row = digest.row()
    if (!each.told) {
      each.told = true
      // Tapes that had ended before this start are no news.
      if (each.old && row.state !== 'live') return
      this.#parts.onChange({ change: 'opened', row })
    }
    if (row.state !== 'live') {
      this.#parts.onChange({ change: 'closed', row })
      return
    }
    const { id: session, state, frames, durationUs, statements, rows, bytesOut, masked, verdicts, target } = row
    const progress = { session, state, frames, durationUs, statements, rows, bytesOut, masked, verdicts }
    this.#parts.onChange({ change: 'progress', target: target.name, progress })
  }

  /** Says nothing where nothing has changed. */
  tellLag(open: Iterable<Followed>): void {
    const behind = [...open].filter(({ caughtUp }) => !caughtUp)
    if (behind.length === 0) this.#behindSinceMs = undefined
    else this.#behindSinceMs ??= Date.now()
    const lag: CatalogLag = {
      state: behind.some(({ old }) => old) ? 'backfill' : 'following',
      sessions: behind.length,
      behindMs: this.#behindSinceMs === undefined ? 0 : Date.now() - this.#behindSinceMs,
    }
    const said = `${lag.state} ${lag.sessions}`
    if (said === this.#said && lag.behindMs === 0) return
    this.#said = said
    this.#parts.onLag(lag)
  }
}

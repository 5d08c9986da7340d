import type { Desk } from '../recorder/desk/desk.ts'
import type { Approval } from '../schemas/approval.ts'
import type { Refusal } from '../schemas/verdict.ts'
import { untilOf } from './access.ts'

/** How soon access that was ended somewhere else ends here. */
const LOOK_MS = 1_000
/** From the first question that fails: a database that is started again, or changes over, is back by then. */
const PATIENCE_MS = 10_000

/** A session that lives by access for a while. */
interface Guest {
  readonly target: string
  end(refusal: Refusal): void
}

interface Watched {
  readonly guest: Guest
  readonly grant: string
  /** By the clock that nobody sets: the latest at which it ends. */
  readonly latestMs: number
}

/** Ends sessions with the access they live by: in time by the wall clock and by the monotonic one, and when somebody ends it early. */
export class AccessWatch implements Disposable {
  readonly #desk: Pick<Desk, 'get'>
  readonly #onError: (error: unknown) => void
  readonly #watched = new Set<Watched>()
  /** Grants that could not be asked about, and since when. */
  readonly #failing = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor(desk: Pick<Desk, 'get'>, onError: (error: unknown) => void) {
    this.#desk = desk
    this.#onError = onError
  }

  /** Watches until the returned function is called. */
  add(guest: Guest, grant: Approval): () => void {
    const watched = { guest, grant: grant.id, latestMs: performance.now() + untilOf(grant) - Date.now() }
    this.#watched.add(watched)
    this.#timer ??= setInterval(() => void this.#look(), LOOK_MS).unref()
    return () => {
      this.#watched.delete(watched)
      if (this.#watched.size === 0) this[Symbol.dispose]()
    }
  }

  async #look(): Promise<void> {
    // Whether or not anybody answers.
    for (const { guest, grant, latestMs } of this.#watched)
      if (performance.now() >= latestMs) guest.end(ended(guest, grant, 'expired'))
    if (this.#looking) return
    this.#looking = true
    try {
      const grants = [...new Set([...this.#watched].map(({ grant }) => grant))]
      const answers = await Promise.allSettled(grants.map((grant) => this.#desk.get(grant)))
      for (const [index, grant] of grants.entries()) {
        const answer = answers[index]
        if (answer?.status === 'fulfilled') this.#answered(grant, answer.value)
        else this.#unanswered(grant, answer?.reason)
      }
      for (const grant of this.#failing.keys()) if (!grants.includes(grant)) this.#failing.delete(grant)
    } finally {
      this.#looking = false
    }
  }

  #answered(grant: string, { state }: Approval): void {
    this.#failing.delete(grant)
    if (state === 'approved') return
    for (const { guest } of this.#by(grant)) guest.end(ended(guest, grant, state === 'withdrawn' ? 'withdrawn' : 'expired'))
  }

  /** Asked again with the next look; whoever cannot be asked about for long does not stay. */
  #unanswered(grant: string, error: unknown): void {
    this.#onError(error)
    const nowMs = performance.now()
    const sinceMs = this.#failing.get(grant) ?? nowMs
    this.#failing.set(grant, sinceMs)
    if (nowMs - sinceMs < PATIENCE_MS) return
    for (const { guest } of this.#by(grant))
      guest.end({ why: 'failed', message: 'whether access still lasts cannot be told, so it ends here', rules: [] })
  }

  #by(grant: string): readonly Watched[] {
    return [...this.#watched].filter((each) => each.grant === grant)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function ended({ target }: Guest, grant: string, why: 'withdrawn' | 'expired'): Refusal {
  return {
    why,
    message: `access to ${target} (request ${grant}) ${why === 'withdrawn' ? 'was ended' : 'is over'}`,
    hint: `ask again with: sallyport access request ${target} --for 1h --reason "..."`,
    rules: [],
  }
}

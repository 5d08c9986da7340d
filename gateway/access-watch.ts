import type { Desk } from '../recorder/desk/desk.ts'
import type { Approval } from '../schemas/approval.ts'
import type { Refusal } from '../schemas/verdict.ts'
import { untilOf } from './access.ts'

/** How soon access that was ended somewhere else ends here. */
const LOOK_MS = 1_000

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
    if (this.#looking) return
    this.#looking = true
    try {
      const states = new Map<string, Approval>()
      for (const { grant } of this.#watched) if (!states.has(grant)) states.set(grant, await this.#desk.get(grant))
      for (const { guest, grant, latestMs } of this.#watched) {
        const approval = states.get(grant)
        if (approval === undefined || (approval.state === 'approved' && performance.now() < latestMs)) continue
        const early = approval.state === 'withdrawn'
        guest.end({
          why: early ? 'withdrawn' : 'expired',
          message: `access to ${guest.target} (request ${grant}) ${early ? 'was ended' : 'is over'}`,
          hint: `ask again with: sallyport access request ${guest.target} --for 1h --reason "..."`,
          rules: [],
        })
      }
    } catch (error) {
      // Who cannot be asked about does not stay.
      this.#onError(error)
      for (const { guest } of this.#watched)
        guest.end({ why: 'failed', message: 'whether access still lasts cannot be told, so it ends here', rules: [] })
    } finally {
      this.#looking = false
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

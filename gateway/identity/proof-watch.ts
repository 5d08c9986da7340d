import type { Identity } from '../../schemas/session.ts'
import type { Refusal } from '../../schemas/verdict.ts'

/** How soon what was revoked somewhere else ends here. */
const LOOK_MS = 1_000

/** A session, as far as it lives by what its client proved. */
interface Proved {
  readonly identity: Identity
  end(refusal: Refusal): void
}

/** Ends sessions whose proof no longer holds: their key was revoked or has expired, or they, or the human behind, are kept out. */
export class ProofWatch implements Disposable {
  readonly #whyNot: (identity: Identity) => Promise<string | undefined>
  readonly #onError: (error: unknown) => void
  readonly #watched = new Set<Proved>()
  readonly #lookMs: number
  #timer: NodeJS.Timeout | undefined
  #looking = false

  /** `whyNot`: why the proof of an identity holds no longer; undefined where it does. */
  constructor(
    whyNot: (identity: Identity) => Promise<string | undefined>,
    onError: (error: unknown) => void,
    lookMs: number = LOOK_MS,
  ) {
    this.#whyNot = whyNot
    this.#onError = onError
    this.#lookMs = lookMs
  }

  /** Watches until the returned function is called. */
  add(session: Proved): () => void {
    this.#watched.add(session)
    this.#timer ??= setInterval(() => void this.#look(), this.#lookMs).unref()
    return () => {
      this.#watched.delete(session)
      if (this.#watched.size === 0) this[Symbol.dispose]()
    }
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      const known = new Map<string, string | undefined>()
      // Those who were there when it began to look: whoever comes meanwhile was asked about at the door, later than what is known here.
      for (const session of [...this.#watched]) {
        const { subject, principal, proof } = session.identity
        const name = JSON.stringify([subject, principal, proof])
        if (!known.has(name)) known.set(name, await this.#whyNot(session.identity))
        const why = known.get(name)
        if (why !== undefined) session.end({ why: 'withdrawn', message: `this session ends: ${why}`, rules: [] })
      }
    } catch (error) {
      // What cannot be read now is read in a second; new knocks are refused by it meanwhile.
      this.#onError(error)
    } finally {
      this.#looking = false
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

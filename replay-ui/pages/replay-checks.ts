import type { Api } from '../data/api.ts'
import type { Tape } from '../data/tape.ts'

/** A growing tape is verified again this long after the last time. */
const AGAIN_MS = 15_000

/** When a session's tape is verified, and by which keys. What comes of it, and what kept it from being done, the tape says itself. */
export class TapeChecks {
  readonly #api: Pick<Api, 'trust' | 'objects'>
  readonly #session: string
  readonly #tape: Tape
  readonly #signal: AbortSignal
  readonly #changed: () => void
  #trust: Awaited<ReturnType<Api['trust']>> | undefined
  #begunMs = 0
  #noted = false

  constructor(api: Pick<Api, 'trust' | 'objects'>, session: string, tape: Tape, signal: AbortSignal, changed: () => void) {
    this.#api = api
    this.#session = session
    this.#tape = tape
    this.#signal = signal
    this.#changed = changed
  }

  async verify(): Promise<void> {
    this.#begunMs = performance.now()
    await this.#try(async () => {
      this.#trust ??= await this.#api.trust(this.#signal)
      this.#tape.verify(this.#trust)
      this.#noted = false
    })
    this.#changed()
  }

  /** Tells the ledger what each verification of a tape that has ended came to; whoever opened a bundle has nobody to tell. */
  note(desk: Pick<Api, 'noteVerification'> | undefined): void {
    const { verification } = this.#tape
    if (desk === undefined || this.#noted || verification === undefined || verification.state === 'open') return
    this.#noted = true
    const { verdict, problemCount: problems } = verification
    desk.noteVerification(this.#session, { verdict, problems }).catch((error: unknown) => {
      if (this.#signal.aborted) return
      this.#tape.unverified = `It was ${verdict}, but the ledger could not be told: ${error instanceof Error ? error.message : String(error)}`
      this.#changed()
    })
  }

  /** Before the first verification there is nothing to do again. */
  grown(): void {
    if (this.#begunMs > 0 && performance.now() - this.#begunMs > AGAIN_MS) void this.verify()
  }

  /** There is a seal to be read. */
  async ended(): Promise<void> {
    await this.#try(async () => {
      const { objects } = await this.#api.objects(this.#session, this.#signal)
      this.#tape.grow(objects)
      await this.verify()
    })
  }

  async #try(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      if (!this.#signal.aborted) this.#tape.unverified = error instanceof Error ? error.message : String(error)
    }
  }
}

import type { Gate } from '../../gate.ts'
import type { Session } from '../../protocol.ts'
import { Fields } from './fields.ts'
import type { Headers } from './head.ts'
import { injected } from './injected.ts'
import { Upstream } from './upstream.ts'
import { HttpWire } from './wire.ts'

/** What all exchanges of one session share. */
export class Visit {
  readonly gate: Gate
  readonly fields: Fields
  readonly #session: Session
  #upstream: Promise<Upstream> | undefined
  #channels = 0

  constructor(session: Session) {
    this.#session = session
    this.gate = session.gate(new HttpWire())
    this.fields = new Fields(session.labels)
    session.signal.addEventListener('abort', () => void this.#close(), { once: true })
  }

  nextChannel(): number {
    this.#channels++
    return this.#channels
  }

  /** Read anew each time, so that a token or secret that was renewed counts from the next request on. Rejects TARGET_REFUSED. */
  async credential(): Promise<Headers> {
    return injected(await this.#session.credential())
  }

  /** Its connections are this session's alone. Rejects TARGET_REFUSED where there is no credential. */
  upstream(): Promise<Upstream> {
    this.#upstream ??= this.#session.credential().then(
      (credential) => new Upstream(this.#session.target, credential),
      (error: unknown) => {
        // What could not be read now may be there for the next request.
        this.#upstream = undefined
        throw error
      },
    )
    return this.#upstream
  }

  async #close(): Promise<void> {
    const upstream = await this.#upstream?.catch(() => undefined)
    await upstream?.close()
  }
}

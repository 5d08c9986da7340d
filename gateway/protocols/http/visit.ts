import type { Gate } from '../../gate.ts'
import type { Session } from '../../protocol.ts'
import type { Dialect } from './dialect.ts'
import { Fields } from './fields.ts'
import type { Headers, RequestHead } from './head.ts'
import { RefusedLately } from './refused-lately.ts'
import { askUpgrade, type Upgraded } from './upgrade-upstream.ts'
import { Upstream } from './upstream.ts'
import { HttpWire } from './wire.ts'

/** What all exchanges of one session share. */
export class Visit {
  readonly gate: Gate
  readonly fields: Fields
  readonly refused = new RefusedLately()
  readonly #session: Session
  #upstream: Promise<Upstream> | undefined
  #channels = 0
  readonly #exchanges = new Set<AbortController>()

  readonly dialect: Dialect

  constructor(session: Session, dialect: Dialect) {
    this.dialect = dialect
    this.#session = session
    this.gate = session.gate(new HttpWire(dialect))
    this.fields = new Fields(session.labels)
    session.signal.addEventListener('abort', () => void this.#close(session.signal.reason), { once: true })
  }

  nextChannel(): number {
    this.#channels++
    return this.#channels
  }

  /** A request goes out once more. Resolves when the tape says so; rejects RECORDER_FAILED. */
  repeats(channel: number): Promise<void> {
    return this.#session.note('request.repeated', { channel })
  }

  /** Read anew each time, so that a token or secret that was renewed counts from the next request on. Rejects TARGET_REFUSED. */
  async credential(): Promise<Headers> {
    return this.dialect.proof(await this.#session.credential(), this.#session.identity)
  }

  /** A connection of its own, for what is no longer HTTP. Rejects TARGET_UNREACHABLE or TARGET_REFUSED. */
  async upgrade(head: RequestHead, signal: AbortSignal): Promise<Upgraded> {
    const credential = await this.#session.credential()
    const { path = '' } = credential
    return askUpgrade(
      { ...head, target: `${path}${head.target}` },
      {
        target: this.#session.target,
        credential,
        proof: this.dialect.proof(credential, this.#session.identity),
        signal,
      },
    )
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

  /** Aborted with the session, until it is over: one listener for all exchanges, of which none keeps anything. */
  begun(exchange: AbortController): void {
    const { signal } = this.#session
    if (signal.aborted) exchange.abort(signal.reason)
    this.#exchanges.add(exchange)
  }

  over(exchange: AbortController): void {
    this.#exchanges.delete(exchange)
  }

  async #close(reason: unknown): Promise<void> {
    for (const exchange of this.#exchanges) exchange.abort(reason)
    const upstream = await this.#upstream?.catch(() => undefined)
    await upstream?.close()
  }
}

import { parseLine } from '../../schemas/verify/ledger-line.ts'
import { Sequence } from '../../schemas/verify/sequence.ts'
import type { GatewayKey, ObjectSource } from '../../schemas/verify/tools.ts'
import { isSignedBy } from '../ledger/entry-signer.ts'

/** Sessions whose tapes a ledger says were deleted under a rule: what a key that is believed has signed, and nothing else. */
export class DeletedSessions {
  readonly #source: ObjectSource
  readonly #trusted: () => Promise<readonly GatewayKey[]>
  readonly #deleted = new Set<string>()
  #sequence = new Sequence()
  #keys = 0
  #reading: Promise<unknown> = Promise.resolve()

  /** `trusted` is asked again each time: a writer may have come with a key of its own. */
  constructor(source: ObjectSource, trusted: () => Promise<readonly GatewayKey[]>) {
    this.#source = source
    this.#trusted = trusted
  }

  /** All of them, as of now; asking again costs what is new. Rejects as the store does. */
  catchUp(): Promise<ReadonlySet<string>> {
    // One after the other: a sequence is read on from where it was left.
    const next = this.#reading.then(() => this.#read())
    this.#reading = next.catch(() => undefined)
    return next
  }

  async #read(): Promise<ReadonlySet<string>> {
    const trusted = await this.#trusted()
    // Keys are only ever added; what a new one has signed was passed over.
    if (trusted.length !== this.#keys) this.#sequence = new Sequence()
    this.#keys = trusted.length
    try {
      for await (const { bytes } of this.#sequence.read(this.#source)) {
        if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('"type":"retention.delete"')) continue
        const entry = parseLine(bytes)
        const session = entry?.statement['session']
        if (entry?.statement.type !== 'retention.delete' || typeof session !== 'string') continue
        if (isSignedBy(entry, trusted)) this.#deleted.add(session)
      }
    } catch (error) {
      // Begun anew, so that nothing is left out.
      this.#sequence = new Sequence()
      throw error
    }
    return this.#deleted
  }
}

import { tapeKeys } from '../../schemas/tape.ts'
import { parseLine } from '../../schemas/verify/ledger-line.ts'
import { Sequence } from '../../schemas/verify/sequence.ts'
import type { GatewayKey, ObjectSource } from '../../schemas/verify/tools.ts'
import { isSignedBy } from '../ledger/entry-signer.ts'
import type { Evidence } from '../store/store-blob-evidence.ts'

/** Why a session must not be deleted. */
export interface Hold {
  readonly session: string
  /** What it is held for; '' where nothing was named. A session may be held for several matters. */
  readonly matter: string
  readonly actor: string
  readonly proof: string
  readonly reason: string
  readonly at: string
}

/**
 * The legal holds of a ledger: `hold.set` and `hold.clear` of writers whose key is trusted, in the order of the sequence. Entries of others
 * neither set nor lift one. Reads on from where it was left, so that asking again costs what is new.
 */
export class Holds {
  readonly #source: ObjectSource
  readonly #trusted: () => Promise<readonly GatewayKey[]>
  readonly #sequence = new Sequence()
  readonly #matters = new Map<string, Map<string, Hold>>()

  /** `trusted` is asked again each time: a writer may have come with a key of its own. */
  constructor(source: ObjectSource, trusted: () => Promise<readonly GatewayKey[]>) {
    this.#source = source
    this.#trusted = trusted
  }

  /** Takes up what was written since. Rejects as the store does. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    const trusted = await this.#trusted()
    for await (const { bytes } of this.#sequence.read(this.#source, signal)) {
      if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('"type":"hold.')) continue
      const entry = parseLine(bytes)
      if (entry === undefined || !isSignedBy(entry, trusted)) continue
      const { type, at, session, matter = '', actor, proof, reason } = entry.statement
      if (typeof session !== 'string' || typeof matter !== 'string') continue
      const ofSession = this.#matters.get(session) ?? new Map<string, Hold>()
      this.#matters.set(session, ofSession)
      if (type === 'hold.clear') ofSession.delete(matter)
      else if (type === 'hold.set')
        ofSession.set(matter, { session, matter, actor: String(actor), proof: String(proof), reason: String(reason), at })
    }
  }

  /** Those in force, in the order in which their sessions were first held. */
  inForce(): readonly Hold[] {
    return [...this.#matters.values()].flatMap((matters) => [...matters.values()])
  }

  isHeld(session: string): boolean {
    return (this.#matters.get(session)?.size ?? 0) > 0
  }

  /** Sessions that are held or once were. */
  sessions(): Iterable<string> {
    return this.#matters.keys()
  }
}

/** Of what is put last beside a session's copies, so that it stands for all of them, whole and compared: sizes and hashes. */
export const manifestKeys = {
  prefix: 'copies/',
  of: (session: string): string => `copies/${session}.json`,
  /** Undefined where `key` is another's. */
  session: (key: string): string | undefined => /^copies\/(.+)\.json$/.exec(key)?.[1],
} as const

/** Puts a session's copies that are there under legal hold, with their manifest, or takes it away; how many objects these are. */
export async function holdCopies(evidence: Evidence, session: string, on: boolean, signal?: AbortSignal): Promise<number> {
  let count = 0
  for (const prefix of [tapeKeys.prefix(session), manifestKeys.of(session)])
    for await (const key of evidence.store.list(prefix, signal)) {
      await evidence.hold(key, on, signal)
      count += 1
    }
  return count
}

import { parseLine } from '../../schemas/verify/ledger-line.ts'
import { Sequence } from '../../schemas/verify/sequence.ts'
import type { Database } from '../catalog/database.ts'
import { sqlJson } from '../catalog/text.ts'
import type { Store } from '../store/store.ts'

/** Requests that wait for their decision; a ledger that has more has forgotten to end them. */
const MAX_OPEN = 10_000

interface Asked {
  readonly session: string | null
  readonly at: string
}

/** Takes into the catalog who decided what on which request, as the ledger has it: what is new at each call. */
export class Decisions {
  readonly #database: Database
  readonly #store: Store
  #sequence = new Sequence()
  readonly #asked = new Map<string, Asked>()

  constructor(database: Database, store: Store) {
    this.#database = database
    this.#store = store
  }

  /** The catalog was made anew: everything is read again. */
  again(): void {
    this.#sequence = new Sequence()
  }

  /** Moments of the decisions that were taken in; the same again changes nothing. */
  async take(): Promise<readonly number[]> {
    const rows: { readonly decided_at: string; readonly [column: string]: string | null }[] = []
    for await (const { bytes } of this.#sequence.read(this.#store)) {
      const said = parseLine(bytes)?.statement
      const request = said?.['approval']
      if (said === undefined || typeof request !== 'string') continue
      if (said.type === 'approval.request') this.#ask(request, { session: textOr(said['session']), at: said.at })
      const asked = this.#asked.get(request)
      if (said.type !== 'approval.decide' || asked === undefined) continue
      const [decider, act] = [textOr(said['actor']), textOr(said['act'])]
      if (decider === null || act === null) continue
      rows.push({ request, decider, act, session: asked.session, asked_at: asked.at, decided_at: said.at })
    }
    if (rows.length > 0)
      await this.#database.query(
        `insert into catalog.decisions select * from jsonb_populate_recordset(null::catalog.decisions, $1::jsonb) on conflict do nothing`,
        [sqlJson(rows)],
      )
    return rows.map(({ decided_at: at }) => Date.parse(at))
  }

  #ask(request: string, asked: Asked): void {
    this.#asked.set(request, asked)
    const [oldest] = this.#asked.keys()
    if (this.#asked.size > MAX_OPEN && oldest !== undefined) this.#asked.delete(oldest)
  }
}

function textOr(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

import { parseLine } from '../../schemas/verify/ledger-line.ts'
import { Sequence } from '../../schemas/verify/sequence.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Database } from '../catalog/database.ts'
import { sqlJson } from '../catalog/text.ts'
import { isSignedBy } from '../ledger/entry-signer.ts'
import type { Store } from '../store/store.ts'

/** Requests that wait for their decision; a ledger that has more has forgotten to end them. */
const MAX_OPEN = 10_000
/** Rows that are written at once. */
const BATCH_ROWS = 1_000

interface DecisionRow {
  readonly decided_at: string
  readonly [column: string]: string | null
}

interface Asked {
  readonly session: string | null
  readonly at: string
}

/** Takes into the catalog who decided what on which request, as writers whose key is trusted told the ledger: what is new at each call. */
export class Decisions {
  readonly #database: Database
  readonly #store: Store
  readonly #trusted: () => Promise<readonly GatewayKey[]>
  #sequence = new Sequence()
  readonly #asked = new Map<string, Asked>()

  /** `trusted` is asked again each time: a writer may have come with a key of its own. */
  constructor(database: Database, store: Store, trusted: () => Promise<readonly GatewayKey[]>) {
    this.#database = database
    this.#store = store
    this.#trusted = trusted
  }

  /** The catalog was made anew: everything is read again. */
  again(): void {
    this.#sequence = new Sequence()
  }

  /** Moments of the decisions that were taken in; the same again changes nothing. */
  async take(): Promise<readonly number[]> {
    const trusted = await this.#trusted()
    const moments: number[] = []
    let rows: DecisionRow[] = []
    for await (const { bytes } of this.#sequence.read(this.#store)) {
      const entry = parseLine(bytes)
      const said = entry?.statement
      const request = said?.['approval']
      if (entry === undefined || said === undefined || typeof request !== 'string') continue
      if ((said.type !== 'approval.request' && said.type !== 'approval.decide') || !isSignedBy(entry, trusted)) continue
      if (said.type === 'approval.request') this.#ask(request, { session: textOr(said['session']), at: said.at })
      const asked = this.#asked.get(request)
      if (said.type !== 'approval.decide' || asked === undefined) continue
      const [decider, act] = [textOr(said['actor']), textOr(said['act'])]
      if (decider === null || act === null) continue
      rows.push({ request, decider, act, session: asked.session, asked_at: asked.at, decided_at: said.at })
      moments.push(Date.parse(said.at))
      if (rows.length < BATCH_ROWS) continue
      await this.#write(rows)
      rows = []
    }
    if (rows.length > 0) await this.#write(rows)
    return moments
  }

  async #write(rows: readonly DecisionRow[]): Promise<void> {
    await this.#database.query(
      `insert into catalog.decisions select * from jsonb_populate_recordset(null::catalog.decisions, $1::jsonb) on conflict do nothing`,
      [sqlJson(rows)],
    )
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

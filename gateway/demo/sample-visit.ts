import pg from 'pg'
import { SAMPLE_DATABASE } from './sample-target.ts'

/** A held statement waits this long for the sample approver, who needs a fraction of it. */
const MAX_WAIT_MS = 60_000

/** Who visits, and how to get in. */
export interface SampleVisit {
  readonly host: string
  readonly port: number
  readonly user: string
  /** The agent's access key: its password at the gateway. */
  readonly key: string
  /** Certificate the gateway shows, PEM. */
  readonly ca: string
  /** Called with a held request's id: decides it as the sample approver. */
  readonly approve: (approval: string) => Promise<void>
  readonly progress: (line: string) => void
}

export interface OpenVisit {
  /** Resolves with what came of the statement, in words: how many rows, or why it was refused. What is held meanwhile is approved. */
  ask(sql: string): Promise<string>
  end(): Promise<void>
}

/** One visit through the gateway with node-postgres as npm brings it. */
export async function visit({ host, port, user, key, ca, approve, progress }: SampleVisit): Promise<OpenVisit> {
  const client = new pg.Client({
    host,
    port,
    user,
    database: SAMPLE_DATABASE,
    password: key,
    ssl: { ca },
    application_name: 'sample-agent',
    query_timeout: MAX_WAIT_MS,
  })
  await client.connect()
  const decided = new Map<string, Promise<void>>()
  client.on('notice', (notice) => {
    const [id] = /\bA-[0-9A-HJKMNP-TV-Z]{8}\b/.exec(notice.message ?? '') ?? []
    if (id === undefined || decided.has(id)) return
    progress(`    ${notice.message}`)
    const decision = approve(id)
    // Awaited once its statement has ended; until then a failure must not count as unhandled.
    decision.catch(() => undefined)
    decided.set(id, decision)
  })
  return {
    async ask(sql) {
      const outcome = await outcomeOf(client, sql)
      await Promise.all(decided.values())
      return outcome
    },
    end: () => client.end(),
  }
}

async function outcomeOf(client: pg.Client, sql: string): Promise<string> {
  try {
    const { command, rowCount, rows } = await client.query(sql)
    const first = rows[0] === undefined ? '' : `, first: ${JSON.stringify(rows[0])}`
    return `${command} ${rowCount ?? ''}${first}`
  } catch (error) {
    if (error instanceof pg.DatabaseError) return `refused: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`
    throw error
  }
}
